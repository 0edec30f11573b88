"""Pictures and text of the batch-norm study: what they show is what the tables hold, however little that is."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from hpsearch.analysis.batch_norm_study import batch_norm_study
from hpsearch.analysis.by_seed import BySeed
from hpsearch.errors import StudyError
from hpsearch.report import (
    constant_function_plot,
    descent_plot,
    gradient_share_plot,
    overlap_plot,
    perturbation_plot,
    spectrum_plot,
)
from hpsearch.report.batch_norm_look import COLOURS, TRAINED
from hpsearch.report.batch_norm_text import finding, summary
from hpsearch.report.markdown import percent, spread, table
from hpsearch.report.style import save
from tests.analysis.batch_norm_tables_made import ABOUT, SPANS, growths, nets, write

PICTURES = {
    "constant_function": (constant_function_plot.layers, constant_function_plot.draw),
    "perturbation": (perturbation_plot.moved, perturbation_plot.draw),
    "gradient_share": (gradient_share_plot.shares, gradient_share_plot.draw),
    "spectrum": (spectrum_plot.spectra, spectrum_plot.draw),
    "overlap": (overlap_plot.panels, overlap_plot.draw),
    "descent": (descent_plot.descents, descent_plot.draw),
}
NETWORKS = ["batch norm", "frozen batch norm", "no norm"]


def study(folder, **changes):
    return batch_norm_study(write(folder, **changes))


def drawn(found, name):
    data, draw = PICTURES[name]
    return draw(data(found))


def lines(axes, network):
    """The lines of a network's colour, as (x, y)."""
    of = [line for line in axes.get_lines() if to_hex(line.get_color()) == COLOURS[network].lower()]
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata(), dtype=float)) for line in of]


def rows(text, title):
    """The rows of all tables of a section, as lists of cells."""
    (section,) = [part for part in text.split("\n## ") if part.startswith(title)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_becomes_a_file(tmp_path, name):
    save(drawn(study(tmp_path), name), tmp_path / f"{name}.png")


def test_growth_is_drawn_beside_theory(tmp_path):
    deep, recipe = drawn(study(tmp_path), "constant_function").axes
    assert [text.get_text() for text in deep.get_legend().get_texts()][:2] == ["ReLU, no norm", "ReLU, theory"]
    x, y = lines(deep, "relu")[-1]
    np.testing.assert_array_equal(x, np.arange(1, 51))
    np.testing.assert_allclose(y, growths()["relu"])
    assert deep.get_yscale() == "log" and "50 layers; 3 seeds" in deep.get_title(loc="left")
    assert [len(x) for x, _ in lines(recipe, "recipe")] == [9] * 4  # three seeds and their mean


def test_moves_are_points_between_before_and_after(tmp_path):
    figure = drawn(study(tmp_path, classes=5), "perturbation")
    accuracy, share = figure.axes
    points, mean = lines(share, "frozen_batch_norm")
    assert len(points[0]) == 15 and mean[1] == pytest.approx([0.9, 0.9])
    assert lines(accuracy, "no_norm")[-1][1] == pytest.approx([0.35, 0.35])
    assert [label.get_text() for label in share.get_xticklabels()] == NETWORKS
    assert "by 1% of their length" in figure.get_suptitle() and "5 outputs, 3 seeds" in figure.get_suptitle()


def test_layers_stand_from_input_to_output(tmp_path):
    figure = drawn(study(tmp_path), "gradient_share")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "stem.conv",
        "stem.norm",
        "stage.conv",
        "head.linear",
    ]
    low, high = axes.get_ylim()
    assert low > high  # the first layer is on top
    means = [(x[0], y[0]) for x, y in lines(axes, "batch_norm") if len(x) == 1]
    assert means[-1] == (pytest.approx(0.9), 3)
    assert legend(figure) == NETWORKS


def test_eigenvalues_that_have_not_converged_are_hollow(tmp_path):
    figure = drawn(study(tmp_path, made=nets(batch_norm={"unconverged": 3})), "spectrum")
    left, right = figure.axes
    hollow = [line for line in left.get_lines() if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in hollow] == [[6, 7, 8]] * 3
    assert legend(figure) == [*NETWORKS, "not sure"]
    largest = lines(right, "frozen_batch_norm")[3]  # of the second seed, the points after the line
    assert largest[1] == pytest.approx([40, 40 * 0.625, 10])
    assert legend(drawn(study(tmp_path / "all"), "spectrum")) == NETWORKS


def test_eigenvalues_below_zero_are_left_out(tmp_path):
    made = write(tmp_path)
    table = made.table("eigenvalues")
    negative = table.assign(value=-table["value"]).to_dict("records")
    for part in list(made.parts):
        if "init" not in part:
            key = part.rsplit("-", 1)
            own = [row for row in negative if (row["network"], row["seed"]) == (key[0], int(key[1]))]
            made.put(part, {"eigenvalues": own}, {})
    found = batch_norm_study(made)
    save(drawn(found, "spectrum"), tmp_path / "none.png")
    assert found.leading("no_norm").moments.mean < 0
    assert rows(finding(found), "3.")[2][3] == "-"


def test_each_span_has_a_panel_with_what_chance_would_give(tmp_path):
    figure = drawn(study(tmp_path), "overlap")
    assert [axes.get_title(loc="left").splitlines()[0] for axes in figure.axes] == list(SPANS)
    assert lines(figure.axes[2], "no_norm")[0][1] == pytest.approx(np.full(8, 0.95))
    assert legend(figure)[-1] == "a random direction"


def test_descents_end_in_a_cross_where_they_diverged(tmp_path):
    figure = drawn(study(tmp_path), "descent")
    assert [axes.get_title(loc="left") for axes in figure.axes] == NETWORKS
    crosses = [line for line in figure.axes[0].get_lines() if line.get_marker() == "x"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(3, 300)] * 3
    assert legend(figure) == ["at 0.5", "at 2", "given up: diverged"]
    assert figure.axes[0].get_yscale() == "log"
    made = nets(**{name: {"factors": {0.5: False}} for name in TRAINED})
    calm = drawn(study(tmp_path / "calm", made=made), "descent")
    assert calm.axes[0].get_yscale() == "linear"


def test_what_is_not_stored_has_no_picture(tmp_path):
    nothing = study(tmp_path, made=(), ratios={})
    for data, _ in PICTURES.values():
        with pytest.raises(StudyError, match="there is no picture: the study has no"):
            data(nothing)


def test_the_finding_says_where_and_how_it_was_measured(tmp_path):
    text = finding(study(tmp_path))
    for words in ("Recipe made, made_images, on cpu", "made processor, 2 threads", "python 3.11.7, torch 2.13.0"):
        assert words in text
    assert "12 parts in 144 s" in text and "lossy" not in text
    assert "512 fixed images in batches of 256" in text
    lossy = finding(study(tmp_path / "lossy", about={**ABOUT, "lossy": True}))
    assert "The images are lossy copies" in lossy


def test_the_figures_of_the_finding_are_those_of_the_tables(tmp_path):
    text = finding(study(tmp_path))
    assert ["ReLU, no norm", "50", "0.6 +- 0.06"] in [row[:3] for row in rows(text, "1.")]
    assert ["frozen batch norm", "70.0%", "30.0%", "25.0%", "90.0%", "3"] in rows(text, "2.")
    assert ["no norm", "head.linear", "10.0%"] in [row[:3] for row in rows(text, "2.")]
    curvature = rows(text, "3.")
    assert ["frozen batch norm", "40 +- 4", "20", "0.0503 +- 0.0051", "24 of 24"] in [row[:5] for row in curvature]
    assert ["no norm", "2", "yes", "3 of 3", "299, given up"] in curvature
    assert "frozen batch norm, after 3, 3, 3 by a factor of at least 4, 4, 4 (seed 0, 1, 2)" in text
    span = rows(text, "4.")
    assert ["frozen batch norm", SPANS[2], "12", "98.0%", "0.10%", "3"] in span
    assert ["frozen batch norm", SPANS[2], "10 +- 1", "0.25", "5", "3", "24 of 24", "3"] in span


def test_what_holds_and_what_does_not_is_said_with_its_bound(tmp_path):
    good = finding(study(tmp_path / "good"))
    assert "Of 23 claims of post 7 that could be tried, 23 hold in all 3 seeds." in good
    assert "**" not in good and "Not measured" not in good
    assert "no network is near guessing, every eigenvalue has converged" in good
    changes = {"frozen_batch_norm": {"leading": 7.0, "unconverged": 8}, "no_norm": {"factors": {0.5: True, 2.0: True}}}
    bad = finding(study(tmp_path / "bad", made=nets(**changes)))
    what = "with batch norm the largest eigenvalue is at least 5 times below that with frozen batch norm"
    held = rows(bad, "What post 7")[2:]
    assert what in bad.split("Not measured")[1]  # by eigenvalues that have not converged nothing is decided
    low = finding(study(tmp_path / "low", made=nets(frozen_batch_norm={"leading": 7.0})))
    assert ["3", what, "ratio", "3.5", "at least 5", "**0 of 3 seeds**"] in rows(low, "What post 7")[2:]
    assert len(held) == len([row for row in held if "**" not in row[-1]]) + bad.count("**") / 2
    doubts = bad.split("## What is not sure")[1]
    assert doubts.count("it grows, though this should be stable") == 3
    assert "24 of 24 eigenvalues with frozen batch norm have not converged: residuals up to 0.22" in doubts
    assert "in seed 0, 1, 2 the largest one is among them" in doubts
    assert "one fewer, stand out" in doubts.split("Not measured")[1]


def test_the_summary_says_each_part_in_a_sentence(tmp_path):
    last = growths()["relu"][-1]
    assert summary(study(tmp_path)) == (
        f"At initialisation the mean of a channel is {last:.3g} +- {0.1 * last:.2g} times its spread after 50 ReLU "
        "layers, and 0.7 +- 0.07 times with batch norm. Moving the weights by 1% of their length towards one class "
        "makes the network take so many of all images for that class: 30.0% with batch norm, 90.0% with frozen batch "
        "norm, 80.0% without norm. The largest curvature, which bounds a stable learning rate, is 2 +- 0.2 with batch "
        "norm, 20 times that with frozen batch norm, 15 times that without norm. Of 23 claims of post 7 that could be "
        "tried, 23 hold in all 3 seeds."
    )
    doubtful = summary(study(tmp_path / "doubtful", made=nets(frozen_batch_norm={"unconverged": 8})))
    assert doubtful.endswith(
        "Not all of this is sure, for eigenvalues that have not converged: the finding says which."
    )
    single = summary(study(tmp_path / "single", seeds=(5,), made=nets()[:1], ratios={}))
    assert single.startswith("Moving the weights") and single.endswith("hold in the one seed.")
    assert "bounds a stable learning rate, is 2.8 with batch norm. Of" in single
    assert summary(study(tmp_path / "nothing", made=(), ratios={})) == "Nothing has been computed yet."


def test_eigenvalues_that_may_go_on_are_not_counted_as_if_they_ended(tmp_path):
    text = finding(study(tmp_path, made=nets(frozen_batch_norm={"left": 0.05})))
    cells = {(row[0], row[1]): row[5] for row in rows(text, "4.") if len(row) == 8}
    assert cells[("frozen batch norm", SPANS[2])] == "all computed"
    assert cells[("frozen batch norm", SPANS[0])] == cells[("batch norm", SPANS[2])] == "3"


def test_a_network_that_has_hardly_learnt_is_named(tmp_path):
    made = write(tmp_path, seeds=(0, 1), classes=3)  # ln 3 is 1.0986, and the loss that is made 1.1
    assert "without norm, seed 0, 1, has hardly learnt: its loss is near ln 3." in finding(batch_norm_study(made))
    assert "hardly" not in finding(study(tmp_path / "more", classes=5))


def test_an_unfinished_study_gives_the_finding_so_far(tmp_path):
    nothing = finding(study(tmp_path / "nothing", made=(), ratios={}))
    assert nothing.count("This part has not been computed yet.") == 5
    assert "Not trained yet: batch norm, frozen batch norm, no norm." in nothing
    early = finding(study(tmp_path / "early", made=(), seeds=(4,)))
    assert early.count("This part has not been computed yet.") == 3 and "no network is near" not in early
    assert "Of 5 claims" in early
    one = finding(study(tmp_path / "one", made=nets()[1:2], ratios={}, seeds=(4,)))
    assert "Not trained yet: batch norm, no norm." in one and "+- is" in one
    assert ["frozen batch norm", "52", "-"] in [row[:3] for row in rows(one, "3.")]


def test_seeds_may_differ_in_number(tmp_path):
    write(tmp_path, seeds=(0, 1, 2), made=nets()[:1])
    found = study(tmp_path, seeds=(0,), made=nets()[1:])
    text = finding(found)
    assert [row[-1] for row in rows(text, "2.")[2:5]] == ["3", "1", "1"]
    for name in PICTURES:
        save(drawn(found, name), tmp_path / f"{name}.png")


def test_figures_and_tables_in_markdown():
    assert spread(BySeed({0: 1.0, 1: 2.0})) == "1.5 +- 0.71"
    assert spread(BySeed({0: 0.1 + 0.2, 1: 0.3})) == spread(BySeed({5: 0.3})) == "0.3"
    assert percent(BySeed({0: 0.5, 1: 0.7})) == "60.0% +- 14.1%"
    assert spread(BySeed({0: float("nan")})) == spread(BySeed({})) == "-"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert table(("|w|",), []) == "| \\|w\\| |\n| --- |"
