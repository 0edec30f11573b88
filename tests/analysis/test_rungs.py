"""What the runs of each length amount to, against counting by hand and SciPy's rank correlation."""

import json
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from hpsearch.analysis.rungs import check_shorter, full_runs, rungs
from hpsearch.errors import StudyError
from hpsearch.trial import Origin, Status
from tests.analysis.tied_studies import runs, study, trial

FIDELITY = {"epochs": [2, 6, 18]}
SHORT = [3.0, 1.0, 2.0, 4.0, 0.5, 5.0]
LATER = {4: 0.4, 1: 0.9, 2: 0.8, 0: 1.5}
"""Settings by their loss after 2 epochs, and after 6."""


def rung(first, losses, schedule, epochs, **keys):
    """Trials of one length; ``losses`` by setting."""
    keys = {"schedule": schedule, "epochs": epochs, "train_seconds": float(epochs), **keys}
    return [trial(first + n, one, loss, **keys) for n, (one, loss) in enumerate(losses.items())]


TRIALS = [
    *rung(0, dict(enumerate(SHORT)), 2, 2),
    trial(6, 6, None, schedule=2, epochs=1, train_seconds=1.0, status=Status.DIVERGED),
    trial(7, 7, None, schedule=2, epochs=0, train_seconds=0.0, status=Status.FAILED, error="boom"),
    *rung(8, LATER, 6, 6, origin=Origin.PROMOTION),
    *rung(12, {4: 0.3}, None, 18, origin=Origin.PROMOTION),
    *rung(13, {4: 0.35}, None, 18, origin=Origin.REPEAT, repeat=1),
]


def test_every_trial_counts_at_its_length():
    low, middle, top = rungs(study(TRIALS, fidelity=FIDELITY))
    assert [one.epochs for one in (low, middle, top)] == [2, 6, 18]
    assert [(one.trained, one.settings, one.diverged) for one in (low, middle, top)] == [
        (6, 6, 1),
        (4, 4, 0),
        (2, 1, 0),
    ]
    assert [one.went_on for one in (low, middle, top)] == [4, 1, 0]
    assert [one.best for one in (low, middle, top)] == [0.5, 0.4, 0.3]
    assert [one.train_seconds for one in (low, middle, top)] == [13.0, 24.0, 36.0]
    assert middle.agreement is None and top.agreement is None
    assert all(one.used for one in (low, middle, top))


def test_ranks_are_compared_for_the_settings_that_went_on():
    low = rungs(study(TRIALS, fidelity=FIDELITY))[0]
    observed = spearmanr([SHORT[one] for one in LATER], list(LATER.values())).statistic
    assert low.agreement.n == 4
    assert low.agreement.observed == pytest.approx(observed)
    assert low.agreement.low < low.agreement.value < low.agreement.high


def test_a_length_that_ranks_backwards_is_not_used_any_more():
    losses = dict(enumerate(np.arange(8.0)))
    backwards = {one: -loss for one, loss in losses.items()}
    low, middle, top = rungs(study([*rung(0, losses, 2, 2), *rung(8, backwards, 6, 6)], fidelity=FIDELITY))
    assert (low.used, middle.used, top.used) == (False, True, True)
    assert (top.trained, top.best, top.went_on) == (0, None, 0)


def test_the_best_is_the_highest_where_the_mode_is_max():
    assert [one.best for one in rungs(study(TRIALS, mode="max", fidelity=FIDELITY))] == [5.0, 1.5, 0.35]


def test_the_cost_is_in_epochs_that_were_run():
    assert full_runs(study(TRIALS, fidelity=FIDELITY)) == pytest.approx((6 * 2 + 1 + 4 * 6 + 2 * 18) / 18)
    assert full_runs(study([trial(0, 1, 1.0, epochs=4), trial(1, 2, 1.0, epochs=2)])) == 1.5
    assert full_runs(study([])) == 0


@pytest.mark.parametrize("blocks", [{}, {"fidelity": {"epochs": [18]}}])
def test_a_study_of_full_runs_has_no_rungs(blocks):
    a_study = study(runs([(1, 0.1)]), **blocks)
    assert rungs(a_study) == ()
    with pytest.raises(StudyError, match=r"all runs of the study are of full length(.|\n)*fidelity: \{epochs"):
        check_shorter(a_study)


def test_a_study_with_shorter_runs_passes():
    check_shorter(study([], fidelity=FIDELITY))


def test_it_is_strict_json():
    data = json.loads(json.dumps([one.to_json() for one in rungs(study(TRIALS, fidelity=FIDELITY))], allow_nan=False))
    assert data[0]["agreement"]["n"] == 4 and data[2]["agreement"] is None
    assert not any(isinstance(value, float) and math.isnan(value) for one in data for value in one.values())
