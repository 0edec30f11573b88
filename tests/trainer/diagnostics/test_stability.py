"""The limit of the learning rate on functions whose curvature is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trainer.diagnostics.nets import batches, small
from trainer.diagnostics.hessian import Hessian
from trainer.diagnostics.lanczos import leading
from trainer.diagnostics.stability import descend, grows

CURVATURES = torch.tensor([8.0, 2.0, 0.5, 0.0])


class Point(nn.Module):
    """Its output is its parameter, whatever the input."""

    def __init__(self, start: list[float]) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, _: Tensor) -> Tensor:
        return self.at


DATA = [(torch.zeros(1), torch.zeros(1))]


def quadratic(at: Tensor, _: Tensor) -> Tensor:
    return (CURVATURES * at.square()).sum() / 2


def test_losses_of_a_descent_on_a_quadratic() -> None:
    """Each part of the loss shrinks by (1 - lr curvature)^2 a step, and the module stays where it is."""
    point = Point([1.0, 1.0, 1.0, 1.0])
    losses = descend(point, quadratic, DATA, "running", lr=0.2, steps=5, bound=1e3)
    expected = [float((CURVATURES * (1 - 0.2 * CURVATURES) ** (2 * t)).sum() / 2) for t in range(6)]
    assert losses == pytest.approx(expected, rel=1e-6)
    assert torch.equal(point.at, torch.ones(4).double())


@pytest.mark.parametrize(
    ("factor", "unstable"), [(0.5, False), (0.98, False), (1.02, True), (2.0, True), (1e200, True)]
)
@pytest.mark.parametrize("top", [1.0, 0.01])
def test_the_limit_is_two_over_the_curvature(factor: float, unstable: bool, top: float) -> None:
    """Also from a point where the leading direction has little of the loss, so that the loss falls at first."""
    rate = factor * 2 / 8.0
    losses = descend(Point([top, 1.0, 1.0, 1.0]), quadratic, DATA, "running", rate, steps=150, bound=1e6)
    assert grows(losses) == unstable
    if factor == 2.0:
        assert losses[-1] > 1e6 >= losses[-2], "it ends with the loss that is out of bounds"


def test_a_loss_that_is_not_finite_ends_the_list() -> None:
    losses = descend(Point([2.0, 0.0, 0.0, 0.0]), lambda at, _: at.exp().sum(), DATA, "running", -1e3, 9, math.inf)
    assert len(losses) == 2
    assert not math.isfinite(losses[-1])
    assert grows(losses)


def logarithm_of_length(at: Tensor, _: Tensor) -> Tensor:
    """A scale-invariant loss: 1 - cos of the angle to the first axis, as of a weight before batch norm."""
    return 1 - at[0] / at.norm()


def test_growth_that_calms_itself_is_seen() -> None:
    """The curvature of a scale-invariant loss falls as steps, all orthogonal to the weight, make it longer."""
    point = Point([1.0, 0.1, 0.0, 0.0])
    curvature = leading(
        Hessian(point, logarithm_of_length, DATA, "running").times,
        4, 1, most_steps=4, tolerance=1e-9, dtype=torch.float64,
    ).values.item()  # fmt: skip
    wild = descend(point, logarithm_of_length, DATA, "running", 2 * 2 / curvature, steps=200, bound=10.0)
    calm = descend(point, logarithm_of_length, DATA, "running", 0.5 * 2 / curvature, steps=200, bound=10.0)
    assert max(wild) > 2 * wild[0] > wild[-1]
    assert grows(wild)
    assert not grows(calm)


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ([1.0, 0.9, 0.8], False),
        ([1.0, 0.5, 0.505], False),
        ([1.0, 0.5, 0.6, 0.4], True),
        ([1.0, 1.5], True),
        ([1.0, math.nan], True),
        ([1.0, math.inf], True),
        ([1.0], False),
        ([], False),
    ],
)
def test_the_verdict(losses: list[float], verdict: bool) -> None:
    assert grows(losses) == verdict


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("norm", ["none", "torch"])
def test_networks_are_stable_at_half_the_limit_and_not_at_twice(norm: str, mode: str) -> None:
    """Where a network of few parameters has come to after some descent."""
    net, data = small(norm), batches()
    hessian = Hessian(net, F.cross_entropy, data, mode)
    for _ in range(100):
        for parameter, part in zip(net.parameters(), _gradient(hessian), strict=True):
            parameter.data -= 0.05 * part
    top = leading(hessian.times, hessian.size, 1, most_steps=100, tolerance=1e-3, dtype=torch.float64).values.item()
    limit = 2 / top
    assert not grows(descend(net, F.cross_entropy, data, mode, 0.5 * limit, steps=20, bound=100.0))
    assert grows(descend(net, F.cross_entropy, data, mode, 2 * limit, steps=20, bound=100.0))


def _gradient(hessian: Hessian) -> list[Tensor]:
    gradient = hessian.gradient()
    sizes = [parameter.numel() for parameter in hessian.parameters]
    return [part.view_as(w) for part, w in zip(gradient.split(sizes), hessian.parameters, strict=True)]
