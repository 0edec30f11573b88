"""The way of the series, parameters in fp16 as well: on the CPU, which computes it slowly but by the same code."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.trainer.conftest import CPU
from trainer import loop, recipe
from trainer.average import WeightAverage
from trainer.batches import Normalizer, Split, to_device
from trainer.evaluate import evaluate
from trainer.loop import Run, start, train_step
from trainer.models.norm import BatchNorm
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

IMAGES = 32


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return to_device(rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, IMAGES), CPU)


@pytest.fixture(autouse=True)
def a_device_that_has_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "supported", lambda device: frozenset({"fp32", "fp16", "fp16_whole"}))


def small(name: str, **changes: Any) -> Recipe:
    chosen = recipe.load(name)
    images = {"model.whitening.images": IMAGES} if chosen.model.whitening else {}
    splits = min(chosen.model.norm.splits, 4)
    size = {"model.width": 8, "batch_size": IMAGES, "model.norm.splits": splits, "epochs": 10, **images}
    return with_overrides(chosen, {**size, **changes})


def steps(run: Run, train: Split, count: int) -> list[float]:
    recipe = run.recipe
    inputs = Normalizer(recipe.data.mean, recipe.data.std, CPU)(train.pixels)
    return [train_step(run, inputs, train.labels, 1 + i / 8)[0].item() / IMAGES for i in range(count)]


SYSTEMS = ["post1_baseline", "post3_1_fast_norm", "post4_resnet9", "post8_05_ghost_norm", "post8_09_flip_test", "speed"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_formats_are_as_the_recipe_says(name: str, train: Split) -> None:
    chosen = small(name, precision="fp16_whole")
    run = start(chosen, 0, CPU, train, 10)
    assert run.precision == "fp16_whole"
    of_norms = torch.float16 if chosen.model.norm.precision == "network" else torch.float32
    norms = {id(t) for m in run.network.modules() if isinstance(m, BatchNorm) for t in [*m.parameters(), *m.buffers()]}
    for tensor in [*run.network.parameters(), *run.network.buffers()]:
        assert tensor.dtype == (of_norms if id(tensor) in norms else torch.float16)
    parameters = [parameter for group in run.update.groups for parameter in group.rule.parameters]
    assert [velocity.dtype for velocity in run.update.state()] == [parameter.dtype for parameter in parameters]


@pytest.mark.parametrize("name", SYSTEMS)
def test_learns_as_in_fp32(name: str, train: Split) -> None:
    """One batch three times: losses within 0.05 nats of fp32 (later ones part), and every parameter moves."""
    found = {}
    for precision in ("fp32", "fp16_whole"):
        run = start(small(name, precision=precision), 0, CPU, train, 10)
        before = [parameter.detach().clone() for parameter in run.network.parameters()]
        found[precision] = steps(run, train, 3)
        assert all((a != b).any() for a, b in zip(before, run.network.parameters(), strict=True))
        normalize = Normalizer(run.recipe.data.mean, run.recipe.data.std, CPU)
        assert np.isfinite(evaluate(run.judged, train, normalize, run.precision, run.recipe.test_time).loss)
    np.testing.assert_allclose(found["fp16_whole"], found["fp32"], atol=0.05)
    assert found["fp32"][-1] < found["fp32"][0]


def test_an_average_of_fp16_does_not_stand_still() -> None:
    """A drift of 4 units in the last place is followed to the end, as in fp32."""
    network = torch.nn.Linear(1, 1).half()
    torch.nn.init.constant_(network.weight, 1.0)
    average = WeightAverage(network, every=5, momentum=0.99)
    torch.nn.init.constant_(network.weight, 1.00390625)
    for _ in range(500):
        average.update()
    assert average.network.weight.dtype == torch.float16
    expected = 1.00390625 - 0.00390625 * 0.99**500
    assert average.network.weight.item() == pytest.approx(expected, abs=5e-4)
    assert average.network.weight.item() > 1.003
