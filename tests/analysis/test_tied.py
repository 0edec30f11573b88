"""Tied settings: who is compared, in which units, and what is missing where nothing can be said."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.tied import Tied, check_enough, not_known, tied
from hpsearch.errors import StudyError
from hpsearch.statistics.confidence_set import confidence_set
from hpsearch.store.reader import Study
from hpsearch.trial import PendingTrial, Status
from tests.analysis.tied_studies import runs, study, trial

RESULTS = [(1, 0.10), (2, 0.12), (3, 0.50), (1, 0.14), (2, 0.11), (4, 0.13), (3, 0.53)]
"""Settings 1, 2 and 4 differ by less than their runs do; setting 3 is worse."""


def found(a_study: Study, confidence: float = 0.95) -> Tied:
    one = tied(a_study, confidence)
    assert one is not None
    return one


def lrs(one: Tied) -> list[float]:
    return [member.setting.config["lr"] for member in one.members]


def test_the_settings_are_those_of_the_confidence_set_of_their_runs() -> None:
    of_study = found(study(runs(RESULTS)))
    expected = confidence_set([[0.12, 0.11], [0.10, 0.14], [0.13], [0.50, 0.53]])
    assert expected is not None
    assert lrs(of_study) == [2.0, 1.0, 4.0]
    assert [one.expected for one in of_study.members] == pytest.approx([one.adjusted for one in expected.members])
    assert of_study.settings == 4
    noise = expected.noise
    assert (of_study.noise, of_study.freedom, of_study.growth) == (noise.std, noise.freedom, noise.growth)
    assert (of_study.shows, of_study.shows_repeated) == (expected.shows(1), expected.shows(2))
    assert of_study.best.expected == min(one.expected for one in of_study.members)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40)), min_size=3, max_size=12))
def test_maximising_is_minimising_the_negative(results: Sequence[tuple[int, int]]) -> None:
    low = tied(study(runs((setting, value / 8) for setting, value in results)))
    high = tied(study(runs((setting, -value / 8) for setting, value in results), mode="max"))
    assert (low is None) == (high is None)
    if low and high:
        assert lrs(low) == lrs(high)
        assert [one.expected for one in low.members] == pytest.approx([-one.expected for one in high.members])
        assert (low.noise, low.shows) == (high.noise, high.shows)


def test_the_surer_the_set_is_to_be_the_larger_it_is() -> None:
    a_study = study(runs([(1, 0.0), (1, 0.2), (1, 0.1), (2, 0.3), (2, 0.5), (3, 0.6), (4, 0.9)]))
    sets = [set(lrs(found(a_study, confidence))) for confidence in (0.6, 0.9, 0.99)]
    assert sets[0] < sets[2]
    assert sets[0] <= sets[1] <= sets[2]
    assert found(a_study, 0.9).confidence == 0.9


def test_nothing_is_known_where_no_setting_was_run_twice() -> None:
    assert tied(study(runs([(1, 0.1), (2, 0.2), (3, 0.3)]))) is None
    assert tied(study(runs([(1, 0.1), (1, 0.2), (1, 0.3)]))) is None, "nor where there is nothing to compare"


def test_a_setting_of_which_a_run_diverged_is_no_choice() -> None:
    trials = runs([*RESULTS, (5, 0.01), (5, 0.02)])
    one = found(study([*trials, trial(9, 5, None, status=Status.DIVERGED)]))
    assert lrs(one) == [2.0, 1.0, 4.0]
    assert [setting.config["lr"] for setting in one.unstable] == [5.0]
    assert one.settings == 4


def test_shorter_runs_are_not_compared_and_do_not_make_a_setting_unstable() -> None:
    short = [trial(7, 1, 0.001, schedule=2), trial(8, 2, None, status=Status.DIVERGED, schedule=2)]
    one = found(study([*runs(RESULTS), *short], fidelity={"epochs": [2, 8]}))
    assert one.to_json() == found(study(runs(RESULTS))).to_json()


def test_stopped_settings_are_counted_unless_they_ran_to_their_end_later() -> None:
    stopped = [trial(7, 8, 0.2, status=Status.STOPPED), trial(8, 9, 0.2, status=Status.STOPPED)]
    again = [trial(9, 9, 0.9), trial(10, 8, 0.2, status=Status.STOPPED)]
    assert found(study([*runs(RESULTS), *stopped, *again])).stopped == 1


def test_the_cheapest_is_tied_itself() -> None:
    seconds = {1: 30.0, 2: 20.0, 3: 1.0, 4: 10.0}
    trials = [trial(n, setting, loss, train_seconds=seconds[setting]) for n, (setting, loss) in enumerate(RESULTS)]
    assert found(study(trials)).cheapest.setting.config["lr"] == 4.0


def test_it_is_strict_json() -> None:
    trials = [*runs([*RESULTS, (5, 0.01)]), trial(8, 5, None, status=Status.DIVERGED)]
    data = json.loads(json.dumps(found(study(trials)).to_json(), allow_nan=False))
    assert data["best"] in data["members"]
    assert data["best"]["config"] == {"lr": 2.0} and data["best"]["n"] == 2
    assert {"expected", "expected_standard_error", "mean"} <= data["cheapest"].keys()
    assert [one["config"]["lr"] for one in data["unstable"]] == [5.0]


def test_three_results_are_enough() -> None:
    trials = [*runs([(1, 0.1), (2, 0.2), (3, 0.3)]), trial(3, 4, 0.1, schedule=2)]
    blocks = {"fidelity": {"epochs": [2, 8]}}
    check_enough(study(trials[:3]))
    check_enough(study(trials[1:], **blocks), shorter=True)
    with pytest.raises(StudyError, match=r"too few full runs(.|\n)*got +2(.|\n)*at least 3(.|\n)*extend s --trials N"):
        check_enough(study(trials[1:], **blocks))
    with pytest.raises(StudyError, match=r"too few runs(.|\n)*got +1"):
        check_enough(study([*trials[:1], trial(1, 2, None, status=Status.DIVERGED)]), shorter=True)


def test_what_is_pending_is_waited_for_or_resumed() -> None:
    pending = [PendingTrial(2, {"lr": 3.0}, 0)]
    with pytest.raises(StudyError, match="hpsearch resume s`"):
        check_enough(study(runs([(1, 0.1), (2, 0.2)]), pending=pending))
    with pytest.raises(StudyError, match="wait for the trials that are running"):
        check_enough(study(runs([(1, 0.1), (2, 0.2)]), pending=pending, running=True))


def test_what_is_not_known_comes_with_what_would_tell() -> None:
    assert "none was run twice" in str(not_known(study(runs([(1, 0.1), (2, 0.2)]))))
    assert "extend s --trials N --repeats auto" in str(not_known(study(runs([(1, 0.1), (2, 0.2)]))))
    alone = str(not_known(study(runs([(1, 0.1), (1, 0.2)])), "--cheapest"))
    assert "fewer than two have a full run" in alone and "--cheapest" in alone


def test_what_was_aborted_is_resumed_with_what_failed_and_a_study_elsewhere_is_named(tmp_path: Path) -> None:
    few = study(runs([(1, 0.1)]))
    record = {"sessions": [{"reason": "aborted"}]}
    with pytest.raises(StudyError, match=f"resume s --retry-failed --results {tmp_path}`"):
        check_enough(dataclasses.replace(few, record=record, folder=tmp_path / "s"))


def test_a_setting_is_cheaper_from_a_tenth_of_the_time_on() -> None:
    def cheapest(seconds: float, best: float = 10.0) -> float:
        results = [(1, 0.1), (1, 0.2), (2, 0.12), (2, 0.22)]
        trials = runs(results)
        times = {1.0: best, 2.0: seconds}
        timed = [dataclasses.replace(one, train_seconds=times[float(str(one.config["lr"]))]) for one in trials]
        found = tied(study(timed))
        assert found is not None and found.best.setting.config["lr"] == 1.0
        return float(str(found.cheapest.setting.config["lr"]))

    assert (cheapest(9.5), cheapest(8.9), cheapest(20.0)) == (1.0, 2.0, 1.0)
    assert cheapest(0.01, best=0.05) == 1.0, "less than the clock tells"
