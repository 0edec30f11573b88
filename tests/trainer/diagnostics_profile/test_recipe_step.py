"""The step in pieces is the step of the training loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainer.conftest import CPU, weights
from tests.trainer.diagnostics_profile.plain_step import network, plain_step
from trainer import loop, recipe
from trainer.batches import Split
from trainer.diagnostics import step as step_module
from trainer.diagnostics.recipe_step import of_recipe
from trainer.diagnostics.step import clock_name, seconds, seconds_of_beginning
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

BLOCKS = [
    {},
    {"label_smoothing": 0.2, "augment": {"alternate": True, "groups": 7}, "average": {"every": 2, "momentum": 0.9}},
    {"precision": "bf16", "optimizer": {"muon": {"lr": 0.1, "momentum": 0.6, "iterations": 3}}, "drop_last": True},
]


def changed(chosen: Recipe, blocks: dict) -> Recipe:
    data = chosen.model_dump(mode="json")
    merged = {
        name: {**data[name], **value} if isinstance(value, dict) and data[name] else value
        for name, value in blocks.items()
    }
    return recipe.load({**data, **merged})


@pytest.mark.parametrize("blocks", BLOCKS)
def test_an_epoch_of_such_steps_trains_as_the_loop_does(tiny: Recipe, splits: dict[str, Split], blocks: dict) -> None:
    chosen = changed(with_overrides(tiny, {"epochs": 1}), blocks)
    expected = loop.start(chosen, 3, CPU, splits["train"], 10)
    list(loop.fit(expected, splits["train"]))
    step, run = of_recipe(chosen, 3, CPU, splits["train"], 10)
    assert step.epoch_steps == 4
    for number in range(4):
        step.take(number)
    np.testing.assert_array_equal(weights(run.judged), weights(expected.judged))
    np.testing.assert_array_equal(weights(run.network), weights(expected.network))


def test_it_is_the_middle_of_the_schedule(tiny: Recipe, splits: dict[str, Split]) -> None:
    """From the weights that the loop comes to in half of the epochs, one more epoch is the loop's next."""
    expected = loop.start(tiny, 3, CPU, splits["train"], 10)
    epochs = loop.fit(expected, splits["train"])
    for _ in range(2):
        next(epochs)
    step, run = of_recipe(tiny, 3, CPU, splits["train"], 10)
    run.network.load_state_dict(expected.network.state_dict())
    run.update.restore(expected.update.state())
    next(epochs)
    for number in range(4):
        step.take(number)
    np.testing.assert_array_equal(weights(run.network), weights(expected.network))


def test_a_smaller_last_batch_is_no_step_to_look_at(tiny: Recipe, splits: dict[str, Split]) -> None:
    step, _ = of_recipe(with_overrides(tiny, {"batch_size": 64}), 0, CPU, splits["train"], 10)
    assert step.epoch_steps == 4
    assert [len(step.batch(number)[1]) for number in range(6)] == [64] * 6
    assert torch.equal(step.batch(0)[0], step.batch(3)[0])


def test_the_time_of_a_step(tiny: Recipe, splits: dict[str, Split]) -> None:
    step, _ = of_recipe(tiny, 0, CPU, splits["train"], 10)
    assert 0 < seconds_of_beginning(step) < seconds(step, 3) < 1
    assert clock_name(CPU) == "processor"
    torch.set_num_threads(2)
    assert clock_name(CPU) == "wall"


def test_a_moment_in_which_the_machine_is_busy_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of five steps takes a hundred times as long; with periods of five all of them do."""
    now = [0.0]
    busy = plain_step(network())
    monkeypatch.setattr(step_module, "clock", lambda _: now[0])

    def take(number: int) -> None:
        now[0] += 100.0 if number == 3 else 1.0

    slow = replace(busy, update=take)
    assert seconds(slow, 5) == 1.0
    assert seconds(replace(slow, period=5), 5) == pytest.approx(104 / 5)
