"""What runs next: new settings, longer runs, repeats."""

from dataclasses import dataclass, field

import pytest

from hpsearch.errors import SpaceError
from hpsearch.samplers.by_name import make_sampler
from hpsearch.samplers.proposer import Proposer
from hpsearch.samplers.protocol import Sampler
from hpsearch.space.spec import Space
from hpsearch.trial import Origin, PendingTrial, Status
from tests.samplers.trials import finished


@dataclass
class Counting(Sampler):
    """Proposes lr = its own count, and keeps what it was shown."""

    seen: list = field(default_factory=list)

    def suggest(self, history, pending, number):
        self.seen.append((list(history), list(pending), number))
        return {"lr": float(number)}

    def grade(self, history):
        return float(len(history))


def space(trials=12, repeats=0, **keys):
    return Space.restore(
        {
            "parameters": {"lr": {"type": "real", "low": 0, "high": 99}},
            "objective": {"metric": "val_loss", "mode": "min"},
            "prior": "uniform",
            "budget": {"trials": trials, "repeats": repeats},
            **keys,
        }
    )


def play(a_space, loss, trials=None, status=lambda trial: Status.COMPLETED):
    """Run trials one after the other; ``loss`` maps (lr, schedule, number) to an objective."""
    trials = trials or a_space.budget.trials
    proposer, history = Proposer(a_space, Counting()), []
    for number in range(trials):
        one = proposer.propose(history, [], number, trials)
        kind = {"schedule": one.schedule, "origin": one.origin, "repeat": one.repeat}
        history.append(finished(number, one.config, loss(one), status(one), **kind))
    return history


def origins(history):
    return "".join(trial.origin.value[0] for trial in history)


def test_without_repeats_and_rungs_the_sampler_counts_as_the_search_does():
    sampler = Counting()
    proposer = Proposer(space(), sampler)
    history = [finished(0, {"lr": 0.0}, 1.0), finished(1, {"lr": 1.0}, 1.0, Status.FAILED)]
    running = [PendingTrial(2, {"lr": 2.0}, 0)]
    assert proposer.propose(history, running, 3, 12).config == {"lr": 3.0}
    assert sampler.seen == [(history, running, 3)]


def test_the_last_third_of_the_trials_are_repeats_of_the_settings_near_the_best():
    wave = [0.3, -0.3, 0.6, -0.6]
    history = play(space(repeats="auto"), lambda one: one.config["lr"] + wave[one.number % 4])
    assert origins(history) == "n" * 8 + "r" * 4
    repeated = [trial for trial in history if trial.origin is Origin.REPEAT]
    assert {trial.config["lr"] for trial in repeated} <= {0.0, 1.0, 2.0}
    assert all(trial.repeat == sum(t.config == trial.config for t in history[: trial.number]) for trial in repeated)


def test_a_number_of_repeats_is_kept_and_more_trials_bring_no_more():
    a_space = space(trials=10, repeats=3)
    assert origins(play(a_space, lambda one: one.number * 0.1)) == "n" * 7 + "r" * 3
    proposer = Proposer(a_space, Counting())
    history = play(a_space, lambda one: one.number * 0.1)
    assert proposer.propose(history, [], 10, 20).origin is Origin.NEW


def test_where_repeats_decide_nothing_settings_are_tried_instead():
    assert origins(play(space(trials=30, repeats=15), lambda one: one.config["lr"])).endswith("n")


def test_a_setting_of_which_a_run_diverged_is_not_run_again():
    history = [finished(n, {"lr": float(n)}, n, Status.COMPLETED) for n in range(4)]
    history += [finished(4, {"lr": 0.0}, float("nan"), Status.DIVERGED)]
    assert Proposer(space(), Counting()).propose(history, [], 5, 6).origin is Origin.NEW
    chosen = Proposer(space(trials=6, repeats=2), Counting()).propose(history, [], 5, 6)
    assert (chosen.origin, chosen.config) == (Origin.REPEAT, {"lr": 1.0})


def test_a_sampler_that_proposes_a_setting_again_makes_a_repeat_that_counts_as_one():
    proposer = Proposer(space(), Counting())
    history = [finished(0, {"lr": 1.0}, 1.0)]
    again = proposer.propose(history, [PendingTrial(5, {"lr": 1.0}, 0)], 1, 12)
    assert (again.origin, again.config, again.repeat) == (Origin.NEW, {"lr": 2.0}, 0)
    again = proposer.propose(history, [], 1, 12)
    assert (again.origin, again.config, again.repeat) == (Origin.NEW, {"lr": 1.0}, 1)


def test_rungs_get_about_equal_shares_and_a_full_run_ends_the_search():
    rungs = space(trials=24, fidelity={"epochs": [2, 6, 18]}, start_with=[{"lr": 50}, {"lr": 60}])
    history = play(rungs, lambda one: abs(one.config["lr"] - 7) - (one.schedule is None))
    schedules = [trial.schedule for trial in history]
    assert schedules[:2] == [2, 2]
    assert 14 <= schedules.count(2) <= 18 and 4 <= schedules.count(6) <= 7 and 1 <= schedules.count(None) <= 3
    assert [trial.config["lr"] for trial in history if trial.origin is Origin.NEW] == [*range(schedules.count(2))]
    best = min((trial for trial in history if trial.final is not None), key=lambda trial: trial.final)
    assert best.config == {"lr": 7.0}


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_the_shortest_searches_end_with_the_longest_run_that_they_can_reach(trials):
    history = play(space(trials=trials, fidelity={"epochs": [2, 6, 18]}), lambda one: one.number)
    assert history[-1].schedule == {1: 2, 2: 6}.get(trials)


def test_the_grade_is_of_comparable_trials():
    proposer = Proposer(space(fidelity={"epochs": [2, 6]}), Counting())
    trials = [finished(0, {"lr": 0.0}, 2.0, schedule=2), finished(1, {"lr": 0.0}, 1.0)]
    assert proposer.grade(trials) == 1.0


def test_repeats_under_way_count():
    """Two workers: the second repeat goes to another setting, and no more are begun than there are to be."""
    proposer = Proposer(space(trials=8, repeats=2), Counting())
    history = [finished(n, {"lr": float(n)}, 1 + n / 100) for n in range(6)]
    first = proposer.propose(history, [], 6, 8)
    second = proposer.propose(history, [first], 7, 8)
    assert (first.origin, second.origin) == (Origin.REPEAT, Origin.REPEAT)
    assert (first.config, second.config) == ({"lr": 0.0}, {"lr": 1.0})
    assert proposer.propose(history, [first, second], 8, 9).origin is Origin.NEW
    again = Proposer(space(trials=9, repeats=3), Counting()).propose(history, [first, second], 8, 9)
    assert (again.config, again.repeat) == ({"lr": 0.0}, 2)


def test_a_grid_is_whole_before_anything_is_repeated():
    parameters = {"lr": {"type": "choice", "values": [1, 2, 3, 4]}}
    a_space = space(trials=6, repeats="auto", parameters=parameters, sampler={"name": "grid"})
    proposer, history = Proposer(a_space, make_sampler(a_space)), []
    for number in range(6):
        one = proposer.propose(history, [], number, 6)
        history.append(finished(number, one.config, 1.0, origin=one.origin, repeat=one.repeat))
    assert origins(history) == "nnnnrr"


def test_repeats_in_a_design_are_refused():
    parameters = {name: {"type": "choice", "values": [1, 2]} for name in ("a", "b")}
    with pytest.raises(SpaceError, match="bias the effects"):
        space(trials=12, repeats="auto", parameters=parameters, sampler={"name": "factorial", "runs": 8})


def test_where_repeats_decide_nothing_any_more_rungs_go_on_as_before():
    rungs = space(trials=60, repeats=30, fidelity={"epochs": [2, 6, 18]})
    history = play(rungs, lambda one: abs(one.config["lr"] - 7))
    late = [trial.origin for trial in history[40:]]
    assert late.count(Origin.NEW) > late.count(Origin.PROMOTION) > 0


def in_parallel(a_space, workers, loss):
    """Run trials on so many workers, each as long as its schedule; return the history."""
    proposer, history, running, clock = Proposer(a_space, Counting()), [], [], 0
    trials = a_space.budget.trials
    for number in range(trials + workers):
        if len(running) == workers or number >= trials:
            clock, ended = min(running, key=lambda entry: (entry[0], entry[1].number))
            running.remove((clock, ended))
            kind = {"schedule": ended.schedule, "origin": ended.origin, "repeat": ended.repeat}
            history.append(finished(ended.number, ended.config, loss(ended), **kind))
        if number < trials:
            one = proposer.propose(history, [trial for _, trial in running], number, trials)
            running.append((clock + (one.schedule or 18), one))
    return history


@pytest.mark.parametrize(("workers", "trials"), [(1, 6), (2, 10), (4, 24), (8, 48)])
def test_a_search_on_many_workers_ends_with_a_full_run(workers, trials):
    a_space = space(trials=trials, fidelity={"epochs": [2, 6, 18]})
    history = in_parallel(a_space, workers, lambda one: one.config["lr"])
    assert any(trial.final is not None for trial in history)


def test_a_crash_on_the_way_up_is_forgiven_once():
    rungs = space(trials=9, fidelity={"epochs": [2, 6]})
    short = [finished(n, {"lr": float(n)}, 1.0 + n, schedule=2) for n in range(3)]
    crash = [finished(3 + n, {"lr": 0.0}, None, Status.FAILED, origin=Origin.PROMOTION) for n in range(2)]
    proposer = Proposer(rungs, Counting())
    assert proposer.propose([*short, crash[0]], [], 4, 9).config == {"lr": 0.0}
    assert proposer.propose([*short, *crash], [], 5, 9).origin is Origin.NEW
