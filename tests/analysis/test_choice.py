"""The setting to go on with."""

import pytest

from hpsearch.analysis.choice import choose
from hpsearch.analysis.tied import tied
from hpsearch.errors import StudyError
from hpsearch.trial import Status
from tests.analysis.tied_studies import runs, study, trial

SECONDS = {1: 5.0, 2: 20.0, 3: 10.0, 4: 1.0}
LUCKY = [(1, 0.10), (2, 0.12), (2, 0.13), (2, 0.12), (2, 0.13), (3, 0.14), (3, 0.10), (3, 0.18), (4, 0.9)]
"""Setting 1 has the best mean, of one run; 2 has been measured best; 4 is fast and hopeless."""


def chosen(trials, cheapest=False, **keys):
    a_study = study(trials, **keys)
    return choose(a_study, tied(a_study), cheapest).config["lr"]


def test_the_best_expectation_or_the_fewest_seconds_among_the_tied():
    trials = [trial(n, one, loss, train_seconds=SECONDS[one]) for n, (one, loss) in enumerate(LUCKY)]
    found = tied(study(trials))
    assert chosen(trials) == found.best.setting.config["lr"]
    assert chosen(trials, cheapest=True) == 1.0


def test_without_repeats_the_one_that_looks_best():
    assert chosen(runs([(1, 0.2), (2, 0.1), (3, 0.3)])) == 2.0
    assert chosen(runs([(1, 0.2), (2, 0.1), (3, 0.3)]), mode="max") == 3.0


def test_one_of_which_a_run_diverged_only_where_there_is_no_other():
    diverged = trial(9, 1, None, status=Status.DIVERGED)
    assert chosen([*runs([(1, 0.1), (2, 0.2)]), diverged]) == 2.0
    assert chosen([*runs([(1, 0.1), (1, 0.2)]), diverged]) == 1.0


def test_no_full_run_no_choice():
    trials = [trial(0, 1, 0.1, schedule=2), trial(1, 2, 0.1, status=Status.STOPPED)]
    with pytest.raises(StudyError, match="no trial of full length has run to its end"):
        chosen(trials, fidelity={"epochs": [2, 8]})


def test_the_cheapest_is_of_the_tied_so_these_must_be_known():
    with pytest.raises(StudyError, match=r"none was run twice(.|\n)*--cheapest(.|\n)*--repeats auto"):
        chosen(runs([(1, 0.2), (2, 0.1), (3, 0.3)]), cheapest=True)
