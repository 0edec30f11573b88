import numpy as np
import pytest
import torch

from trainer.losses import cross_entropy

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(scale=3, size=(7, 5)), RNG.integers(0, 5, 7)


def by_hand(smoothing: float) -> float:
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    return float(np.mean((1 - smoothing) * -log_p[np.arange(7), LABELS] + smoothing * -log_p.mean(1)))


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_mixes_the_cross_entropy_with_the_mean_over_classes(smoothing: float) -> None:
    loss = cross_entropy(torch.tensor(LOGITS), torch.tensor(LABELS), smoothing)
    assert loss.item() == pytest.approx(by_hand(smoothing), rel=1e-12)


def test_gradient_is_the_probability_less_the_smoothed_target() -> None:
    logits = torch.tensor(LOGITS, requires_grad=True)
    cross_entropy(logits, torch.tensor(LABELS), 0.2).backward()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    target = 0.8 * np.eye(5)[LABELS] + 0.2 / 5
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), (p - target) / 7, rtol=1e-10, atol=1e-15)
