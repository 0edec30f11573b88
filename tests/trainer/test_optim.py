from typing import Literal

import numpy as np
import pytest
import torch

from tests.trainer.quadratic import CURVATURE, START, STEPS, Rates, constant, minimised, of_torch, tensors, triangle
from trainer.optim.sgd import SGD

WEIGHT_DECAY, MOMENTUM = 5e-2, 0.9

Velocity = Literal["torch", "scaled"]


def momentum(step: int) -> float:
    return MOMENTUM


def falling(step: int) -> float:
    return MOMENTUM - 0.3 * step / STEPS


def ours(
    velocity: Velocity,
    rates: Rates,
    loss_scale: float = 1.0,
    nesterov: bool = True,
    decoupled: bool = False,
    momentum: Rates = momentum,
) -> np.ndarray:
    rule = SGD(tensors(), velocity, nesterov, decoupled)
    return minimised(rule, rates, WEIGHT_DECAY, momentum, loss_scale)


def reference(
    velocity: str, rates: Rates, nesterov: bool = True, decoupled: bool = False, momentum: Rates = momentum
) -> np.ndarray:
    """The update rules as they are written in the literature, in NumPy."""
    w, v = START.copy(), np.zeros(5)
    for step in range(STEPS):
        lr, rho = rates(step), momentum(step)
        g = CURVATURE * w + (0 if decoupled else WEIGHT_DECAY * w)
        decay = lr * WEIGHT_DECAY * w if decoupled else 0
        if velocity == "torch":  # Sutskever's form as PyTorch has it
            v = rho * v + g
            w = w - decay - lr * (g + rho * v if nesterov else v)
        else:  # the form of the series: the velocity is a step
            u = -lr * g
            v = rho * v + u
            w = w - decay + (u + rho * v if nesterov else v)
    return w


@pytest.mark.parametrize("rates", [constant, triangle])
@pytest.mark.parametrize("velocity", ["torch", "scaled"])
@pytest.mark.parametrize("loss_scale", [1.0, 512.0])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("decoupled", [True, False])
def test_follows_the_reference(
    velocity: Velocity, rates: Rates, loss_scale: float, nesterov: bool, decoupled: bool
) -> None:
    for rho in (momentum, falling):
        found = ours(velocity, rates, loss_scale, nesterov, decoupled, rho)
        np.testing.assert_allclose(found, reference(velocity, rates, nesterov, decoupled, rho), rtol=1e-11)


@pytest.mark.parametrize("rates", [constant, triangle])
@pytest.mark.parametrize("nesterov", [True, False])
def test_torch_velocity_is_that_of_torch(rates: Rates, nesterov: bool) -> None:
    theirs = torch.optim.SGD(tensors(), lr=1.0, momentum=MOMENTUM, nesterov=nesterov, weight_decay=WEIGHT_DECAY)
    np.testing.assert_allclose(ours("torch", rates, nesterov=nesterov), of_torch(theirs, rates), rtol=1e-12)


@pytest.mark.parametrize("nesterov", [True, False])
def test_the_conventions_agree_at_constant_lr_and_differ_under_a_schedule(nesterov: bool) -> None:
    found = {
        (velocity, rates): ours(velocity, rates, nesterov=nesterov)
        for velocity in ("torch", "scaled")
        for rates in (constant, triangle)
    }
    np.testing.assert_allclose(found["scaled", constant], found["torch", constant], rtol=1e-11)
    assert np.abs(found["scaled", triangle] / found["torch", triangle] - 1).min() > 0.01


@pytest.mark.parametrize("velocity", ["torch", "scaled"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_coupled_and_decoupled_decay_are_the_same_without_momentum_only(velocity: Velocity, nesterov: bool) -> None:
    def pair(momentum: Rates) -> list[np.ndarray]:
        return [ours(velocity, triangle, 1.0, nesterov, decoupled, momentum) for decoupled in (False, True)]

    np.testing.assert_allclose(*pair(lambda step: 0.0), rtol=1e-11)
    coupled, decoupled = pair(momentum)
    assert np.abs(coupled / decoupled - 1).min() > 0.01


@pytest.mark.parametrize("velocity", ["torch", "scaled"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_what_decays_alone_shrinks_by_the_decay_of_each_step_or_by_that_of_the_momentum_too(
    velocity: Velocity, nesterov: bool
) -> None:
    """Without a gradient: decoupled by exactly 1 - lr * wd; coupled by about 1 - lr * wd / (1 - momentum)."""
    lr, lengths = 0.01, {}
    for decoupled in (True, False):
        rule, norms = SGD([torch.ones(1, dtype=torch.float64)], velocity, nesterov, decoupled), []
        for _ in range(300):
            rule.parameters[0].grad = torch.zeros(1, dtype=torch.float64)
            rule.step(lr, WEIGHT_DECAY, MOMENTUM)
            norms.append(rule.parameters[0].item())
        lengths[decoupled] = norms
    assert lengths[True] == pytest.approx([(1 - lr * WEIGHT_DECAY) ** step for step in range(1, 301)], rel=1e-12)
    late = lengths[False][-1] / lengths[False][-2]
    assert 1 - late == pytest.approx(lr * WEIGHT_DECAY / (1 - MOMENTUM), rel=0.06)


def test_the_summed_form_of_the_series_is_the_same() -> None:
    """Step lr/N on the summed gradient and decay wd*N are lr and wd on the mean: what ``loss_scale`` undoes."""
    n = 512
    w, v = START.copy(), np.zeros(5)
    for step in range(STEPS):
        u = -triangle(step) / n * (n * CURVATURE * w + WEIGHT_DECAY * n * w)
        v = MOMENTUM * v + u
        w = w + u + MOMENTUM * v
    np.testing.assert_allclose(ours("scaled", triangle, loss_scale=n), w, rtol=1e-12)
