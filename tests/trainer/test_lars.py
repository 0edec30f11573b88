import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.weight_decay import equilibrium_rotation, lars_rate
from tests.trainer.quadratic import CURVATURE, PARTS, START, STEPS, Rates, constant, minimised, tensors, triangle
from trainer.optim.lars import LARS
from trainer.optim.sgd import SGD

MOMENTUM = 0.8

Velocity = Literal["torch", "scaled"]
VELOCITIES: list[Velocity] = ["torch", "scaled"]

POWERS = st.integers(-20, 20).map(lambda power: 2.0**power)
"""A factor that changes no digit, so that what should be equal is so exactly."""


def momentum(step: int) -> float:
    return MOMENTUM


def reference(velocity: Velocity, rates: Rates, weight_decay: float) -> np.ndarray:
    """The local rate of the paper, |w| / (|g| + wd |w|), in Nesterov's form; each tensor by itself."""
    w, v = START.copy(), np.zeros(5)
    for step in range(STEPS):
        for part in PARTS:
            slope, lr = CURVATURE[part] * w[part], rates(step)
            length = np.linalg.norm(w[part])
            local = length / (np.linalg.norm(slope) + weight_decay * length)
            u = local * (slope + weight_decay * w[part])
            if velocity == "torch":
                v[part] = MOMENTUM * v[part] + u
                w[part] -= lr * (u + MOMENTUM * v[part])
            else:
                v[part] = MOMENTUM * v[part] + lr * u
                w[part] -= lr * u + MOMENTUM * v[part]
    return w


@pytest.mark.parametrize("rates", [constant, lambda step: triangle(step) / 10])
@pytest.mark.parametrize("velocity", VELOCITIES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("loss_scale", [1.0, 512.0])
def test_follows_the_reference(rates: Rates, velocity: Velocity, weight_decay: float, loss_scale: float) -> None:
    found = minimised(LARS(tensors(), velocity), rates, weight_decay, momentum, loss_scale)
    np.testing.assert_allclose(found, reference(velocity, rates, weight_decay), rtol=1e-8)


def stepped(w: np.ndarray, slopes: list[np.ndarray], velocity: Velocity, weight_decay: float = 0.0) -> np.ndarray:
    rule = LARS([torch.tensor(w)], velocity)
    for slope in slopes:
        rule.parameters[0].grad = torch.tensor(slope)
        rule.step(0.03, weight_decay, MOMENTUM)
    return rule.parameters[0].numpy()


@given(POWERS, st.lists(POWERS, min_size=1, max_size=5), st.sampled_from(VELOCITIES), st.integers(0, 99))
def test_only_the_direction_of_gradients_counts_and_steps_grow_with_the_weight(
    length: float, sizes: list[float], velocity: Velocity, seed: int
) -> None:
    """Each gradient longer by its own factor: the same weights. Weights longer by a factor: so is every step."""
    rng = np.random.default_rng(seed)
    w, slopes = rng.normal(size=(3, 2)), [rng.normal(size=(3, 2)) for _ in sizes]
    usual = stepped(w, slopes, velocity)
    scaled = [size * slope for size, slope in zip(sizes, slopes, strict=True)]
    np.testing.assert_array_equal(stepped(w, scaled, velocity), usual)
    np.testing.assert_array_equal(stepped(length * w, scaled, velocity), length * usual)


@given(POWERS, st.sampled_from(VELOCITIES), st.integers(0, 99))
def test_with_decay_both_together_count_not_their_lengths(length: float, velocity: Velocity, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, slopes = rng.normal(size=4), list(rng.normal(size=(3, 4)))
    longer = [length * slope for slope in slopes]
    np.testing.assert_array_equal(
        stepped(length * w, longer, velocity, 0.1), length * stepped(w, slopes, velocity, 0.1)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("velocity", VELOCITIES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_zeros_take_no_step_beside_others_that_do(dtype: torch.dtype, velocity: Velocity, weight_decay: float) -> None:
    zero, one = torch.zeros(3, dtype=dtype), torch.ones(3, dtype=dtype)
    parameters = [zero.clone(), one.clone(), one.clone()]
    rule = LARS(parameters, velocity)
    for _ in range(3):
        for parameter, slope in zip(parameters, [one, zero, one], strict=True):
            parameter.grad = slope.clone()
        rule.step(0.1, weight_decay, MOMENTUM)
    assert torch.equal(parameters[0], zero)
    assert torch.equal(parameters[1], one)
    assert (parameters[2] < one).all()
    assert parameters[2].isfinite().all()


def test_no_learning_rate_no_step() -> None:
    for velocity in VELOCITIES:
        rule = LARS(tensors(), velocity)
        np.testing.assert_array_equal(minimised(rule, lambda step: 0.0, 0.1, momentum), START)


@pytest.mark.parametrize("velocity", VELOCITIES)
@pytest.mark.parametrize(
    ("w", "g", "weight_decay"),
    [
        (1e-4, 60.0, 0.0),  # the squares of 1e-4 are below the least number of fp16
        (60.0, 1e-4, 0.0),  # the sum of the squares of 60 is above its largest, as is 60 / 1e-4
        (1e-4, 1e-4, 0.0),
        (0.01, 2.0**-24, 0.4 * 2.0**-24 / 0.01),  # the decay is less than the least number, which g is
    ],
)
def test_nothing_is_lost_in_fp16(velocity: Velocity, w: float, g: float, weight_decay: float) -> None:
    """A gradient along w, which is therefore halved."""
    weight = torch.full((40_000,), w, dtype=torch.float16)
    weight.grad = torch.full((40_000,), g, dtype=torch.float16)
    LARS([weight], velocity).step(0.5, weight_decay, 0.0)
    np.testing.assert_allclose(weight.numpy(), w / 2, rtol=0.01)


@pytest.mark.parametrize("velocity", VELOCITIES)
def test_the_equivalent_rate_turns_weights_as_sgd_does_in_balance(velocity: Velocity) -> None:
    """Random gradients orthogonal to w and as 1 / |w|, of 2000 numbers; SGD from its balance on, LARS from anywhere."""
    lr, weight_decay, rho = 0.1, 0.001, 0.9
    balance = (lr / (2 * weight_decay * (1 - rho))) ** 0.25
    rate = float(lars_rate(lr, weight_decay, rho))
    sgd = turning(SGD(starting(balance), velocity), lr, weight_decay, rho)
    lars = turning(LARS(starting(7.0), velocity), rate, 0.0, rho)
    assert lars == pytest.approx(sgd, rel=0.01)
    assert sgd == pytest.approx(float(equilibrium_rotation("sgd_nesterov", lr, weight_decay, rho)), rel=0.02)


def starting(length: float) -> list[torch.Tensor]:
    w = torch.randn(2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return [w * (length / w.norm())]


def turning(rule: SGD, lr: float, weight_decay: float, rho: float, steps: int = 1000) -> float:
    """Return the root mean square angle between steps, after the first 100."""
    random, angles, (w,) = torch.Generator().manual_seed(1), [], rule.parameters
    for _ in range(steps):
        slope = torch.randn(len(w), generator=random, dtype=torch.float64)
        slope -= slope @ w / (w @ w) * w
        w.grad, before = slope / slope.norm() / w.norm(), w.clone()
        rule.step(lr, weight_decay, rho)
        angles.append(math.acos(min(1.0, float(before @ w / before.norm() / w.norm()))))
    return math.sqrt(np.mean(np.square(angles[100:])))
