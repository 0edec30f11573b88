"""One run of a recipe as its source ran it."""

import json
import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hpsearch.errors import RecipeError
from tests.trainer.conftest import CPU
from trainer import data, recipe, reproduce
from trainer.batches import Normalizer, Shape, to_device
from trainer.blocks import Trace
from trainer.evaluate import NO_SCORE, evaluate
from trainer.final import train_final
from trainer.flops import petaflop
from trainer.loop import fit, start
from trainer.overrides import with_overrides
from trainer.peak import Peak
from trainer.recipe import Recipe
from trainer.reproduce import Outcome, Stopwatch, check, scaled, training_values


def outcome_of(chosen: Recipe, digits: data.Dataset) -> Outcome:
    return reproduce.reproduce(chosen, digits, 3, CPU, lambda _: None)


def test_it_is_the_training_on_all_images(tiny: Recipe, digits: data.Dataset) -> None:
    reports: list[Any] = []
    outcome = reproduce.reproduce(tiny, digits, 3, CPU, reports.append)
    expected = list(train_final(tiny, data.find("digits"), seed=3, device="cpu"))
    assert outcome.accuracy == expected[-1]["test_accuracy"]
    assert [report["train_loss"] for report in reports] == [report["train_loss"] for report in expected]
    assert (outcome.images, outcome.epochs, outcome.precision) == (1437, 4, "fp32")
    assert outcome.test_loss is not None
    assert 0 < outcome.test_loss < 3


def test_test_images_are_not_seen_before_the_end(tiny: Recipe, digits: data.Dataset) -> None:
    reports: list[Any] = []
    reproduce.reproduce(tiny, digits, 0, CPU, reports.append)
    assert not [name for report in reports for name in report if name.startswith(("test", "val"))]


def test_a_trace_takes_no_time_of_it(tiny: Recipe, digits: data.Dataset) -> None:
    reports: list[Any] = []
    reproduce.reproduce(tiny.model_copy(update={"trace": Trace()}), digits, 0, CPU, reports.append)
    assert len(reports) == 4
    assert not any("tables" in report for report in reports)


def test_the_average_is_judged(tiny: Recipe, digits: data.Dataset) -> None:
    data_ = {**tiny.model_dump(mode="json"), "average": {"every": 2, "momentum": 0.9}, "test_time": "flip"}
    averaged = recipe.load(data_)
    train = to_device(digits.train_images, digits.train_labels, CPU)
    test = to_device(digits.test_images, digits.test_labels, CPU)
    run = start(averaged, 3, CPU, train, 10)
    list(fit(run, train))
    normalize = Normalizer(averaged.data.mean, averaged.data.std, CPU)
    expected = evaluate(run.judged, test, normalize, run.precision, "flip")
    assert evaluate(run.network, test, normalize, run.precision, "none") != expected
    outcome = outcome_of(averaged, digits)
    assert (outcome.test_loss, outcome.accuracy) == (expected.loss, expected.accuracy)


def test_the_clock_runs_over_preparation_and_training_only(
    tiny: Recipe, digits: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before the first epoch counts, what comes after the last does not."""
    spent = [0.0]  # on a clock of our own: half a second to start, two in each epoch, half a minute in the test

    def slowly(seconds: float, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: spent.append(seconds) or function(*arguments)  # type: ignore[func-returns-value]

    monkeypatch.setattr(reproduce, "time", SimpleNamespace(perf_counter=lambda: sum(spent), process_time=time.time))
    monkeypatch.setattr(reproduce, "start", slowly(0.5, start))
    monkeypatch.setattr(reproduce, "evaluate", slowly(30.0, evaluate))
    epochs: list[Any] = []
    outcome = reproduce.reproduce(tiny, digits, 0, CPU, slowly(2.0, epochs.append))
    assert (outcome.seconds, outcome.eval_seconds, len(epochs)) == (8.5, 30.0, 4)
    assert outcome.images_per_second == 4 * 1437 / 8.5
    assert tiny.drop_last is False
    assert outcome.flops_per_second == pytest.approx(outcome.petaflop * 1e15 / 8.5)


def test_images_that_are_left_out_are_not_counted(tiny: Recipe, digits: data.Dataset) -> None:
    outcome = outcome_of(with_overrides(tiny, {"drop_last": True, "batch_size": 100, "epochs": 1}), digits)
    assert (outcome.images, outcome.images_trained) == (1437, 1400)
    assert outcome.images_per_second == 1400 / outcome.seconds


def test_processor_time_does_not_pass_while_nothing_is_computed() -> None:
    watch = Stopwatch(CPU)
    with watch:
        time.sleep(0.2)
    assert watch.seconds >= 0.2
    assert watch.cpu_seconds < 0.15


def test_arithmetic(tiny: Recipe, digits: data.Dataset) -> None:
    assert outcome_of(tiny, digits).petaflop == petaflop(tiny, Shape(8, 8, 1), 10, 1437)


def test_a_diverged_run_is_a_result(tiny: Recipe, digits: data.Dataset) -> None:
    outcome = outcome_of(with_overrides(tiny, {"lr": 1e25}), digits)
    assert (outcome.accuracy, outcome.test_loss) == (None, None)
    assert outcome.epochs < 4
    assert outcome.petaflop == pytest.approx(outcome.epochs / 4 * petaflop(tiny, Shape(8, 8, 1), 10, 1437))


def test_a_network_that_computes_no_numbers_has_diverged(
    tiny: Recipe, digits: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduce, "evaluate", lambda *_: NO_SCORE)
    assert math.isnan(NO_SCORE.loss)
    assert outcome_of(tiny, digits).accuracy is None


@pytest.mark.parametrize(("width", "channels"), [(64, 64), (8, 8), (1, 1), (None, 64)])
def test_the_width_stands_for_the_64_of_the_series(width: int | None, channels: int) -> None:
    assert scaled(recipe.load("post4_resnet9"), width).model.width == channels


def test_a_network_of_another_width_keeps_its_ratio() -> None:
    assert scaled(recipe.load("post4_7_double_width"), 8).model.width == 16
    assert scaled(recipe.load("digits_quickstart"), 2).model.width == 1  # a quarter of a channel


def test_scaling_brings_the_whole_schedule_along() -> None:
    short = scaled(recipe.load("post4_resnet9"), None, 12)
    assert (short.epochs, short.schedule.lr.epochs) == (12, (0, 2.5, 12))
    assert scaled(short) == short


def test_only_what_decides_a_run_is_compared(tiny: Recipe) -> None:
    expect = recipe.load("post4_resnet9").expect
    said = {"about": "other words", "post": "9", "evidence": (), "expect": expect, "trace": Trace()}
    assert training_values(tiny.model_copy(update=said)) == training_values(tiny)
    assert training_values(with_overrides(tiny, {"augment.cutout": 3})) != training_values(tiny)
    values = json.loads(training_values(tiny))
    whole = tiny.model_dump(mode="json", exclude_defaults=True)
    unsaid = {name: value for name, value in whole.items() if name not in said}
    assert values == unsaid


def test_the_ceiling_is_that_of_the_format_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(reproduce, "measure", lambda *where: asked.append(where) or Peak(2.0, 3.0))
    monkeypatch.setattr(reproduce, "supported", lambda _: frozenset({"fp32", "bf16"}))
    assert reproduce.ceiling(recipe.load("post4_resnet9"), CPU) == 3.0
    assert asked == [(CPU, "bf16")]  # in the place of fp16


@pytest.mark.parametrize(
    ("name", "changes", "key"),
    [
        ("digits_quickstart", {"batch_size": 1438}, "batch_size"),
        ("digits_quickstart", {"data.mean": [1.0, 2.0, 3.0], "data.std": [1.0, 2.0, 3.0]}, "data.mean"),
    ],
)
def test_what_does_not_fit_the_images_is_known_before(name: str, changes: dict[str, Any], key: str) -> None:
    values = recipe.load(name).model_dump(mode="json")
    for path, value in changes.items():
        block, _, leaf = path.rpartition(".")
        (values[block] if block else values)[leaf] = value
    with pytest.raises(RecipeError, match=key):
        check(recipe.load(values), data.find("digits"))
