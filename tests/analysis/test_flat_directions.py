"""Flat directions on surfaces that are known exactly, with noise, and on the shipped studies."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hpsearch.analysis.flat_axes import Places, coordinate_directions
from hpsearch.analysis.flat_claims import LAWS, Verdict, verdict_of
from hpsearch.analysis.flat_directions import flatness
from hpsearch.analysis.flat_pairs import pairs
from hpsearch.analysis.flat_window import Neighbourhood
from hpsearch.analysis.quadratic import Estimate, Quadratic, curvature
from hpsearch.cli.plan import with_coordinates
from hpsearch.errors import StudyError
from hpsearch.report.flatness_plot import panels
from hpsearch.space.translation import Translation
from hpsearch.store.reader import list_studies, open_study
from hpsearch.trial import Status
from tests.analysis.flat_studies import COORDINATES, drawn, grid, of_configs, study, without
from tests.cli.command import ROOT

REFERENCE = ROOT / "results" / "reference"
HOLDS, FAILS, OPEN = Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN


def rate_only(z):
    """Only lr / (batch size (1 - momentum)) matters, so that the first two claims are exact."""
    return 0.05 * (z[:, 0] - z[:, 2] - z[:, 3]) ** 2


def product_only(z):
    """Only lr * weight_decay and, each on its own, batch size and momentum."""
    return 0.05 * (z[:, 0] + z[:, 1]) ** 2 + 0.03 * (z[:, 2] ** 2 + z[:, 3] ** 2)


def each_on_its_own(z):
    return 0.05 * (z**2).sum(axis=1)


def verdicts(found):
    return [claim.verdict for claim in found.claims]


def studies(loss, n, noise, number, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(number):
        z = drawn(rng, n)
        yield study(z, 1 + loss(z) + rng.normal(0, noise, n))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(rate_only, [HOLDS, HOLDS, FAILS]), (product_only, [FAILS, FAILS, HOLDS]), (each_on_its_own, [FAILS] * 3)],
)
def test_what_is_so_is_found_nearly_always_and_the_contrary_hardly_ever(loss, expected):
    """60 studies of 60 trials, noise a quarter of what a move across costs at two octaves."""
    found = [verdicts(flatness(one)) for one in studies(loss, 60, 0.05, 60)]
    for got, truth in zip(zip(*found, strict=True), expected, strict=True):
        assert got.count(truth) > 50 and got.count(FAILS if truth is HOLDS else HOLDS) <= 2


def test_with_few_trials_and_much_noise_it_stays_open():
    found = [verdict for one in studies(rate_only, 20, 0.5, 40) for verdict in verdicts(flatness(one))]
    assert found.count(OPEN) > 0.9 * len(found)


def surfaces(n, noise, number, share):
    """Surfaces around the best of noisy trials, and what they would be with the trials of the lowest losses."""
    rng = np.random.default_rng(1)
    for _ in range(number):
        z = drawn(rng, n)
        losses = product_only(z) + rng.normal(0, noise, n)
        places = Places(z, losses, np.zeros(4), (n,) * 4, (), np.zeros(n, dtype=int), 0)
        lucky = np.argsort(losses)[: round(share * n)]
        yield Neighbourhood.of(places, share).surface, Quadratic.fit(z[lucky], losses[lucky])


def test_the_intervals_cover_at_their_rate_although_the_window_is_chosen_by_the_losses():
    """600 studies, 6 moves: cover of the curvatures 95% +- 2, no bias. The lowest losses would flatten the surface."""
    covered, values = [], []
    steps = [step for law in LAWS for step in law.moves[:2]]
    truths = [product_only(np.array([step, -step])).sum() for step in steps]
    for chosen, lucky in surfaces(100, 0.1, 600, 0.5):
        bends = [chosen.estimate(curvature(step)) for step in steps]
        covered += [bend.low <= truth <= bend.high for bend, truth in zip(bends, truths, strict=True)]
        values.append([(one.estimate(curvature(steps[0])).value) / truths[0] for one in (chosen, lucky)])
    assert abs(np.mean(covered) - 0.95) < 0.02
    ours, flattened = np.mean(values, axis=0)
    assert abs(ours - 1) < 0.03 and flattened < 0.85


@pytest.mark.parametrize("loss", [rate_only, product_only])
def test_raw_values_and_coordinates_are_one_surface(loss):
    """A study searched in rate and tau: the same trials, verdicts, curvatures; against a fit in log rate, log tau."""
    rng = np.random.default_rng(3)
    raw = study(z := drawn(rng, 40), losses := loss(z) + rng.normal(0, 0.1, 40))
    of = [Translation.of(raw.space).quantities(trial.config) for trial in raw.history]
    names = ("rate", "tau", "batch_size", "momentum")
    other = of_configs([{name: getattr(one, name) for name in names} for one in of], losses)
    one, two = flatness(raw, window=1), flatness(other, window=1)
    assert verdicts(one) == verdicts(two) and one.best == pytest.approx(two.best)
    logs = np.log2([[one.rate, one.tau, one.batch_size, 1 - one.momentum] for one in of])
    i, j = np.triu_indices(4)
    fit, *_ = np.linalg.lstsq(np.column_stack([np.ones(40), logs, logs[:, i] * logs[:, j]]), losses)
    for name, square in zip(("rate", "tau", "batch_size", "1 - momentum"), fit[5:][i == j], strict=True):
        assert one.curvatures["coordinates"][name].value == pytest.approx(2 * square, abs=1e-7)
        assert two.curvatures["coordinates"][name].value == pytest.approx(2 * square, abs=1e-7)
    along = [claim.along.curvature.value for claim in one.claims]
    assert along[:2] == pytest.approx(
        [one.curvatures["coordinates"][name].value for name in ("batch_size", "1 - momentum")]
    )


def test_the_coordinates_of_both_optimizers():
    sgd, adamw = coordinate_directions("sgd"), coordinate_directions("adamw")
    expected = {"rate": [1, -1, 0, 0], "tau": [0, -1, 0, 0], "batch_size": [1, 0, 1, 0], "1 - momentum": [1, 0, 0, 1]}
    assert {name: list(np.round(move, 9)) for name, move in sgd.items()} == expected
    expected |= {"batch_size": [0.5, 0.5, 1, 0], "1 - momentum": [0, 0, 0, 1]}
    assert {name: list(np.round(move, 9)) for name, move in adamw.items()} == expected


def test_the_moves_hold_what_the_claims_hold():
    lr, decay, batch, room = np.eye(4)
    for law, held in zip(LAWS, (lr - batch, lr - room, lr + decay), strict=True):
        along, across, kept = law.moves
        assert along @ held == 0 and abs(across @ held) == 2 and kept[0] == 0
        assert along @ along == across @ across and list((along + across) / 2) == list(kept)


def test_a_move_costs_what_the_surface_says_each_way_that_there_is_room_for():
    """Both ways together are the curvature; from near a bound the only way inwards counts, with its slope."""
    rng = np.random.default_rng(12)
    z = drawn(rng, 200)
    z = z[z[:, 2] > 0.5]  # the least of the batch sizes is above the best one
    losses = 1 + product_only(z) + 0.03 * z[:, 1]
    found = flatness(study(z, losses), window=1)
    near, best = found.near, found.near.best
    for claim, ways in zip(found.claims, ({1}, {1, -1}, {1, -1}), strict=True):
        for move in (claim.along, claim.across, claim.kept):
            here, forward, back = near.surface.at(np.array([best, best + move.step, best - move.step]))
            expected = {1: forward - here, -1: back - here}
            assert {way: one.value for way, one in move.ways.items()} == pytest.approx(
                {way: expected[way] for way in ways}
            )
            assert move.cost.value == pytest.approx(np.mean([expected[way] for way in ways]))
            assert move.curvature.value == pytest.approx(forward + back - 2 * here)


def test_an_accuracy_is_worse_where_it_is_lower():
    rng = np.random.default_rng(4)
    z = drawn(rng, 60)
    losses = product_only(z) + rng.normal(0, 0.05, 60)
    one, other = flatness(study(z, losses)), flatness(study(z, -losses, mode="max"))
    assert [claim.to_json() for claim in one.claims] == [claim.to_json() for claim in other.claims]


def test_only_whole_runs_count_and_the_others_are_told():
    rng = np.random.default_rng(5)
    z = drawn(rng, 60)
    lost = {3: Status.DIVERGED, 5: Status.FAILED, 9: Status.DIVERGED, 11: Status.STOPPED}
    losses = product_only(z) + rng.normal(0, 0.05, 60)
    some = flatness(study(z, np.where(np.isin(range(60), [*lost]), 1e6, losses), statuses=lost))
    assert some.left_out == {"diverged": 2, "failed": 1, "stopped": 1} and len(some.places.losses) == 56
    rest = [number for number in range(60) if number not in lost]
    assert some.claims[0].to_json() == flatness(study(z[rest], losses[rest])).claims[0].to_json()


def test_a_decay_of_0_has_no_place_and_repeats_are_rows():
    rng = np.random.default_rng(6)
    z = drawn(rng, 40)
    whole = study(np.repeat(z, 2, axis=0), product_only(np.repeat(z, 2, axis=0)) + rng.normal(0, 0.05, 80))
    assert len(Places.of(whole).losses) == 80
    configs = [dict(trial.config) for trial in whole.history]
    for config in configs[:7]:
        config["weight_decay"] = 0.0
    found = flatness(of_configs(configs, [trial.final for trial in whole.history]))
    assert found.places.off == 7 and len(found.places.losses) == 73
    assert found.to_json()["left_out"] == {"without a logarithm": 7}


def test_what_does_not_vary_or_is_not_known_is_named():
    rng = np.random.default_rng(7)
    z = drawn(rng, 40)
    z[:, 3] = 0.0
    full = study(z, product_only(z) + rng.normal(0, 0.02, 40))
    found = flatness(full)
    assert verdicts(found) == [FAILS, OPEN, HOLDS] and found.claims[1].why == "momentum would have to vary"
    assert found.claims[1].along.cost is None and found.curvatures["raw"]["1 - momentum"] is None
    unknown = [{key: value for key, value in trial.config.items() if key != "momentum"} for trial in full.history]
    found = flatness(of_configs(unknown, [trial.final for trial in full.history], coordinates=None))
    assert found.claims[1].why == "the study does not know momentum" and "coordinates" not in found.curvatures
    assert verdicts(found) == [FAILS, OPEN, HOLDS] and "momentum" not in found.best


def test_too_narrow_a_range_and_axes_that_move_together_stay_open():
    rng = np.random.default_rng(8)
    z = drawn(rng, 60)
    z[:, 2] /= 10
    assert "no room for a factor of 2" in flatness(study(z, product_only(z))).claims[0].why
    z = drawn(rng, 60)
    z[:, 2] = z[:, 0]
    assert "do not tell both quantities apart" in flatness(study(z, product_only(z))).claims[0].why


def test_too_narrow_a_window_is_told_from_too_narrow_a_range():
    """Most trials lie close to the best ones, as a search leaves them; a few farther away lie outside the window."""
    rng = np.random.default_rng(14)
    z = np.concatenate([drawn(rng, 100) / 10, drawn(rng, 60)])
    one = study(z, each_on_its_own(z) + rng.normal(0, 0.02, 160))
    assert flatness(one).claims[0].why == (
        "the trials that were fitted, the better 80 of 160, lie too close together: try --window 1, or more trials"
    )
    assert verdicts(flatness(one, window=1)) == [FAILS] * 3


def test_shorter_runs_are_left_out_as_such():
    z = drawn(np.random.default_rng(15), 60)
    whole = study(z, product_only(z))
    short = tuple(replace(trial, schedule=2 if trial.number < 20 else None) for trial in whole.history)
    assert flatness(replace(whole, history=short)).left_out == {"shorter runs": 20}


@pytest.mark.parametrize("sign", [-1, 1])
def test_without_an_optimum_there_is_no_verdict(sign):
    """On a hill the middle of the lowest trials is no best setting; in the bowl it is."""
    rng = np.random.default_rng(16)
    z = drawn(rng, 80)
    found = flatness(study(z, sign * each_on_its_own(z) + rng.normal(0, 0.05, 80)), window=1)
    assert verdicts(found) == [FAILS if sign > 0 else OPEN] * 3
    assert (found.best is None) == (sign < 0)
    assert all("no optimum" in claim.why and claim.ratio is None for claim in found.claims) == (sign < 0)


def test_a_best_setting_beyond_a_gap_is_none():
    """Trials crowded at high losses and one far away: between, the surface falls far below all that was measured."""
    z = np.zeros((10, 4))
    z[:, 0] = [0.522, 1.518, 0.802, 1.036, 1.443, 0.802, 1.036, 0.802, -9.443, 1.481]
    z[:, 1] = [0.585, 0.752, 0.113, -1.146, -2.554, 0.113, -1.146, 0.113, 8.229, -5.059]
    found = flatness(study(z, [0.39, 0.617, 0.432, 0.511, 0.647, 0.403, 0.471, 0.423, 1.482, 0.749]))
    claim = found.claims[2]
    assert claim.along.cost.high < 0 and claim.verdict is OPEN and "no optimum" in claim.why and found.best is None


def test_what_else_varies_is_noise_and_is_named():
    rng = np.random.default_rng(9)
    z = drawn(rng, 80)
    configs = [{**trial.config, "flip": float(rng.integers(2))} for trial in study(z, z[:, 0]).history]
    losses = product_only(z) + [0.2 * config["flip"] for config in configs]
    found = flatness(of_configs(configs, losses))
    assert found.places.others == ("flip",) and set(found.places.kind) == {0, 1}
    assert found.near.surface.residual_std == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize("trials", [0, 1, 2, 10, 17])
def test_too_few_trials_are_refused_with_what_this_study_needs(trials):
    with pytest.raises(StudyError, match="too few full runs") as refusal:
        flatness(without(next(studies(rate_only, 30, 0.1, 1)), trials))
    (problem,) = refusal.value.problems
    assert problem.allowed == "at least 18 for a quadratic in lr, weight_decay, batch_size, 1 - momentum"
    assert f"{trials} of the {trials}" in problem.got and "hpsearch" in problem.hint


@pytest.mark.parametrize(
    ("running", "reason", "words"),
    [(True, None, "wait for"), (False, "aborted", "resume s --retry-failed"), (False, "finished", "extend s --trials")],
)
def test_what_is_to_be_done_for_more_trials_depends_on_the_study(running, reason, words):
    few = without(next(studies(rate_only, 30, 0.1, 1)), 2)
    with pytest.raises(StudyError, match="too few") as refusal:
        flatness(replace(few, running=running, record={"sessions": [{"reason": reason}]}))
    assert words in refusal.value.problems[0].hint


def test_an_axis_with_two_values_needs_no_square():
    """Three quantities, one at two values: 9 coefficients and 3 more trials."""
    rng = np.random.default_rng(10)
    z = drawn(rng, 12)
    z[:, 3], z[:, 2] = 0, rng.permutation([-1.0, 1.0] * 6)
    assert len(flatness(study(z, product_only(z))).places.losses) == 12
    with pytest.raises(StudyError, match="at least 12 for a quadratic in lr, weight_decay, batch_size"):
        flatness(study(z[:11], product_only(z[:11])))


def test_two_values_make_no_verdict_even_where_the_best_lie_at_one_of_them():
    rng = np.random.default_rng(13)
    z = drawn(rng, 60)
    z[:, 2] = rng.permutation([0.0, 1.0] * 30)
    found = flatness(study(z, product_only(z) + z[:, 2] + rng.normal(0, 0.02, 60)))
    claim = found.claims[0]
    assert claim.verdict is OPEN and claim.along.cost is None and "three values of each" in claim.why
    assert [panel.claim.law.held for panel in panels(found)] == [law.held for law in LAWS[1:]]


def test_pairs_are_the_differences_of_a_grid():
    """Against a loop over the grid, from the trials where the surface is lowest; another parameter parts two trials."""
    rng = np.random.default_rng(11)
    z = grid(2.0)
    losses = product_only(z) + 0.02 * z[:, 0] ** 3 + rng.normal(0, 0.02, len(z))
    places = Places.of(study(z, losses))
    near = Neighbourhood.of(places)
    at = {tuple(np.round(place, 6)): loss for place, loss in zip(z, losses, strict=True)}
    for law, one in product(LAWS, (0, 1)):
        found = pairs(places, near.lowest, law.moves)[one]
        for way, some in found.items():
            ends = [(number, tuple(np.round(z[number] + 2 * way * law.moves[one], 6))) for number in near.lowest]
            changes = [at[end] - losses[number] for number, end in ends if end in at]
            assert (some.factor, some.n) == (4.0, len(changes))
            assert some.change.value == pytest.approx(np.mean(changes))
    mixed = Places(**{**vars(places), "kind": np.arange(len(z))})
    assert pairs(mixed, near.lowest, LAWS[0].moves) == [{}, {}, {}]


def test_a_verdict_is_where_the_interval_lies():
    cases = {
        (-0.4, 0.4): HOLDS,
        (0.0, 0.5): HOLDS,
        (0.4, 0.6): OPEN,
        (-0.6, 0.1): OPEN,
        (0.6, 2): FAILS,
        (-3, -1): FAILS,
    }
    assert {ends: verdict_of(Estimate(sum(ends) / 2, *ends)) for ends in cases} == cases


def test_the_verdicts_on_the_reference_study():
    """288 trainings: docs/heuristics.md has these numbers."""
    found = flatness(with_coordinates(open_study(REFERENCE, "proxy_grid")))
    assert verdicts(found) == [FAILS, HOLDS, OPEN]
    assert [round(claim.ratio.value, 2) for claim in found.claims] == [0.77, 0.23, 0.54]
    decay = found.claims[2]
    down, up = decay.along.pairs[-1].change, decay.along.pairs[1].change
    assert decay.along.pairs[1].factor == 4 and down.value == pytest.approx(0.019, abs=5e-4)
    assert up.low > down.value
    text = (ROOT / "docs" / "heuristics.md").read_text()
    for claim in found.claims:
        assert f"{claim.ratio.value:.2f} ({claim.ratio.low:.2f} to {claim.ratio.high:.2f})" in text


@pytest.mark.parametrize("entry", [one.name for one in list_studies(REFERENCE) if one.problem is None])
def test_every_stored_study_has_an_answer_or_a_reason(entry):
    one = open_study(REFERENCE, entry)
    try:
        found = flatness(one)
    except StudyError as refusal:
        assert refusal.problems[0].hint
        return
    assert all(claim.why for claim in found.claims if claim.verdict is OPEN)
    json.dumps(found.to_json(), allow_nan=False)


def test_the_json_is_strict_also_for_an_exact_fit():
    z = grid(3.0)
    data = flatness(study(z, rate_only(z), coordinates=COORDINATES)).to_json()
    assert [claim["verdict"] for claim in json.loads(json.dumps(data, allow_nan=False))["claims"]][:2] == [
        "holds",
        "holds",
    ]
