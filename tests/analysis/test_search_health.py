"""The health of searches whose figures are known, and its two parts against brute force and simulation."""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway

from hpsearch.analysis.progress import LEAST, expected_least, progress
from hpsearch.analysis.search_health import WASTED, Health, Kind, Share, health
from hpsearch.analysis.variance_components import variance_components
from hpsearch.errors import StudyError
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import FinishedTrial, PendingTrial, Status
from tests.store.examples import make_space, make_trial

LOSSES = st.lists(st.floats(-100, 100), min_size=LEAST, max_size=9)


def trial(number: int, objective: float | None, seconds: float = 60.0, lr: float | None = None, **changes: Any):
    config = {"lr": 0.1 + number / 1000 if lr is None else lr, "batch_size": 128, "momentum": 0.9}
    return make_trial(number, objective=objective, train_seconds=seconds, config=config, **changes)


def write(
    results: Path, trials: Sequence[FinishedTrial], space: Space | None = None, pending: Sequence[PendingTrial] = ()
) -> Health:
    with StudyWriter.create(results, "s", space or make_space(), {}) as writer:
        for finished in trials:
            writer.finished(finished)
        for waiting in pending:
            writer.started(waiting)
    return health(open_study(results, "s"))


SHORTER = make_space(fidelity={"epochs": [2, 10]})

MIXED = [
    trial(0, 3.0),
    trial(1, 2.0, seconds=120.0),
    trial(2, 0.5, status=Status.STOPPED, seconds=30.0),
    trial(3, 0.1, status=Status.DIVERGED, seconds=10.0),
    trial(4, None, status=Status.FAILED, error="boom", seconds=20.0),
    trial(5, None, seconds=40.0),  # it ran to its end without a finite objective
    trial(6, 0.2, schedule=2, seconds=15.0),
    trial(7, 9.0, status=Status.DIVERGED, seconds=5.0, lr=0.1),  # the setting of trial 0
]


def test_every_trial_is_of_one_kind(tmp_path: Path) -> None:
    found = write(tmp_path, MIXED, SHORTER, pending=[make_trial(8)])
    assert found.shares == {
        Kind.COMPLETED: Share(2, 180.0),
        Kind.SHORTER: Share(1, 15.0),
        Kind.STOPPED: Share(1, 30.0),
        Kind.DIVERGED: Share(3, 55.0),
        Kind.FAILED: Share(1, 20.0),
    }
    assert (found.trials, found.seconds) == (8, 300.0)
    assert (found.diverging, found.unsteady) == (3, 1)
    assert found.failures == {"boom": 1}
    assert found.of_trials(Kind.DIVERGED) == 3 / 8
    assert found.of_seconds(*WASTED) == pytest.approx(105 / 300)  # a shorter schedule is no waste
    assert (found.noise, found.progress, found.improving) == (None, None, None)


def test_without_a_result_there_is_still_health(tmp_path: Path) -> None:
    failed = [trial(number, None, status=Status.FAILED, error="boom", seconds=0.0) for number in range(3)]
    found = write(tmp_path, failed)
    assert (found.of_trials(Kind.FAILED), found.of_seconds(*WASTED)) == (1.0, 0.0)
    assert (found.edges, found.noise, found.progress) == ((), None, None)


def test_fewer_than_three_trials_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"too few trials have ended(.|\n)*got +2\n(.|\n)*resume s"):
        write(tmp_path, MIXED[:2])


def test_of_an_aborted_study_the_failed_trials_are_wanted_again(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        writer.begin_session([])
        writer.finished(MIXED[4])
        with pytest.raises(StudyError, match="wait for the trials that are running"):
            health(open_study(tmp_path, "s"))
        writer.end_session("aborted")
    with pytest.raises(StudyError, match="resume s --retry-failed"):
        health(open_study(tmp_path, "s"))


def test_a_setting_counts_once_and_with_its_mean(tmp_path: Path) -> None:
    new = [trial(number, 10.0 - number) for number in range(9)]
    again = [trial(9, 6.0, lr=0.108), trial(10, 5.0, schedule=2, lr=0.5)]  # of trial 8, whose mean is then 4
    found = write(tmp_path, new + again, SHORTER)
    assert found.progress is not None
    assert found.noise is not None
    assert (found.progress.settings, found.progress.last, found.progress.since) == (9, 3, 1)
    assert found.progress.gain == 5.0 - 3.0  # from trial 5 to trial 7
    assert found.noise.seed_std == pytest.approx(np.std([2.0, 6.0], ddof=1))
    assert found.improving is False


def test_the_mode_turns_the_losses(tmp_path: Path) -> None:
    trials = [trial(number, float(number)) for number in range(6)]
    found = write(tmp_path, trials, make_space(objective={"metric": "val_accuracy", "mode": "max"}))
    assert found.progress is not None
    assert (found.progress.gain, found.progress.since) == (2.0, 0)
    assert found.improving is None  # the noise is not known


@pytest.mark.parametrize("sampler", ["grid", "factorial"])
def test_a_grid_and_a_design_look_for_nothing(tmp_path: Path, sampler: str) -> None:
    parameters = {f"p{i}": {"type": "choice", "values": [True, False]} for i in range(3)}
    space = make_space(parameters, sampler={"name": sampler}, budget={"trials": 8})
    configs = [{f"p{i}": bool(number >> i & 1) for i in range(3)} for number in range(8)]
    trials = [make_trial(number, objective=float(number), config=config) for number, config in enumerate(configs)]
    assert write(tmp_path, trials, space).progress is None


def test_it_is_strict_json(tmp_path: Path) -> None:
    data = json.loads(json.dumps(write(tmp_path, MIXED).to_json(), allow_nan=False))
    assert data["shares"]["diverged"] == {"trials": 3, "seconds": 55.0}
    assert data["wasted"] == pytest.approx(0.35)


@given(losses=LOSSES, data=st.data())
def test_the_expected_least_is_the_mean_over_all_subsets(losses: list[float], data: st.DataObject) -> None:
    m = data.draw(st.integers(1, len(losses)))
    assert expected_least(losses, m) == pytest.approx(fmean(map(min, combinations(losses, m))), abs=1e-9)


@given(losses=LOSSES)
def test_progress_by_its_definition(losses: list[float]) -> None:
    found = progress(losses)
    assert found is not None
    assert found.gain == min(losses[: -found.last]) - min(losses)
    assert losses[len(losses) - 1 - found.since] == min(losses)
    assert found.halving >= -1e-9
    assert (found.gain == 0) == (found.improving(None) is False)


def test_few_settings_have_no_progress() -> None:
    assert progress([1.0] * (LEAST - 1)) is None


def test_improving_is_more_than_noise() -> None:
    found = progress([3.0, 2.0, 2.0, 2.0, 1.0, 2.0])
    assert found is not None
    assert (found.improving(0.9), found.improving(1.1), found.improving(None)) == (True, False, None)


def test_no_repeats_no_noise() -> None:
    assert variance_components([]) is None
    assert variance_components([[1.0], [2.0]]) is None


def test_equal_settings_have_the_variance_of_their_runs() -> None:
    found = variance_components([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]])
    assert found is not None
    assert found.seed_std**2 == pytest.approx(2.0)
    assert (found.setting_std, found.repeated) == (0.0, 3)


def test_balanced_groups_give_the_estimates_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    groups = rng.choice([-1.0, 1.0], (6, 1)) * np.array([0.3, -0.1, -0.2]) + np.arange(6)[:, None]  # of equal spread
    found = variance_components(groups.tolist())
    assert found is not None
    within = float(groups.var(axis=1, ddof=1).mean())
    between = float(f_oneway(*groups).statistic) * within
    assert found.seed_std**2 == pytest.approx(within)
    assert found.setting_std**2 == pytest.approx((between - within) / 3)


def test_both_are_found_within_a_tenth_and_the_interval_covers() -> None:
    rng, seeds, settings, covered = np.random.default_rng(1), [], [], 0
    for _ in range(1000):
        means = rng.normal(0, 2.0, 12)
        runs = np.where(means < np.median(means), 3, 1)  # the good ones are repeated
        found = variance_components([rng.normal(mean, 0.5, n).tolist() for mean, n in zip(means, runs, strict=True)])
        assert found is not None
        seeds.append(found.seed_std**2)
        settings.append(found.setting_std**2)
        covered += found.interval.low <= 0.5 <= found.interval.high
    assert fmean(seeds) == pytest.approx(0.25, rel=0.1)
    assert fmean(settings) == pytest.approx(4.0, rel=0.1)
    assert covered / 1000 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 1000)
