import math

import pytest

from hpsearch.samplers.protocol import Sampler
from hpsearch.seeds import derived_seed
from hpsearch.trial import Origin, PendingTrial, Status
from tests.runners.scripted import Clock, CountingSampler, Record, end, failure, play, report, search, space


def run_all(a_search, values=lambda trial: [1.0]):
    while (trial := a_search.next()) is not None:
        play(a_search, trial.number, *values(trial))


def test_trials_are_numbered_seeded_and_told_in_order():
    record = Record()
    run_all(search(space(trials=3), record))
    assert record.events == [(what, n) for n in range(3) for what in ("started", "reported", "finished")]
    assert [trial.seed for trial in record.trials.values()] == [derived_seed(0, "trial", n) for n in range(3)]
    assert len({trial.seed for trial in record.trials.values()}) == 3


def test_what_a_trial_amounts_to():
    record = Record()
    made = search(space(trials=1), record)
    trial = made.next()
    made.take(0, report(1, 2.0, notes={"device": "cpu"}))
    made.take(0, report(2, 1.5, notes={"stop_reason": "enough"}))
    made.take(0, end())
    done = record.trials[0]
    assert done.config == trial.config and done.seed == trial.seed
    assert (done.status, done.objective, done.epochs, done.train_seconds) == (Status.COMPLETED, 1.5, 2, 2.0)
    assert done.curve == ((1, 2.0), (2, 1.5))
    assert done.notes == {"device": "cpu", "stop_reason": "enough"}
    assert done.started_at <= done.finished_at


def test_the_sampler_sees_what_ended_even_by_a_failure_and_what_runs():
    sampler = CountingSampler()
    made = search(space(trials=9), sampler=sampler)
    first, second, _ = (made.next() for _ in range(3))
    play(made, first.number, 3.0)
    made.take(second.number, failure())
    made.next()
    history, pending, number = sampler.seen[-1]
    assert [(trial.number, trial.status) for trial in history] == [(0, Status.COMPLETED), (1, Status.FAILED)]
    assert [trial.number for trial in pending] == [2]
    assert number == 3


def test_a_diverged_trial_is_a_result_without_the_value_that_is_not_finite():
    sampler, record = CountingSampler(), Record()
    made = search(space(trials=2), record, sampler)
    made.next()
    made.take(0, report(1, 2.0))
    step = report(2, math.inf, diverged=True)
    made.take(0, type(step)(step.started_at, step.report, end(Status.DIVERGED).outcome))
    made.next()
    assert record.trials[0].status is Status.DIVERGED
    assert record.trials[0].objective == 2.0
    assert math.isinf(record.trials[0].curve[-1][1])
    assert [trial.number for trial in sampler.seen[-1][0]] == [0]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_rule_stops_the_worse_half_in_either_direction(mode):
    record = Record()
    made = search(space(trials=8, rule="halving", mode=mode), record, epochs=4)
    sign = 1 if mode == "min" else -1
    run_all(made, lambda trial: [sign * (trial.number + 1.0)] * 4)
    statuses = [record.trials[n].status for n in range(8)]
    assert statuses == [Status.COMPLETED] * 4 + [Status.STOPPED] * 4
    assert record.trials[7].epochs == 2
    assert record.trials[7].objective == sign * 8.0


def test_without_a_known_length_the_longest_completed_trial_stands_in():
    record = Record()
    run_all(search(space(trials=6, rule="halving"), record), lambda trial: [trial.number + 1.0] * 4)
    assert [record.trials[n].epochs for n in range(6)] == [4, 4, 4, 4, 2, 2]


def test_pending_trials_run_first_and_unchanged_and_numbers_go_on():
    before = Record()
    run_all(search(space(trials=2), before))
    pending = [PendingTrial(3, {"lr": 0.7}, 42), PendingTrial(2, {"lr": 0.5}, 41)]
    made = search(space(trials=5), history=before.trials.values(), pending=pending)
    trials = [made.next() for _ in range(4)]
    assert trials[:2] == pending
    assert trials[2].number == 4
    assert trials[3] is None


def test_a_trial_that_is_finished_does_not_run_again_though_it_is_still_called_pending():
    before = Record()
    run_all(search(space(trials=1), before))
    done = before.trials[0]
    again = PendingTrial(done.number, done.config, done.seed)
    assert search(space(trials=1), history=[done], pending=[again]).next() is None


def test_a_resumed_search_proposes_what_the_straight_one_would_have():
    straight, first, second = Record(), Record(), Record()
    run_all(search(space(trials=6), straight))
    run_all(search(space(trials=3), first))
    run_all(search(space(trials=6), second, history=first.trials.values()))
    configs = {number: trial.config for number, trial in (first.trials | second.trials).items()}
    assert configs == {number: trial.config for number, trial in straight.trials.items()}


def test_at_the_end_of_the_hours_running_trials_finish_and_no_other_starts():
    clock, record = Clock(), Record()
    made = search(space(trials=9), record, clock=clock, hours=1)
    made.next()
    clock.seconds = 3599
    made.next()
    clock.seconds = 3600
    assert made.next() is None and made.finished
    play(made, 0, 1.0)
    play(made, 1, 1.0)
    assert len(record.trials) == 2


def test_three_identical_failures_at_the_start_end_the_search_with_their_error():
    made = search(space(trials=9))
    for number in range(3):
        assert made.next().number == number
        made.take(number, failure(error=f"line 3\nValueError: {number}"))
    assert made.next() is None
    assert made.error == "line 3\nValueError: 2"


def test_failures_after_a_result_or_at_different_places_end_nothing():
    for events in (["ok", "a", "a", "a", "a"], ["a", "b", "a", "a", "a"]):
        made = search(space(trials=9))
        for number, event in enumerate(events):
            made.next()
            made.take(number, end() if event == "ok" else failure(cause=event))
        assert made.error is None and made.next() is not None


class Grading(CountingSampler):
    """Grades the prior by the number of trials, and keeps which those were."""

    def __init__(self):
        super().__init__()
        self.graded = []

    def grade(self, history):
        self.graded.append([trial.number for trial in history])
        return float(len(history))


def test_a_trial_that_gave_a_result_carries_the_grade_of_the_prior_so_far():
    record, sampler = Record(), Grading()
    made = search(space(trials=9), record, sampler)
    for number in range(4):
        made.next()
        made.take(number, failure() if number == 1 else end())
    assert [record.trials[n].prior_grade for n in range(4)] == [1.0, None, 3.0, 4.0]
    assert sampler.graded == [[0], [0, 1, 2], [0, 1, 2, 3]]
    history, _, _ = (made.next(), sampler.seen[-1])[1]
    assert [trial.prior_grade for trial in history] == [1.0, None, 3.0, 4.0]


def test_failures_of_an_earlier_session_reach_the_sampler_and_its_grade():
    before, sampler = Record(), Grading()
    first = search(space(trials=2), before)
    for number, step in enumerate([end(), failure()]):
        first.next()
        first.take(number, step)
    made = search(space(trials=3), sampler=sampler, history=before.trials.values())
    play(made, made.next().number, 1.0)
    assert [trial.number for trial in sampler.seen[0][0]] == [0, 1]
    assert sampler.graded == [[0, 1, 2]]


def test_a_lost_worker_fails_its_trial():
    record = Record()
    made = search(space(trials=9), record)
    made.next()
    made.lost(0, "the worker process died")
    assert record.trials[0].status is Status.FAILED
    assert record.trials[0].error == "the worker process died"
    assert made.next().number == 1


@pytest.mark.parametrize(("mode", "values"), [("min", [3.0, 0.4]), ("max", [0.3, 0.6])])
def test_the_search_ends_when_the_target_is_reached(mode, values):
    made = search(space(trials=9, mode=mode, objective={"target": 0.5}))
    for value in values:
        assert not made.target_reached
        play(made, made.next().number, value)
    assert made.target_reached and made.next() is None


def test_a_parameter_called_epochs_is_the_length_of_its_trial():
    class Lengths(Sampler):
        def suggest(self, history, pending, number):
            return {"lr": 0.1, "epochs": 4 if number < 4 else 20}

    record = Record()
    made = search(space(trials=5, rule="halving"), record, Lengths(), epochs=4)
    run_all(made, lambda trial: [9.0 if trial.number == 4 else 1.0] * trial.config["epochs"])
    assert record.trials[4].status is Status.STOPPED and record.trials[4].epochs == 10


def test_what_an_earlier_session_left_unfinished_runs_whatever_the_hours_and_the_target_say():
    before = Record()
    run_all(search(space(trials=1), before))
    clock = Clock()
    pending = [PendingTrial(1, {"lr": 0.7}, 42)]
    reached = space(trials=9, objective={"target": 5.0})
    made = search(reached, clock=clock, hours=1, history=before.trials.values(), pending=pending)
    clock.seconds = 9999
    assert made.next() == pending[0]
    assert made.next() is None


def test_a_repeat_is_not_stopped():
    """What is worse than the others half-way is stopped, but not where its end is what matters."""
    made = search(space(rule="median", budget={"trials": 7, "repeats": 2}), epochs=10)
    stopped = []
    for number in range(7):
        trial = made.next()
        loss = 1.0 if number < 4 else 9.0
        over = made.take(number, report(1, loss)) or made.take(number, report(5, loss))
        stopped.append(over)
        if not over:
            made.take(number, end())
        assert (trial.origin is Origin.REPEAT) == (number >= 5)
    assert stopped[4] and not any(stopped[5:])
