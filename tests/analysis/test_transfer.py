"""Settings moved by the rules: closed forms, what must stay, what is warned of; and the benchmark that measures it."""

import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.transfer import Cost, on_grid, on_lcbench, row
from hpsearch.analysis.run_figures import figures_of
from hpsearch.analysis.transfer import Target, moved, transfer
from hpsearch.analysis.transfer_costs import BATCH_SIZE, MOMENTUM, nearest_cost
from hpsearch.errors import StudyError
from hpsearch.space.coordinates import Raw, Run
from tests.store.examples import make_space

PARAMETERS = {
    "lr": {"type": "real", "low": 0.05, "high": 1.6, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-5, "high": 1e-2, "scale": "log"},
    "batch_size": {"type": "choice", "values": [128, 256]},
    "momentum": {"type": "constant", "value": 0.9},
}
COORDINATES = {"optimizer": "sgd_nesterov", "examples": 50_000, "epochs": 24}
TUNED = {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 128, "momentum": 0.9}
SPACE = make_space(PARAMETERS, coordinates=COORDINATES)


def settings(transferred):
    after = transferred.after
    return after.lr, after.weight_decay, after.batch_size, after.momentum


@pytest.mark.parametrize(
    ("optimizer", "target", "expected"),
    [
        ("sgd_nesterov", Target(batch_size=512), (1.6, 5e-4, 512, 0.9)),
        ("sgd", Target(momentum=0.8), (0.8, 5e-4, 128, 0.8)),
        ("sgd", Target(batch_size=64, momentum=0.95), (0.1, 5e-4, 64, 0.95)),
        ("sgd", Target(epochs=48), (0.4, 2.5e-4, 128, 0.9)),
        ("sgd", Target(epochs=12, images=25_000), (0.4, 2e-3, 128, 0.9)),
        ("adamw", Target(batch_size=512), (0.8, 1e-3, 512, 0.9)),
        ("adamw", Target(momentum=0.8), (0.4, 5e-4, 128, 0.8)),
        ("adamw", Target(images=100_000), (0.4, 2.5e-4, 128, 0.9)),
    ],
)
def test_a_setting_moves_by_the_rules(optimizer, target, expected):
    space = make_space(PARAMETERS, coordinates={**COORDINATES, "optimizer": optimizer})
    assert settings(transfer(space, TUNED, target)) == pytest.approx(expected)


TARGETS = st.builds(
    Target,
    st.none() | st.integers(1, 4096),
    st.none() | st.floats(0, 0.99),
    st.none() | st.integers(1, 200),
    st.none() | st.integers(1000, 10**6),
)
RAWS = st.builds(Raw, st.floats(1e-4, 10), st.floats(1e-7, 0.1), st.integers(1, 4096).map(float), st.floats(0, 0.99))


@given(RAWS, TARGETS, st.sampled_from(["sgd", "sgd_nesterov", "adamw"]))
def test_the_rules_hold_rate_and_tau_and_lead_back(raw, target, optimizer):
    run = Run(optimizer, 50_000, 24)
    new_run = Run(optimizer, target.images or run.examples, target.epochs or run.epochs)
    there = moved(raw, run, new_run, target)
    before, after = figures_of(raw, run, 0.5), figures_of(there, new_run, 0.5)
    assert (after.rate, after.tau) == pytest.approx((before.rate, before.tau))
    assert after.memory / after.steps == pytest.approx(before.memory / before.steps)
    back = moved(there, new_run, run, Target(int(raw.batch_size), raw.momentum))
    assert (back.lr, back.weight_decay) == pytest.approx((raw.lr, raw.weight_decay))


@given(RAWS, TARGETS)
def test_what_does_not_change_need_not_be_known(raw, target):
    assume(target.epochs is None and target.images is None)
    known, unknown = Run("adamw", 50_000, 24), Run("adamw")
    one, other = moved(raw, known, known, target), moved(raw, unknown, unknown, target)
    assert (one.lr, one.weight_decay) == pytest.approx((other.lr, other.weight_decay))


def test_no_weight_decay_stays_none():
    space = make_space({**PARAMETERS, "weight_decay": {"type": "constant", "value": 0.0}}, coordinates=COORDINATES)
    assert transfer(space, {**TUNED, "weight_decay": 0.0}, Target(epochs=5, batch_size=256)).after.weight_decay == 0


def test_a_space_of_coordinates_moves_like_one_of_raw_values():
    parameters = {
        "rate": {"type": "real", "low": 1e-3, "high": 1.0, "scale": "log"},
        "tau": {"type": "real", "low": 0.01, "high": 1.0, "scale": "log"},
        "batch_size": {"type": "constant", "value": 128},
    }
    space = make_space(parameters, coordinates={**COORDINATES, "reference": {"momentum": 0.9}})
    config = {"rate": 0.4 / 0.1 / 128, "tau": 0.1 / (0.4 * 5e-4 * 50_000 * 24 / 128), "batch_size": 128}
    target = Target(batch_size=512, epochs=12)
    assert settings(transfer(space, config, target)) == pytest.approx(settings(transfer(SPACE, TUNED, target)))


def test_each_change_has_its_rule_and_the_measured_cost():
    moving = transfer(SPACE, TUNED, Target(batch_size=1024, momentum=0.5, epochs=24, images=10_000))
    assert [change.name for change in moving.changes] == ["batch_size", "momentum", "examples"]
    batch, momentum, examples = moving.changes
    assert (batch.before, batch.after, batch.cost) == (128, 1024, BATCH_SIZE[4])
    assert "lr / batch_size" in batch.rule and "lr / (1 - momentum)" in momentum.rule
    assert momentum.cost == MOMENTUM[5] and examples.cost is None and "tau held" in examples.rule
    adamw = make_space(PARAMETERS, coordinates={**COORDINATES, "optimizer": "adamw"})
    (change,) = transfer(adamw, TUNED, Target(batch_size=1024)).changes
    assert "sqrt" in change.rule and change.cost is None


@pytest.mark.parametrize(
    ("factor", "known"), [(1.2, 2), (3, 4), (1000, 16), (0.5, 1 / 4), (0.999, 1 / 4), (1.001, 2), (9, 16)]
)
def test_the_nearest_cost_is_of_a_change_the_same_way(factor, known):
    assert nearest_cost(BATCH_SIZE, factor) is BATCH_SIZE[known]


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        ({"lr": 1.6}, Target(batch_size=256), "sat at the high end of its range 0.05 .. 1.6: the setting may not"),
        ({"lr": 1.6}, Target(momentum=0.95), "the best one may lie higher"),
        ({"lr": 0.05}, Target(momentum=0.95), "sat at the low end of its range"),
        ({"weight_decay": 1e-5}, Target(batch_size=256), "weight_decay 1e-05 sat at the low end"),
        ({}, Target(batch_size=1024), "batch_size 1024 is far outside what was searched, 128 .. 256"),
        ({}, Target(batch_size=32), "batch_size 32 is far outside what was searched, 128 .. 256"),
        ({}, Target(momentum=0.98), "try the old lr as well"),
    ],
)
def test_what_the_rules_may_not_hold_for_is_said(change, target, words):
    warnings = transfer(SPACE, {**TUNED, **change}, target).warnings
    assert any(words in warning for warning in warnings)


def test_a_good_move_has_no_warning_and_a_capped_lr_only_the_stronger_one():
    assert transfer(SPACE, TUNED, Target(batch_size=256)).warnings == ()
    assert transfer(SPACE, TUNED, Target(batch_size=900)).warnings == ()
    (cost,) = transfer(SPACE, TUNED, Target(batch_size=64)).warnings
    assert "try the old lr" in cost
    warnings = transfer(SPACE, {**TUNED, "lr": 1.6}, Target(momentum=0.95)).warnings
    assert len([warning for warning in warnings if warning.startswith("lr ")]) == 1


def test_a_momentum_on_its_own_scale_is_at_the_bound_of_that():
    momentum = {"type": "real", "low": 0.1, "high": 0.99, "scale": "log1m"}
    space = make_space({**PARAMETERS, "momentum": momentum}, coordinates=COORDINATES)
    assert transfer(space, {**TUNED, "momentum": 0.95}, Target(batch_size=256)).warnings == ()
    (warning,) = transfer(space, {**TUNED, "momentum": 0.989}, Target(batch_size=256)).warnings
    assert warning.startswith("momentum 0.989 sat at the high end")


def test_what_is_off_about_the_new_run_and_was_not_before_is_said():
    (finding,) = transfer(SPACE, TUNED, Target(epochs=1, batch_size=256)).findings
    assert (finding.quantity, finding.limit) == ("steps", "below 200")
    assert transfer(SPACE, {**TUNED, "weight_decay": 1e-5}, Target(batch_size=256)).findings == ()


@pytest.mark.parametrize(
    ("coordinates", "target", "missing"),
    [
        ({}, Target(batch_size=64), "optimizer"),
        ({"optimizer": "sgd"}, Target(epochs=64), "epochs"),
        ({"optimizer": "sgd", "epochs": 2}, Target(images=64), "examples"),
        ({"optimizer": "sgd", "batch_size": "batch"}, Target(momentum=0.5), "batch_size"),
    ],
)
def test_what_is_not_known_is_named(coordinates, target, missing):
    with pytest.raises(StudyError, match=rf"what this is in its runs: {missing}\n.*\n.*coordinates:"):
        transfer(make_space(PARAMETERS, coordinates=coordinates), TUNED, target)


def test_a_move_to_where_the_setting_is_changes_nothing():
    with pytest.raises(StudyError, match="nothing changes"):
        transfer(SPACE, TUNED, Target(batch_size=128, momentum=0.9, epochs=24, images=50_000))


def table(loss):
    """Return the trials of a grid with factors of two, four for the weight decay."""
    axes = ([2.0**k for k in range(-6, 5)], [4.0**k for k in range(-8, 0)], [64, 128, 256], [0.8, 0.9])
    names = ("lr", "weight_decay", "batch_size", "momentum")
    configs = [dict(zip(names, values, strict=True)) for values in product(*axes)]
    return [(config, loss(**config)) for config in configs]


def test_where_only_rate_and_tau_matter_the_benchmark_finds_that_the_rules_cost_nothing():
    def loss(lr, weight_decay, batch_size, momentum):
        rate = lr / (1 - momentum) / batch_size
        return math.log(rate / 2**-7 / 10) ** 2 + math.log(rate * weight_decay / (10 * 2**-7 * 4**-5)) ** 2

    rows = {one.change: one for one in on_grid(table(loss))}
    assert {"batch size x2", "batch size /4", "momentum 0.8 -> 0.9", "lr x4, its decay by tau or kept"} <= set(rows)
    moves = [one for change, one in rows.items() if not change.startswith("lr")]
    assert all(one.by_rule == pytest.approx(0, abs=1e-9) and one.kept > 0.5 for one in moves)
    assert all(one.at_bound == one.clipped == 0 for one in moves)
    lr = rows["lr x4, its decay by tau or kept"]
    assert lr.by_rule == pytest.approx(math.log(4) ** 2) and lr.kept == pytest.approx(2 * math.log(4) ** 2)


def test_where_only_the_learning_rate_matters_keeping_it_costs_nothing():
    rows = on_grid(table(lambda lr, **_: math.log(lr) ** 2))
    assert all(one.kept == 0 and one.by_rule > 0.4 for one in rows if not one.change.startswith("lr"))


def test_a_place_with_a_missing_training_is_left_out():
    rows = on_grid(table(lambda lr, **_: math.log(lr) ** 2)[1:])  # without batch size 64, momentum 0.8
    assert "batch size /4" not in {one.change for one in rows}  # one move is left, which has no standard error
    assert {one.n for one in rows if one.change == "batch size x2"} == {3}


def test_moves_from_a_bound_are_counted_apart_and_each_group_once():
    inside, bound = Cost(0.1, 0.5, False, False), Cost(1.0, 0.0, True, True)
    one = row("x", [[inside, inside, bound], [replace(inside, by_rule=0.3)], [bound]])
    assert one is not None and (one.n, one.by_rule, one.kept) == (2, pytest.approx(0.2), 0.5)
    assert one.by_rule_error == pytest.approx(0.1)  # |0.3 - 0.1| / 2
    assert (one.at_bound, one.clipped) == (pytest.approx(2 / 5), pytest.approx(2 / 5))
    assert (one.by_rule_at_bound, one.kept_at_bound) == (1.0, 0.0)
    assert row("x", [[bound], [inside]]) is None


def test_the_costs_that_are_printed_are_those_of_the_benchmark():
    pytest.importorskip("onnxruntime")
    from benchmarks.lcbench import FOLDER, problems

    if not FOLDER.is_dir():
        pytest.skip(f"no surrogate in {FOLDER}")
    rows = {one.change: one for one in on_lcbench(problems())}
    for cost in (*BATCH_SIZE.values(), *MOMENTUM.values()):
        measured = rows[cost.change]
        assert (cost.by_rule, cost.kept) == pytest.approx((measured.by_rule, measured.kept), abs=0.001)
