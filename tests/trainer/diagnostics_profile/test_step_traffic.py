"""The count of FLOP and bytes against counts written out by hand, and against those of the trainer."""

from collections import defaultdict

import pytest
import torch

from tests.trainer.conftest import CPU
from tests.trainer.diagnostics_profile.plain_step import network, plain_step
from trainer import flops, recipe
from trainer.batches import Shape, Split, to_device
from trainer.diagnostics.recipe_step import of_recipe
from trainer.diagnostics.step_traffic import Operator, count, size
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

N, W, FLOAT, INDEX = 4, 4, 4, 8
CIFAR = Shape(32, 32, 3)


@pytest.fixture(scope="module")
def images() -> Split:
    torch.manual_seed(0)
    return to_device(torch.randint(256, (40, *CIFAR), dtype=torch.uint8).numpy(), torch.arange(40).numpy() % 10, CPU)


def counted(name: str, images: Split, **changes: object) -> tuple[Recipe, list[Operator]]:
    of = recipe.load(name)
    small = {"model.width": W, "batch_size": N, "precision": "fp32", **changes}
    chosen = with_overrides(of, small)
    return chosen, count(of_recipe(chosen, 0, CPU, images, 10)[0])


def sums(operators: list[Operator]) -> dict[str, tuple[float, float]]:
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in operators:
        found[one.part][0] += one.calls * one.flop
        found[one.part][1] += one.calls * one.bytes
    return {part: (flop, moved) for part, (flop, moved) in found.items()}


def convolution(inputs: int, outputs: int, before: int, after: int, kernel: int, first: bool) -> tuple[int, int]:
    """FLOP and bytes of a convolution from images of side ``before`` to such of side ``after``, there and back."""
    x, y, w = N * inputs * before**2, N * outputs * after**2, outputs * inputs * kernel**2
    passes = 2 if first else 3  # no gradient of the images
    forward, backward = x + w + y, y + x + w + w + (0 if first else x)
    return passes * 2 * y * inputs * kernel**2, FLOAT * (forward + backward)


def norm(channels: int, side: int) -> int:
    """Bytes of batch norm: x to y; from the gradient of y, and x, to that of x; and the vectors of each channel."""
    x = N * channels * side**2
    forward = 2 * x + (2 + 2 + 2) * channels  # scale and shift, running statistics, those of the batch
    backward = 3 * x + (1 + 2 + 2 + 2) * channels  # scale, running statistics, those of the batch, two gradients
    return FLOAT * (forward + backward)


def activation(channels: int, side: int) -> int:
    return FLOAT * 5 * N * channels * side**2  # in place: read and written; gradient and output to gradient


def pool(channels: int, before: int, after: int) -> int:
    x, y = N * channels * before**2, N * channels * after**2
    return 2 * (FLOAT * (x + y) + INDEX * y) + FLOAT * x  # back: gradient, input and indices to gradient


def add(channels: int, side: int) -> int:
    return FLOAT * 3 * N * channels * side**2


def test_resnet9(images: Split) -> None:
    layers = [(3, W, 32, 32), (W, 2 * W, 32, 16), *[(2 * W, 2 * W, 16, 16)] * 2, (2 * W, 4 * W, 16, 8)]
    layers += [(4 * W, 8 * W, 8, 4), *[(8 * W, 8 * W, 4, 4)] * 2]  # inputs, outputs, side, side after pooling
    products = [convolution(i, o, side, side, 3, place == 0) for place, (i, o, side, _) in enumerate(layers)]
    chosen, operators = counted("post4_resnet9", images)
    found = sums(operators)
    assert found["convolution"] == tuple(map(sum, zip(*products, strict=True)))
    assert found["norm"] == (0, sum(norm(o, side) for _, o, side, _ in layers))
    assert found["activation"] == (0, sum(activation(o, after) for _, o, _, after in layers))
    pools = [(2 * W, 32, 16), (4 * W, 16, 8), (8 * W, 8, 4), (8 * W, 4, 1)]
    assert found["pooling"] == (0, sum(pool(*one) for one in pools))
    assert found["additions"] == (0, 2 * (add(2 * W, 16) + add(8 * W, 4)))  # of the branch, and of the gradients
    features, weights = N * 8 * W, 10 * 8 * W
    assert found["linear"][0] == 3 * 2 * N * 10 * 8 * W
    assert found["linear"][1] == FLOAT * 3 * (features + weights + N * 10)
    parameters = sum(o * i * 9 + 2 * o for i, o, _, _ in layers) + weights
    assert found["optimiser"] == (0, FLOAT * parameters * (3 + 2 + 2 + 3 + 3 + 3))  # five foreach calls on triples
    assert set(found) == {*_ALWAYS, "additions"}
    assert sum(flop for flop, _ in found.values()) == N * flops.cost(chosen, CIFAR, 10).image


_ALWAYS = {"convolution", "linear", "norm", "activation", "pooling", "loss", "optimiser", "augmentation"}
_ALWAYS |= {"other operators"}


def test_dawn(images: Split) -> None:
    """Four stages of two blocks: a 3x3 convolution to the block's width and another, 1x1 where the shape changes."""
    products = [convolution(3, W, 32, 32, 3, first=True)]
    norms, additions = [], []
    inputs, side = W, 32
    for outputs, stride in ((W, 1), (2 * W, 2), (4 * W, 2), (4 * W, 2)):
        for first in (True, False):
            after = side // stride if first else side
            norms += [(inputs, side), (outputs, after)]
            products += [
                convolution(inputs, outputs, side, after, 3, False),
                convolution(outputs, outputs, after, after, 3, False),
            ]
            if inputs != outputs or after != side:
                products.append(convolution(inputs, outputs, side, after, 1, False))
            additions += [add(outputs, after), add(inputs, side)]  # of the branch; of the gradients of what both read
            inputs, side = outputs, after
    chosen, operators = counted("post1_baseline", images)
    found = sums(operators)
    assert found["convolution"] == tuple(map(sum, zip(*products, strict=True)))
    assert found["norm"] == (0, sum(norm(*one) for one in norms))
    assert found["activation"] == (0, sum(activation(*one) for one in norms))
    assert found["additions"][1] == sum(additions) + add(4 * W, 4)  # both poolings of the head read the same
    assert sum(flop for flop, _ in found.values()) == N * flops.cost(chosen, CIFAR, 10).image


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("post8_05_ghost_norm", {"batch_size": 32}),
        ("post8_09_flip_test", {"batch_size": 32, "model.whitening.images": 10}),
        ("speed", {"model.whitening.images": 10, "model.whitening.bias_share": 0.0}),
    ],
)
def test_the_total_is_that_of_the_trainer(images: Split, name: str, changes: dict) -> None:
    chosen, operators = counted(name, images, **changes)
    cost = flops.cost(chosen, CIFAR, 10)
    total = sum(one.calls * one.flop for one in operators)
    assert total == pytest.approx(chosen.batch_size * cost.image + cost.step, rel=1e-12)


def test_what_is_rare_counts_by_its_share(images: Split) -> None:
    _, operators = counted("post8_08_average", images, batch_size=32, **{"model.whitening.images": 10})
    lerps = [one for one in operators if one.name == "_foreach_lerp_"]
    assert [(one.part, one.calls) for one in lerps] == [("optimiser", 0.2)]


def test_any_network_and_half_precision() -> None:
    """Casts read four bytes and write two for each number; a step has one period."""
    step = plain_step(of := network())
    half = plain_step(of)
    found = sums(count(step))
    assert {"convolution", "linear", "norm", "activation", "pooling", "loss", "augmentation"} <= set(found)
    assert "casts" not in found
    with torch.autocast("cpu", dtype=torch.bfloat16):
        in_half = sums(count(half))
    assert in_half["convolution"][0] == found["convolution"][0]
    assert in_half["convolution"][1] < 0.6 * found["convolution"][1]
    assert in_half["casts"][1] > 0


def test_the_size_of_what_is_repeated() -> None:
    row = torch.zeros(1, 7)
    assert size(row) == size(row.expand(5, 7)) == 28
    assert size(torch.zeros(5, 7, dtype=torch.bfloat16)) == 70
    assert size(torch.zeros(())) == 4
    assert size(torch.zeros(0, 3)) == 0
