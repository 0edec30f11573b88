from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch

from trainer.optim.nesterov import NesterovSGD
from trainer.schedules import Schedule

STEPS = 40
WEIGHT_DECAY, MOMENTUM = 5e-2, 0.9
RNG = np.random.default_rng(0)
CURVATURE, START = RNG.uniform(0.1, 1, 5), RNG.normal(size=5)

Rates = Callable[[int], float]


def triangle(step: int) -> float:
    return Schedule(epochs=(0, 10, 40), values=(0, 0.4, 0)).at(step + 1)


def constant(step: int) -> float:
    return 0.1


def ours(velocity: Literal["torch", "scaled"], rates: Rates, loss_scale: float = 1.0) -> np.ndarray:
    """Minimise the quadratic sum(CURVATURE * w**2) / 2, in two parameters of different shapes."""
    parameters = [torch.tensor(START[:2]).requires_grad_(), torch.tensor(START[2:]).reshape(3, 1).requires_grad_()]
    optimizer = NesterovSGD(parameters, velocity)
    for step in range(STEPS):
        for parameter in parameters:
            parameter.grad = None
        w = torch.cat([parameter.flatten() for parameter in parameters])
        (loss_scale * (torch.tensor(CURVATURE) * w**2).sum() / 2).backward()
        optimizer.step(rates(step), WEIGHT_DECAY, MOMENTUM, loss_scale)
    return torch.cat([parameter.detach().flatten() for parameter in parameters]).numpy()


def reference(velocity: str, rates: Rates) -> np.ndarray:
    """The update rules as they are written in the literature, in NumPy."""
    w, v = START.copy(), np.zeros(5)
    for step in range(STEPS):
        g, lr = CURVATURE * w + WEIGHT_DECAY * w, rates(step)
        if velocity == "torch":  # Sutskever's form as PyTorch has it
            v = MOMENTUM * v + g
            w = w - lr * (g + MOMENTUM * v)
        else:  # the form of the series: the velocity is a step
            u = -lr * g
            v = MOMENTUM * v + u
            w = w + u + MOMENTUM * v
    return w


@pytest.mark.parametrize("rates", [constant, triangle])
@pytest.mark.parametrize("velocity", ["torch", "scaled"])
@pytest.mark.parametrize("loss_scale", [1.0, 512.0])
def test_follows_the_reference(velocity: Literal["torch", "scaled"], rates: Rates, loss_scale: float) -> None:
    np.testing.assert_allclose(ours(velocity, rates, loss_scale), reference(velocity, rates), rtol=1e-12)


def torch_sgd(rates: Rates) -> np.ndarray:
    w = torch.tensor(START).requires_grad_()
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rates(step)
        optimizer.zero_grad()
        ((torch.tensor(CURVATURE) * w**2).sum() / 2).backward()
        optimizer.step()
    return w.detach().numpy()


@pytest.mark.parametrize("rates", [constant, triangle])
def test_torch_velocity_is_that_of_torch(rates: Rates) -> None:
    np.testing.assert_allclose(ours("torch", rates), torch_sgd(rates), rtol=1e-12)


def test_the_conventions_agree_at_constant_lr_and_differ_under_a_schedule() -> None:
    np.testing.assert_allclose(ours("scaled", constant), ours("torch", constant), rtol=1e-12)
    difference = np.abs(ours("scaled", triangle) / ours("torch", triangle) - 1)
    assert difference.min() > 0.01


def test_the_summed_form_of_the_series_is_the_same() -> None:
    """Step lr/N on the summed gradient and decay wd*N are lr and wd on the mean: what ``loss_scale`` undoes."""
    n = 512
    w, v = START.copy(), np.zeros(5)
    for step in range(STEPS):
        u = -triangle(step) / n * (n * CURVATURE * w + WEIGHT_DECAY * n * w)
        v = MOMENTUM * v + u
        w = w + u + MOMENTUM * v
    np.testing.assert_allclose(ours("scaled", triangle, loss_scale=n), w, rtol=1e-12)
