"""The batch-norm study from its tables: figures that were made, and what is said of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.batch_norm_claims import Claim, claims
from hpsearch.analysis.batch_norm_study import batch_norm_study
from hpsearch.analysis.by_seed import BySeed
from hpsearch.analysis.constant_function import growth
from hpsearch.analysis.descent_verdicts import Descent
from hpsearch.analysis.eigenvector_overlaps import Overlaps
from hpsearch.analysis.hessian_spectra import Eigenvalues
from hpsearch.analysis.output_moves import TRAINED, layer_of
from tests.analysis.batch_norm_tables_made import SPANS, growths, losses, nets, write

NORM, FROZEN, NONE = TRAINED


def study(folder, **changes):
    return batch_norm_study(write(folder, **changes))


def of(networks, name):
    (found,) = [one for one in networks if one.network == name]
    return found


def said(found):
    """Words of a claim -> whether it shows."""
    return {claim.what: claim.shows for claim in claims(found)}


def test_growth_at_initialisation_has_theory_for_the_relu_net_alone(tmp_path):
    found = study(tmp_path).growth
    deep = ["relu", "linear", "batch_norm", "frozen_batch_norm", "shift_and_scale"]
    assert [one.network for one in found] == [*deep, "recipe_without_norm", "recipe"]
    relu = of(found, "relu")
    np.testing.assert_allclose(relu.mean, growth(0.6, 50))  # seeds 0, 1, 2 are 0.9, 1 and 1.1 times as much
    np.testing.assert_allclose(relu.theory, growth(0.6, 50))
    assert relu.last.moments.std == pytest.approx(0.1 * growth(0.6, 50)[-1])
    assert relu.later.moments.mean == pytest.approx(growth(0.6, 50)[-1] / growth(0.6, 50)[24])
    assert relu.growth.values == pytest.approx(dict.fromkeys(range(3), growth(0.6, 50)[-1] / 0.6))
    assert [one.network for one in found if one.theory is not None] == ["relu"]
    assert of(found, "recipe").depth[-1] == 9


def test_moves_are_averaged_over_outputs_and_seeds(tmp_path):
    frozen = of(study(tmp_path, classes=5).moves, FROZEN)
    assert (frozen.outputs, frozen.size) == (5, 0.01)
    assert frozen.share.moments.mean == pytest.approx(0.9)
    assert frozen.share_before.moments.mean == pytest.approx(0.2)
    assert frozen.lost.moments.mean == pytest.approx(0.4)
    assert frozen.each_share.shape == (15,)


def test_gradients_are_shared_out_by_layer(tmp_path):
    found = of(study(tmp_path).gradients, NORM)
    assert list(found.layers) == ["stem.conv", "stem.norm", "stage.conv", "head.linear"]
    assert found.last_layer == "head.linear"
    assert found.last.moments.mean == pytest.approx(0.9)
    assert sum(share.moments.mean for share in found.layers.values()) == pytest.approx(1)
    assert found.layers["stem.norm"].moments.mean == pytest.approx(0.1 / 3)


def test_layers_of_tensors():
    assert [layer_of(name) for name in ("a.b.weight", "weight", "bias")] == ["a.b", "weight", "bias"]


def test_spectra_and_what_they_allow(tmp_path):
    found = study(tmp_path)
    assert [(one.network, one.outside) for one in found.spectra[:4]] == [
        (NORM, ""),
        (NORM, SPANS[0]),
        (NORM, SPANS[2]),
        (FROZEN, ""),
    ]
    norm, frozen = found.spectrum(NORM), found.spectrum(FROZEN)
    assert frozen.leading.over(norm.leading).values == pytest.approx({0: 20, 1: 20, 2: 20})
    assert frozen.highest_lr.values[1] == pytest.approx(2 / 40)
    assert (frozen.converged, frozen.computed) == (24, 24)
    gaps = frozen.gaps(4)
    assert [gap.outliers for gap in gaps.values()] == [3, 3, 3]
    assert gaps[0].ratio == pytest.approx(4, rel=1e-3) and gaps[0].ratio < 4
    outside = found.leading(FROZEN, SPANS[2]).over(found.leading(FROZEN))
    assert outside.moments.mean == pytest.approx(0.25)


def test_what_post_7_found_shows_where_it_is_made(tmp_path):
    found = claims(study(tmp_path))
    assert len(found) == 23
    assert {claim.shows for claim in found} == {True}
    assert [claim.part for claim in found] == sorted(claim.part for claim in found)


CHANGES = {
    "with batch norm the largest eigenvalue is at least 5 times below that with frozen batch norm": (
        FROZEN,
        {"leading": 9},
    ),
    "with batch norm a small move does not make the output nearly constant": (NORM, {"share": 0.6}),
    "with frozen batch norm a small move makes the output nearly constant": (FROZEN, {"share": 0.4}),
    "without norm the move costs more accuracy than with batch norm": (NONE, {"accuracy": 0.65}),
    "with batch norm the gradient lies in the last layer": (NORM, {"last": 0.4}),
    "without norm the gradient is spread over the layers": (NONE, {"last": 0.7}),
    "with frozen batch norm about as many eigenvalues as there are classes, or one fewer, stand out": (
        FROZEN,
        {"outliers": 1, "left": 0.22},
    ),
    "without norm the leading eigenvectors lie in the span of gradients of output means, variances and skews": (
        NONE,
        {"overlap": 0.8},
    ),
    "with frozen batch norm as many eigenvalues as there are classes, or one fewer, are above all outside of it": (
        FROZEN,
        {"gap": 2.0, "left": 0.3},
    ),
    "with frozen batch norm at most half of the largest eigenvalue is left outside of that span": (
        FROZEN,
        {"left": 0.6},
    ),
    "without norm the largest eigenvalue outside of that span is still above the one with batch norm": (
        NONE,
        {"left": 0.06},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_claim_fails_alone_where_it_should(tmp_path, what):
    network, figures = CHANGES[what]
    found = said(study(tmp_path, made=nets(**{network: figures})))
    assert [words for words, shows in found.items() if shows is False] == [what]


def test_a_network_whose_mean_outgrows_its_spread_is_found(tmp_path):
    ratios = growths()
    ratios["linear"], ratios["relu"] = ratios["relu"], ratios["linear"]
    found = said(study(tmp_path, ratios=ratios))
    assert [what for what, shows in found.items() if shows is False] == [
        "in a deep ReLU network the mean outgrows the spread",
        "in a deep linear network the mean stays below the spread",
    ]


def test_a_claim_counts_the_seeds_in_which_it_holds():
    claim = Claim(1, "", "", BySeed({0: 1.0, 1: 2.0, 2: math.nan}), low=2.0, high=3.0)
    assert (claim.holds, claim.of, claim.shows) == (1, 2, False)
    assert Claim(1, "", "", BySeed({0: math.inf}), low=2.0).shows is None


def test_verdicts_that_contradict_the_eigenvalue(tmp_path):
    found = study(tmp_path, made=nets(no_norm={"factors": {0.5: True, 1.0: True, 2.0: False}}))
    wrong = [(one.network, one.factor, one.seed) for one in found.descents if one.contradicts]
    assert wrong == [(NONE, factor, seed) for factor in (0.5, 2.0) for seed in range(3)]
    grown = of([one for one in found.descents if one.factor == 2.0 and one.seed == 0], NORM)
    assert (grown.diverged, grown.rise, grown.should_grow) == (True, 299.0, True)
    assert len(grown.losses) == len(losses(True))


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=12))
def test_the_rise_of_a_descent_is_the_highest_climb(found):
    climbs = [later - earlier for place, earlier in enumerate(found) for later in found[place:]]
    one = Descent(NORM, 0, 2.0, 0.1, np.array([*found, math.nan]), grows=True, ended_early=True)
    assert one.rise == pytest.approx(max(climbs) / found[0])


def test_eigenvalues_above_all_those_outside_of_a_span_are_counted(tmp_path):
    found = study(tmp_path, made=nets(no_norm={"left": 0.95}))
    assert found.outliers(FROZEN).values == dict.fromkeys(range(3), 3)
    assert found.outliers(FROZEN, SPANS[0]).values == dict.fromkeys(range(3), 3)
    assert found.outliers(NONE).values == dict.fromkeys(range(3), 1)
    assert study(tmp_path / "none", made=()).outliers(NORM).values == {}


def test_where_all_eigenvalues_are_above_their_number_is_not_known(tmp_path):
    found = study(tmp_path, made=nets(frozen_batch_norm={"left": 0.05}))
    assert found.outliers(FROZEN).values == dict.fromkeys(range(3), math.inf)
    what = "with frozen batch norm as many eigenvalues as there are classes, or one fewer, are above all outside of it"
    assert said(found)[what] is None
    assert said(study(tmp_path / "one", made=nets(frozen_batch_norm={"left": 0.9})))[what] is False


def test_eigenvalues_that_have_not_converged_tell_no_gap(tmp_path):
    frozen = study(tmp_path, made=nets(frozen_batch_norm={"unconverged": 4})).spectrum(FROZEN)
    assert frozen.gaps(4) == {}
    assert (frozen.converged, frozen.computed) == (12, 24)
    assert frozen.worst_residual == pytest.approx(0.2 / 0.9)


@given(st.integers(2, 12), st.data())
def test_the_gap_is_found_wherever_it_is(classes, data):
    outliers = data.draw(st.integers(1, classes + 1))
    ratios = np.array(data.draw(st.lists(st.floats(1, 2.9), min_size=classes + 5, max_size=classes + 5)))
    ratios[outliers - 1] = 3
    ratios[classes + 1 :] = 50  # beyond the values that are looked at
    values = 1 / np.concatenate([[1], np.cumprod(ratios)])
    gap = Eigenvalues(values, 0 * values, values > 0).gap(classes)
    assert gap.outliers == outliers
    assert gap.ratio == pytest.approx(3)
    unsure = gap.ratio * values[classes + 1] * (np.arange(len(values)) == classes + 1)  # of the last one looked at
    assert Eigenvalues(values, unsure, values > 0).gap(classes).outliers <= classes
    negative = np.where(np.arange(len(values)) < classes, values, -values)
    assert Eigenvalues(negative, 0 * values, values > 0).gap(classes) is None


def test_only_what_is_stored_is_said(tmp_path):
    assert all(claim.shows is None for claim in claims(study(tmp_path / "none", made=(), ratios={})))
    early = study(tmp_path / "early", made=(), seeds=(4,))
    assert early.moves == early.spectra == () and early.classes is None
    assert [claim.part for claim in claims(early) if claim.shows is not None] == [1] * 5
    one = study(tmp_path / "one", made=nets()[1:2], ratios={}, seeds=(4,))
    assert one.spectrum(NORM) is None and one.leading(NORM).moments is None
    measured = [claim for claim in claims(one) if claim.shows is not None]
    assert measured and all("frozen" in claim.what for claim in measured)


def test_figures_of_seeds():
    ours, theirs = BySeed({0: 4.0, 1: math.nan, 2: 6.0, 3: 1.0}), BySeed({0: 2.0, 1: 1.0, 2: 0.0})
    assert ours.over(theirs).values == {0: 2.0}
    assert ours.minus(theirs).values == {0: 2.0, 2: 6.0}
    assert (ours.moments.n, ours.moments.mean) == (3, pytest.approx(11 / 3))
    assert BySeed({0: math.inf}).moments is None
    assert BySeed({0: 1.0}).moments.std is None


def test_overlaps_are_averaged_over_one_eigenvector_less_than_there_are_classes():
    one = Overlaps(NORM, SPANS[0], 4, 0.0, {0: np.array([1.0, 0.5, 0.0, 0.0])})
    assert [one.mean(classes).values[0] for classes in (3, 4, None)] == [0.75, 0.5, 0.375]
