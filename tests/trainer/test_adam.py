import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.quadratic import CURVATURE, START, STEPS, Rates, constant, minimised, of_torch, tensors, triangle
from trainer.optim.adam import Adam

BETA2, EPSILON, WEIGHT_DECAY = 0.98, 1e-3, 5e-2


def fixed(step: int) -> float:
    return 0.9


def falling(step: int) -> float:
    return 0.95 - 0.5 * step / STEPS


def adam(decoupled: bool, dtype: torch.dtype = torch.float64) -> Adam:
    return Adam(tensors(dtype), BETA2, EPSILON, decoupled)


def reference(rates: Rates, decoupled: bool, beta1: Rates) -> np.ndarray:
    """The mean of gradients as what it is: a weighted one, divided by the sum of its weights."""
    w, slopes = START.copy(), []
    for step in range(STEPS):
        lr = rates(step)
        slopes.append(CURVATURE * w + (0 if decoupled else WEIGHT_DECAY * w))
        first = [(1 - beta1(i)) * np.prod([beta1(j) for j in range(i + 1, step + 1)]) for i in range(step + 1)]
        second = [(1 - BETA2) * BETA2 ** (step - i) for i in range(step + 1)]
        mean, square = np.average(slopes, 0, first), np.average(np.square(slopes), 0, second)
        w = w - (lr * WEIGHT_DECAY * w if decoupled else 0) - lr * mean / (np.sqrt(square) + EPSILON)
    return w


@pytest.mark.parametrize("rates", [constant, triangle])
@pytest.mark.parametrize("beta1", [fixed, falling])
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("loss_scale", [1.0, 500.0])
def test_follows_the_reference(rates: Rates, beta1: Rates, decoupled: bool, loss_scale: float) -> None:
    found = minimised(adam(decoupled), rates, WEIGHT_DECAY, beta1, loss_scale)
    np.testing.assert_allclose(found, reference(rates, decoupled, beta1), rtol=1e-9)


@pytest.mark.parametrize("rates", [constant, triangle])
@pytest.mark.parametrize("decoupled", [True, False])
def test_is_that_of_torch(rates: Rates, decoupled: bool) -> None:
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    theirs = kind(tensors(), betas=(0.9, BETA2), eps=EPSILON, weight_decay=WEIGHT_DECAY)
    found = minimised(adam(decoupled), rates, WEIGHT_DECAY, fixed)
    np.testing.assert_allclose(found, of_torch(theirs, rates), rtol=1e-11)


def test_coupled_and_decoupled_decay_differ_and_are_the_same_at_0() -> None:
    with_decay, without = (
        [minimised(adam(decoupled), triangle, decay, fixed) for decoupled in (False, True)] for decay in (0.1, 0.0)
    )
    assert np.abs(with_decay[0] / with_decay[1] - 1).min() > 0.01
    np.testing.assert_array_equal(*without)


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=30), st.floats(1e-3, 1e3), st.sampled_from([1, -1]))
def test_a_constant_gradient_moves_by_the_learning_rate_whatever_the_betas_were(
    betas: list[float], size: float, sign: int
) -> None:
    """A mean of equal gradients is that gradient, from the first step on: what the corrections are for."""
    rule, lr = Adam([torch.zeros(1, dtype=torch.float64)], BETA2, 1e-12, decoupled=True), 0.01
    for step, beta1 in enumerate(betas, start=1):
        rule.parameters[0].grad = torch.full((1,), sign * size, dtype=torch.float64)
        rule.step(lr, 0.0, beta1)
        assert rule.parameters[0].item() == pytest.approx(-sign * lr * step, rel=1e-6)


def test_no_learning_rate_no_step() -> None:
    np.testing.assert_array_equal(minimised(adam(True), lambda step: 0.0, WEIGHT_DECAY, fixed), START)


@pytest.mark.parametrize("decoupled", [True, False])
def test_goes_on_from_its_state_exactly(decoupled: bool) -> None:
    """In fp32, with a beta1 that changes, so that the corrections are not to be had from a number of steps."""
    straight, first, second = (adam(decoupled, torch.float32) for _ in range(3))
    expected = minimised(straight, triangle, WEIGHT_DECAY, falling)
    minimised(first, triangle, WEIGHT_DECAY, falling, steps=range(17))
    with torch.no_grad():
        for new, old in zip([*second.parameters, *second.state()], [*first.parameters, *first.state()], strict=True):
            new.copy_(old)
    np.testing.assert_array_equal(minimised(second, triangle, WEIGHT_DECAY, falling, steps=range(17, STEPS)), expected)
