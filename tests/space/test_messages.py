"""Bad space files: one message each, with line, key path, what was got, what is allowed, the nearest valid name."""

from pathlib import Path

import pytest

from hpsearch.errors import Problem, SpaceError
from hpsearch.space.load import load

GOOD = """\
goal: x
train: {function: "m:f"}
parameters:
  lr: {type: real, low: 0.05, high: 3.2, scale: log}
  batch: {type: choice, values: [64, 128]}
objective: {metric: val_loss, mode: min}
sampler: {name: tpe}
stopping: {rule: none}
budget: {trials: 4}
start_with: [{lr: 0.1}]
resources: {cpus: 1}
"""
LR = "lr: {type: real, low: 0.05, high: 3.2, scale: log}"
BATCH = "batch: {type: choice, values: [64, 128]}"

CASES = [
    # what to change, into what, then line, key, words of the message, got, allowed, hint
    ("sampler:", "samplr:", 7, "samplr", "unknown key 'samplr'", None, "goal, train", "'sampler'"),
    ("name: tpe", "nmae: tpe", 7, "sampler.nmae", "unknown key 'nmae'", None, "name, startup_trials", "'name'"),
    ("scale: log", "scal: log", 4, "parameters.lr.scal", "unknown key", None, "low, high, scale, step", "'scale'"),
    ("name: tpe", "name: tpi", 7, "sampler.name", "allowed values", "tpi", "tpe, gp, grid or factorial", "'tpe'"),
    ("rule: none", "rule: halvin", 8, "stopping.rule", "allowed values", "halvin", "median or halving", "'halving'"),
    ("scale: log", "scale: lgo", 4, "parameters.lr.scale", "allowed values", "lgo", "linear, log or log1m", "'log'"),
    ("type: real", "type: rael", 4, "parameters.lr.type", "allowed values", "rael", "real, integer, choice", "'real'"),
    ("type: real, ", "", 4, "parameters.lr.type", "'type' is missing", None, "real, integer, choice, constant", None),
    ("low: 0.05, ", "", 4, "parameters.lr.low", "the key 'low' is missing", None, None, None),
    (LR, "lr: 0.1", 4, "parameters.lr", "must be a mapping", "0.1", None, None),
    ("low: 0.05", "low: abc", 4, "parameters.lr.low", "valid number", "'abc'", None, None),
    ("low: 0.05", "low: true", 4, "parameters.lr.low", "valid number", "True", None, None),
    ("low: 0.05", "low: .inf", 4, "parameters.lr.low", "finite", "inf", None, None),
    ("low: 0.05", "low: 5", 4, "parameters.lr.low", "low must not be above high", "5.0", "at most 3.2", None),
    ("low: 0.05", "low: 0", 4, "parameters.lr.low", "a log scale cannot reach zero", "0.0", "above 0", None),
    ("low: 0.05", "low: -1", 4, "parameters.lr.low", "a log scale cannot reach zero", "-1.0", "above 0", None),
    ("scale: log", "step: 0", 4, "parameters.lr.step", "greater than 0", "0", None, None),
    ("scale: log", "scale: log, step: .1", 4, "parameters.lr.step", "no equal steps", "0.1", None, "leave out"),
    ("high: 3.2, scale: log", "high: 1, scale: log1m", 4, "parameters.lr.high", "reach 1", "1", "below 1", None),
    ("0.05, high: 3.2, scale: log", "-.1, high: 0, scale: log1m", 4, "parameters.lr.low", "0", "-0.1", "0 or", None),
    ("3.2, scale: log", ".95, scale: log1m, step: .1", 4, "parameters.lr.step", "no equal steps", "0.1", None, "log1m"),
    ("scale: log", "step: 1.0", 4, "parameters.lr.high", "whole number of steps", "3.2", None, "3.05?"),
    (LR, "lr: {type: integer, low: 0, high: 9, scale: log}", 4, "parameters.lr.low", "log", "0", "1 or more", None),
    (LR, "lr: {type: integer, low: 1.5, high: 9}", 4, "parameters.lr.low", "valid integer", "1.5", None, None),
    (LR, "lr: {type: integer, low: 1, high: 9, step: 3}", 4, "parameters.lr.high", "steps", "9", None, "7?"),
    (LR, "lr: {type: integer, low: 9, high: 1}", 4, "parameters.lr.low", "above high", "9", "at most 1", None),
    ("[64, 128]", "[]", 5, "parameters.batch.values", "at least one value", "[]", None, None),
    ("[64, 128]", "[64, 64]", 5, "parameters.batch.values.1", "must differ", "64", None, None),
    ("[64, 128]", "[1, true]", 5, "parameters.batch.values.1", "must differ", "True", None, None),
    ("[64, 128]", "[64, null]", 5, "parameters.batch.values.1", "allowed kinds", "None", "valid integer or", None),
    ("[64, 128]", "[.nan]", 5, "parameters.batch.values.0", "finite", "nan", None, None),
    ("[64, 128]", "64", 5, "parameters.batch.values", "must be a list", "64", None, None),
    ("  lr:", "  1r:", 4, "parameters.1r", "cannot name a parameter", None, "letters, digits", None),
    ("  lr:", "  a..b:", 4, "parameters.a..b", "cannot name a parameter", None, "letters, digits", None),
    ("scale: log", "when: {bach: 64}", 4, "parameters.lr.when.bach", "not a parameter", None, "lr, batch", "'batch'"),
    ("scale: log", "when: {batch: 65}", 4, "parameters.lr.when.batch", "never has", "65", "64, 128", None),
    ("scale: log", "when: {batch: []}", 4, "parameters.lr.when.batch", "at least 1 item", "()", None, None),
    ("values: [64", "when: {lr: 1}, values: [64", 5, "parameters.batch.when.lr", "a condition needs", None, None, None),
    ("scale: log", "when: {lr: 1}", 4, "parameters.lr.when.lr", "a condition needs a choice", None, None, None),
    ("val_loss", "test_loss", 6, "objective.metric", "must not look at test data", "'test_loss'", None, "val_loss"),
    ("mode: min", "mode: minimise", 6, "objective.mode", "allowed values", "minimise", "min or max", None),
    (", mode: min", "", 6, "objective.mode", "the key 'mode' is missing", None, None, None),
    (
        "name: tpe",
        "name: sobol, startup_trials: 3",
        7,
        "sampler.startup_trials",
        "no model",
        None,
        None,
        "leave it out",
    ),
    ("trials: 4", "trials: 0", 9, "budget.trials", "greater than or equal to 1", "0", None, None),
    ("trials: 4", "trials: 4, hours: 0", 9, "budget.hours", "greater than 0", "0", None, None),
    ("trials: 4", "trials: 4, hours: 1:30", 9, "budget.hours", "valid number", "'1:30'", None, None),
    ("rule: none", "rule: none, grace: 0", 8, "stopping.grace", "greater than 0", "0", None, None),
    (
        "cpus: 1",
        "cpus: 1, gpus: all",
        11,
        "resources.gpus",
        "kinds of value",
        "'all'",
        "'auto' or a valid number",
        None,
    ),
    ("cpus: 1", "cpus: 1, gpus: -1", 11, "resources.gpus", "allowed kinds", "-1", "'auto' or greater than", None),
    ("{lr: 0.1}", "{lr: 9}", 10, "start_with.0.lr", "outside the range of lr", "9", "0.05 .. 3.2, log", None),
    ("{lr: 0.1}", "{}, {batch: 65}", 10, "start_with.1.batch", "outside the range", "65", "64, 128", None),
    ("{lr: 0.1}", "{lr: a}", 10, "start_with.0.lr", "outside the range of lr", "'a'", "0.05 .. 3.2, log", None),
    ("{lr: 0.1}", "{rl: 1}", 10, "start_with.0.rl", "'rl' is not a parameter", None, "lr, batch", None),
    ("[{lr: 0.1}]", "{lr: 0.1}", 10, "start_with", "must be a list", None, None, None),
    ("goal: x", "seed: -1", 1, "seed", "greater than or equal to 0", "-1", None, None),
    ("goal: x", "goal: [x]", 1, "goal", "valid string", "['x']", None, None),
    (f"\n  {LR}\n  {BATCH}\n", " {}\n", 3, "parameters", "at least 1 item", None, None, None),
    ("goal: x", "goal: x\ngoal: y", 2, "goal", "given twice", None, None, None),
    ("goal: x", "goal: !!python/name:os.system x", 1, "goal", "tags are not used", "python", None, None),
]


def problem(tmp_path: Path, text: str) -> Problem:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(SpaceError) as caught:
        load(str(file))
    (only,) = caught.value.problems
    assert only.file == file
    return only


def test_the_file_that_is_broken_below_is_good(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    load(str(file))


@pytest.mark.parametrize(("old", "new", "line", "key", "what", "got", "allowed", "hint"), CASES)
def test_a_bad_file_gets_one_clear_message(
    tmp_path: Path, old: str, new: str, line: int, key: str, what: str, got: str | None, allowed: str | None,
    hint: str | None,
) -> None:  # fmt: skip
    assert GOOD.count(old) == 1
    found = problem(tmp_path, GOOD.replace(old, new))
    assert (found.line, found.key) == (line, key)
    assert what in found.what
    for expected, shown in ((got, found.got), (allowed, found.allowed), (hint, found.hint)):
        assert expected is None or expected in (shown or ""), found
    assert "pydantic" not in str(found)


@pytest.mark.parametrize("block", ["objective", "budget"])
def test_a_missing_block_is_named(tmp_path: Path, block: str) -> None:
    lines = [line for line in GOOD.splitlines(keepends=True) if not line.startswith(block)]
    assert problem(tmp_path, "".join(lines)).what == f"the key '{block}' is missing"


def test_conditions_that_depend_on_each_other(tmp_path: Path) -> None:
    a = "a: {type: choice, values: [1, 2], when: {b: 1}}"
    b = "b: {type: choice, values: [1, 2], when: {a: 1}}"
    found = problem(tmp_path, GOOD.replace(BATCH, f"{a}\n  {b}"))
    assert found.what == "conditions that depend on each other: a -> b -> a"
    assert (found.line, found.key) == (5, "parameters.a.when")


def test_a_parameter_cannot_depend_on_itself(tmp_path: Path) -> None:
    found = problem(tmp_path, GOOD.replace(BATCH, "a: {type: choice, values: [1, 2], when: {a: 1}}"))
    assert found.what == "conditions that depend on each other: a -> a"


def test_every_wrong_key_of_a_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD.replace("low: 0.05", "low: abc").replace("trials: 4", "trials: 0"))
    with pytest.raises(SpaceError) as caught:
        load(str(file))
    assert [found.key for found in caught.value.problems] == ["parameters.lr.low", "budget.trials"]
