"""The pictures and the words of a profile."""

from dataclasses import replace

import pytest

from hpsearch.analysis.step_profile import HOST, Part, step_profile
from hpsearch.report import profile_plot, roofline_plot
from hpsearch.report.profile_losses import losses, why
from hpsearch.report.profile_text import finding, summary
from hpsearch.report.style import save
from hpsearch.report.units import flop, of_bytes, time
from tests.analysis.profile_studies import CEILINGS, stored


@pytest.fixture
def study(tmp_path):
    return stored(tmp_path)


@pytest.fixture
def found(study):
    return step_profile(study)


def test_bars_are_the_parts_by_both_methods_with_their_ideals(found, tmp_path):
    data = profile_plot.bars(found)
    assert [bar.name for bar in data.bars] == ["convolution", "norm", HOST, "other operators", "optimiser"]
    convolution, host = data.bars[0], data.bars[2]
    assert (convolution.profiled, convolution.ideal) == pytest.approx((15, 12))
    assert (convolution.saved.median, convolution.saved.n) == (pytest.approx(16), 3)
    assert (host.ideal, host.saved) == (None, None)
    assert "a step of 100 images: 30 ms, at 27% of" in data.title
    figure = profile_plot.draw(data)
    (axes,) = figure.axes
    widths = sorted(patch.get_width() for patch in axes.patches)
    assert widths == pytest.approx(sorted([15, 16, 7.5, 8, 3.75, 2.25, 1.5]))
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["convolution  50%", "norm  25%"]
    save(figure, tmp_path / "parts.png")


def test_points_lie_under_the_roof(found, tmp_path):
    data = roofline_plot.points(found)
    whole, convolution = data.points
    assert (convolution.name, whole.name) == ("convolution", "whole step")
    assert convolution.intensity == pytest.approx(16.4e9 / 6e7)
    assert convolution.flops == pytest.approx(16.4e9 / 0.015)
    assert whole.flops == pytest.approx(16.4e9 / 0.030)
    assert [name for name, _ in data.speeds] == ["norm", "optimiser", "other operators"]
    assert data.speeds[0][1] == pytest.approx(4 * 5e6 / 0.0075)
    figure = roofline_plot.draw(data)
    roof = figure.axes[0].get_lines()[0]
    assert max(roof.get_ydata()) == pytest.approx(CEILINGS["convolution"] / 1e9)
    slopes = roof.get_ydata()[0] / roof.get_xdata()[0]
    assert slopes == pytest.approx(CEILINGS["bandwidth"] / 1e9)
    save(figure, tmp_path / "roofline.png")


def test_the_finding_says_what_was_measured(study, found):
    text = finding(study, found)
    assert "Recipe toy, toy data, on cpu; 5 parts in 3 s. The images are lossy copies" in text
    assert "A step of 100 images in bf16 takes 30.00 ms (3 rounds: 27.00 to 39.00; processor time" in text
    assert "**27.3% of the 2 TFLOP/s**" in text
    assert "An epoch of 50 steps takes 1.5 s; at 100% it would take 410 ms" in text
    assert "With the profiler in the way it takes 40.00 ms, +33.3%; the difference is taken off all parts" in text
    assert "| convolution | 15.00 | 50.0% | 16.00 (14.40 to 20.80) | 16.4 GFLOP | 60 MB | 12.00 | 80% |" in text
    assert "| host | 3.75 | 12.5% |  |  |  |  |  |" in text
    assert "| whole step | 30.00 | 100.0% |  | 16.4 GFLOP | 82.1 MB | 14.21 | 47% |" in text
    assert "1. **norm** loses 5.50 ms, 18% of the step: 2.67 GB/s by 4 operators of 1.88 ms" in text


def test_the_summary_names_what_takes_most_and_what_loses_most(found, tmp_path):
    assert summary(found) == (
        "A training step of 100 images takes 30.00 ms (processor time of the one thread, 27.00 to 39.00) and reaches "
        "27% of the highest speed of a product on this device. Most of it goes to convolution 50%, norm 25%, host 12%. "
        "Against what the device could do, most is lost in norm 5.50 ms (18%), host 3.75 ms (12%), convolution 3.00 ms "
        "(10%)."
    )
    assert summary(replace(found, parts=())).endswith("most is lost in no part.")


def test_methods_that_differ_are_named(tmp_path, study, found):
    assert "Of no part do profiler and ablation differ" in finding(study, found)
    apart = stored(tmp_path / "apart", factors=(1.0,), clock="device")
    assert "convolution (20.00 against 16.00 ms)" in finding(apart, step_profile(apart))


def test_a_reason_follows_from_the_numbers(found):
    parts = {part.name: part for part in found.parts}
    assert "neither memory nor arithmetic is the limit" in why(parts["norm"], found)
    assert "arithmetic" not in why(parts[HOST], found)
    assert "between 1010 of them, 3.71 us for each" in why(parts[HOST], found)
    assert "so short that starting them" in why(parts["other operators"], found)
    assert "1.09 TFLOP/s, 55% of the highest speed of a product" in why(parts["convolution"], found)
    assert "do not keep the arithmetic busy" in why(parts["convolution"], found)


def test_memory_is_named_where_it_is_the_limit(tmp_path, found):
    fast = step_profile(stored(tmp_path / "fast", factors=(0.3,)))
    norm = next(part for part in fast.parts if part.name == "norm")
    assert "89% of its ideal: memory is the limit" in why(norm, fast)


def test_products_short_of_memory_are_told_from_those_short_of_arithmetic(found):
    part = replace(found.parts[0], flop=1e9, ideal=0.006, by_memory=0.006)
    assert why(part, found).startswith("17 FLOP a byte, where 200 keep the arithmetic busy; 4 GB/s by 6 operators")


def test_a_part_of_which_nothing_is_counted(found):
    part = Part("casts", 0.001, None, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert why(part, found) == "no operator of this kind moves or computes anything"


def test_what_is_faster_than_its_ideal_loses_nothing(tmp_path):
    """Out of a cache; the host alone has no ideal to be faster than."""
    text = losses(step_profile(stored(tmp_path, factors=(1e-4,))))
    assert text.startswith("1. **host** loses 0.00 ms")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (flop(4.64e9), "4.64 GFLOP"),
        (flop(0), "0 FLOP"),
        (of_bytes(1234), "1.23 kB"),
        (time(150), "2.5 min"),
        (time(3), "3 s"),
        (time(0.0042), "4.2 ms"),
        (time(2e-5), "20 us"),
    ],
)
def test_units(shown, expected):
    assert shown == expected
