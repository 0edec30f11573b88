"""What Optuna is told of each trial, and that extending a study is the same as building it anew."""

import math
from datetime import datetime

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from hpsearch.samplers.by_name import make_sampler
from hpsearch.samplers.optuna_study import MirroredStudy
from hpsearch.trial import FinishedTrial, PendingTrial, Status
from tests.samplers.trials import finished, pending
from tests.space.examples import CONDITIONAL, LR, make_space

CURVE = ((1, 2.0), (2, 1.5), (4, math.nan))


def told(mirror: MirroredStudy, history: list[FinishedTrial], waiting: list[PendingTrial]) -> list[FrozenTrial]:
    trials = mirror.sync(history, waiting).get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state is not TrialState.FAIL]


def facts(trial: FrozenTrial) -> tuple[object, ...]:
    value = trial.value if trial.state is TrialState.COMPLETE else None
    return trial.state, trial.params, trial.distributions, value, trial.intermediate_values, trial.constraints


def test_each_status_is_told_as_what_it_is() -> None:
    space = make_space({"lr": LR, "momentum": {"type": "constant", "value": 0.9}})
    config = {"lr": 0.1, "momentum": 0.9}
    history = [
        finished(0, config, 3.0),
        finished(1, config, 1.5, Status.STOPPED, CURVE),
        finished(2, config, 0.1, Status.DIVERGED, CURVE),
        finished(3, config, 0.2, Status.FAILED),
        finished(4, config, None),
        finished(5, config, 1.0),
    ]
    found = told(MirroredStudy(space), history, [pending(6, {"lr": 0.2, "momentum": 0.9})])
    complete, stopped, diverged, nothing, best, running = found
    assert all(set(trial.params) == {"lr"} for trial in found)
    assert (complete.state, complete.value, complete.constraints) == (TrialState.COMPLETE, 3.0, {"diverged": 0.0})
    assert complete.intermediate_values == {1: 5.0, 2: 4.0, 3: 3.0}
    assert (stopped.state, stopped.intermediate_values) == (TrialState.PRUNED, {1: 2.0, 2: 1.5})
    assert stopped.constraints == {"diverged": 0.0}
    for trial in (diverged, nothing):  # the worst of all objectives that are results, and infeasible
        assert (trial.state, trial.value, trial.constraints) == (TrialState.COMPLETE, 3.0, {"diverged": 1.0})
    assert best.value == 1.0
    assert (running.state, running.params) == (TrialState.RUNNING, {"lr": 0.2})


def test_without_divergence_nothing_is_constrained() -> None:
    found = told(MirroredStudy(make_space()), [finished(0, {"lr": 0.1}, 1.0)], [])
    assert found[0].constraints == {}


def test_the_worst_value_depends_on_the_mode() -> None:
    space = make_space(objective={"metric": "val_accuracy", "mode": "max"})
    values = [finished(n, {"lr": 0.1}, value) for n, value in enumerate((0.3, 0.9))]
    study = MirroredStudy(space).sync([*values, finished(2, {"lr": 0.1}, 0.99, Status.DIVERGED)], [])
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert study.trials[2].value == 0.3


def test_a_pruned_trial_is_not_mistaken_for_a_final_value() -> None:
    """The fault of bridges that tell a stopped trial as COMPLETE: its early low value would pass for the best."""
    space = make_space({"lr": LR}, sampler={"name": "tpe"})
    history = [finished(n, {"lr": 10 ** (-n / 4)}, 5.0 - n / 10) for n in range(12)]
    stopped = [finished(12 + n, {"lr": 0.9 + n / 100}, 0.0, Status.STOPPED, ((1, 0.0),)) for n in range(8)]
    told_right = make_sampler(space).suggest([*history, *stopped], [], 20)["lr"]
    completed = [finished(trial.number, trial.config, 0.0) for trial in stopped]
    told_wrong = make_sampler(space).suggest([*history, *completed], [], 20)["lr"]
    assert isinstance(told_right, float)
    assert isinstance(told_wrong, float)
    assert told_right < 0.1 < told_wrong


def test_diverged_settings_are_avoided() -> None:
    space = make_space({"lr": LR}, sampler={"name": "tpe", "startup_trials": 4})
    good = [finished(n, {"lr": 10 ** (-1 - n / 6)}, 1.0 + n / 100) for n in range(6)]
    diverged = [finished(6 + n, {"lr": 0.7 + n / 100}, None, Status.DIVERGED) for n in range(10)]
    suggestions = [make_sampler(space).suggest([*good, *diverged], [], number)["lr"] for number in range(16, 26)]
    assert all(isinstance(lr, float) and lr < 0.5 for lr in suggestions)


@st.composite
def searches(draw: st.DrawFn) -> list[tuple[str, int, Status, float]]:
    """A schedule of starts and ends, in which trials end out of order, with every status."""
    steps = st.tuples(
        st.sampled_from(["start", "start", "end", "end", "forget"]),
        st.integers(0, 10),
        st.sampled_from(list(Status)),
        st.floats(-5, 5) | st.just(math.nan),
    )
    return draw(st.lists(steps, min_size=12, max_size=30))


@pytest.mark.parametrize("parameters", [CONDITIONAL, {"lr": LR}])
@settings(max_examples=30, deadline=None)
@given(search=searches())
def test_an_extended_study_suggests_what_a_new_one_does(
    parameters: dict[str, object], search: list[tuple[str, int, Status, float]]
) -> None:
    space = make_space(parameters, sampler={"name": "tpe", "startup_trials": 3})
    kept, mirror = make_sampler(space), MirroredStudy(space)
    history: list[FinishedTrial] = []
    waiting: list[PendingTrial] = []
    numbers = list(range(30, -1, -1))
    for action, which, status, value in search:
        if action == "start" or not waiting:
            number = numbers.pop()
            config = kept.suggest(history, waiting, number)
            assert config == make_sampler(space).suggest(history, waiting, number)
            waiting.append(pending(number, config))
        elif action == "end":
            trial = waiting.pop(which % len(waiting))
            curve = tuple((epoch, value + 1 / epoch) for epoch in range(1, 4))
            objective = value if math.isfinite(value) else None
            history.append(finished(trial.number, trial.config, objective, status, curve))
        else:  # a driver was killed, and a resumed one runs the trial again
            numbers.append(waiting.pop(which % len(waiting)).number)
        mirrored = told(mirror, history, waiting)
        anew = told(MirroredStudy(space), history, waiting)
        assert [facts(trial) for trial in mirrored] == [facts(trial) for trial in anew]


def test_a_history_that_goes_on_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_space()
    mirror = MirroredStudy(space)
    history = [finished(n, {"lr": 0.1}, float(n)) for n in range(50)]
    study = mirror.sync(history, [pending(50, {"lr": 0.2}), pending(51, {"lr": 0.3})])
    equal = [finished(n, {"lr": 0.1}, float(n)) for n in range(50)]
    later = mirror.sync([*equal, finished(51, {"lr": 0.3}, 0.5, Status.STOPPED)], [pending(50, {"lr": 0.2})])
    assert later is study
    assert mirror.sync([], []) is not study


def test_constant_parameters_are_not_told() -> None:
    space = make_space({"lr": LR, "a": {"type": "constant", "value": 1}})
    assert told(MirroredStudy(space), [], [pending(0, {"lr": 0.1, "a": 1})])[0].params == {"lr": 0.1}


def test_the_clock_plays_no_part() -> None:
    space = make_space()
    one = finished(0, {"lr": 0.1}, 1.0)
    other = finished(0, {"lr": 0.1}, 1.0)
    object.__setattr__(other, "finished_at", datetime.now().astimezone())
    assert make_sampler(space).suggest([one], [], 1) == make_sampler(space).suggest([other], [], 1)
