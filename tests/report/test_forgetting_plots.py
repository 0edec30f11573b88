"""The pictures and the text of the study of forgetting: their data, and that they are drawn and said as they are."""

import math

import numpy as np
import pytest

from hpsearch.analysis.curvature_limit import curvature_limit
from hpsearch.errors import StudyError
from hpsearch.report import forgetting_plot, lr_scan_plot
from hpsearch.report.forgetting_text import replay_blocks, summary
from hpsearch.report.lr_scan_text import scan_blocks, verdict
from hpsearch.report.style import save
from hpsearch.trial import Status
from tests.analysis import test_curvature_limit as scans
from tests.analysis import test_forgetting_curve as curves

RATES = scans.RATES


def limited(rate, lr):
    return scans.valley(rate) + 0.5 * (lr > 1)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return curves.study(tmp_path_factory.mktemp("forgetting"))


@pytest.fixture(scope="module")
def limit():
    return curvature_limit(scans.scan(limited))


def test_the_scan_is_drawn_in_both_coordinates_with_its_ends(limit, tmp_path):
    data = lr_scan_plot.panels(limit)
    figure = lr_scan_plot.draw(data)
    left, right, accuracy, _ = figure.axes
    assert [axes.get_xscale() for axes in (left, right)] == ["log", "log"]
    for place, line in enumerate(data.lines):
        means = [point.loss.mean for point in line.points]
        for axes, name in ((left, "rate"), (right, "lr")):
            drawn = axes.containers[place].lines[0]
            np.testing.assert_allclose(drawn.get_xdata(orig=False), [getattr(point, name) for point in line.points])
            np.testing.assert_allclose(drawn.get_ydata(orig=False), means)
        np.testing.assert_allclose(
            accuracy.containers[place].lines[0].get_ydata(orig=False), [1 - mean / 3 for mean in means], atol=0.01
        )
    ends = {line.end.lr for line in data.lines if line.end}
    verticals = {line.get_xdata()[0] for line in right.get_lines() if line.get_linestyle() == ":"}
    assert verticals == ends and len(ends) == 1
    save(figure, tmp_path / "scan.png")


def test_what_is_far_off_or_diverged_is_marked_at_the_edge(tmp_path):
    trials = list(scans.scan(lambda rate, lr: 1 + 50 * (lr > 3)).history)
    trials.append(scans.trial(99, 256, RATES[2], math.nan, Status.DIVERGED))
    data = lr_scan_plot.panels(curvature_limit(scans.study(trials)))
    assert data.top == pytest.approx(2.5, rel=0.05)
    figure = lr_scan_plot.draw(data)
    marks = [line.get_marker() for line in figure.axes[0].get_lines() if len(line.get_xdata())]
    assert marks.count("x") == 1 and marks.count("^") == sum(
        point.loss.mean > 3 for line in data.lines for point in line.points
    )
    save(figure, tmp_path / "scan.svg")
    lost = [scans.trial(n, size, RATES[0], math.nan, Status.DIVERGED) for n, size in enumerate((128, 256))]
    with pytest.raises(StudyError, match="every training of the search diverged"):
        lr_scan_plot.panels(curvature_limit(scans.study(lost)))


def test_every_condition_has_a_panel_and_only_a_curve_that_is_shown(found, tmp_path):
    rows = forgetting_plot.panels(found)
    assert [len(row) for row in rows] == [2, 2]
    for row, forgets in zip(rows, (False, True), strict=True):
        for panel in row:
            assert (panel.curve is not None) == (panel.plain is not None) == forgets
            assert ("forgets, T 2" in panel.title) == forgets and ("flat" in panel.title) != forgets
            assert panel.unseen == 1.0 and set(panel.marks) == set(forgetting_plot.MARKS)
    own = rows[1][0]
    fit = found.conditions[2].fit
    youngest = fit.adjusted[fit.replays.age < own.middle[0] + 0.5 + (own.middle[1] - own.middle[0]) / 2]
    assert own.mean[0] == pytest.approx(youngest.mean())
    assert own.error[0] == pytest.approx(youngest.std(ddof=1) / math.sqrt(len(youngest)))
    np.testing.assert_allclose(own.plain, found.conditions[2].plain.curve(own.age))
    figure = forgetting_plot.draw(rows)
    dashed = [line for line in figure.axes[2].get_lines() if line.get_color() == forgetting_plot.ORANGE]
    assert [line.get_linestyle() for line in dashed] == ["-", "--"]
    np.testing.assert_allclose(dashed[1].get_ydata(), own.plain)
    spans = [np.ptp(axes.get_ylim()) for axes in figure.axes]
    assert spans == pytest.approx([spans[0]] * 4)
    save(figure, tmp_path / "forgetting.png")


def test_without_any_replay_there_is_no_picture(tmp_path):
    nothing = curves.study(tmp_path, seeds=1, lost=(0,))
    assert len(forgetting_plot.panels(nothing)) == 1, "the low learning rate is left"
    with pytest.raises(StudyError, match="there is no picture"):
        forgetting_plot.panels(type(nothing)(nothing.conditions[2:], ()))


def test_the_text_of_the_scan_says_what_is_limited(limit):
    text = "\n".join(scan_blocks(limit))
    assert "| batch size | rate 0.001 | rate 0.002 |" in text
    first = limit.of(1024)[-1]
    assert f"{first.loss.mean:.3f}+ (lr 6.55" in text
    assert "the step itself is what is limited, as curvature predicts" in text
    assert "| 1024 | 0.819 | 0.008 | 1.64 | 0.016 | +0.5" in text


def test_the_verdict_follows_the_numbers():
    flat = curvature_limit(scans.scan(lambda rate, lr: 1.0, noise=1e-6, runs=2))
    assert not flat.found and verdict(flat).endswith(
        "256, 512, 1024 are not shown to leave the smallest: curvature is not seen."
    )
    together = curvature_limit(scans.scan(lambda rate, lr: 1.0 + (rate > 0.01) * math.log2(lr / rate / 12.8)))
    assert "not what curvature predicts" in verdict(together)
    two = curvature_limit(scans.scan(limited, sizes=(128, 512)))
    assert verdict(two).startswith("Only batches of 512 can be compared: one size cannot tell")
    single = curvature_limit(scans.scan(limited, runs=1))
    assert "without repeats nothing is shown" in "\n".join(scan_blocks(single))
    assert verdict(single).endswith("leave the smallest: without repeats only a diverged run would show it.")


def test_batch_sizes_with_too_few_steps_are_named_and_left_out_of_the_verdict():
    trials = scans.scan(limited).history
    text = "\n".join(scan_blocks(curvature_limit(scans.study(trials, examples=10_000, epochs=3))))
    assert "With batches of 1024 a run has 30 steps, less than 4 times the 10 in which the momentum" in text
    assert "fits the ends of the flat region of batches of 256, 512, and" in text
    none = curvature_limit(scans.study(trials, examples=10_000, epochs=0.5))
    assert verdict(none) == "No batch size beside the smallest has steps enough to be compared with it."


def test_the_text_of_the_replays_names_a_timescale_only_where_there_is_one(found, tmp_path):
    text = "\n".join(replay_blocks(found))
    flat, high = found.conditions[0], found.conditions[2]
    assert f"| 0.1 | full | none: flat (p = {flat.fit.chance:.2g}) | none: flat" in text
    worse = high.plain.squares / high.fit.squares - 1
    assert worse > 0 and f"| 1.6 | full | {forgetting_plot.timescale(high.fit)} |" in text
    assert f" steps | +{worse:.1%} | 10 | 20 | the decay |" in text
    rise = f"{high.fit.rise:+.3f} ({high.fit.rise_interval.low:+.3f} to {high.fit.rise_interval.high:+.3f})"
    assert f"| 1.00 | {rise} | 0.001 |".replace("1.00", "1.000") in text
    assert "At lr 0.1 half the images change val_loss by +0.200 (+0.177 to +0.223), which by 3 and 3 runs is" in text
    lost = "\n".join(replay_blocks(curves.study(tmp_path, lost=(0, 1, 2))))
    assert "| 1.6 | full | 0 of 3 | 80 | - |" in lost and "| 1.6 | half | 10 | 400 | diverged |" in lost


def test_the_summary_says_where_age_matters_and_which_form_fits(limit, found, tmp_path):
    rises = ", ".join(f"{one.better.rise:+.3f} nat ({one.name})" for one in found.conditions)
    assert summary(limit, found) == (
        f"{verdict(limit)} Loss of frozen networks on the oldest third of their last epoch less that on the youngest: "
        f"{rises}. That age matters is shown in 2 of 4 cases. A plain exponential fits better than a curve with the "
        "momentum's part in 0 of these."
    )
    nothing = curves.study(tmp_path, lost=(0, 1, 2))
    assert "shown in 0 of 2 cases." in summary(limit, nothing)
    assert summary(limit, type(nothing)(nothing.conditions[2:], ())) == verdict(limit)
