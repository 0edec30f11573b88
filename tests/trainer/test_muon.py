import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.optim.muon import Muon, orthogonalised

ROUNDS = 5
SHAPES = [(64, 27), (64, 64 * 9), (16, 144), (200, 20), (8, 8)]


def with_singular_values(shape: tuple[int, int], values: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(shape[0], len(values))))
    right, _ = np.linalg.qr(rng.normal(size=(shape[1], len(values))))
    return left * values @ right.T


def by_hand(matrix: np.ndarray, iterations: int) -> np.ndarray:
    """The polynomial on the singular values alone, by NumPy's decomposition."""
    left, s, right = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.sqrt((s**2).sum())
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return left * s @ right


def ours(matrix: np.ndarray, iterations: int = ROUNDS, dtype: torch.dtype = torch.float64) -> np.ndarray:
    return orthogonalised(torch.tensor(matrix), iterations, dtype).numpy()


@pytest.mark.parametrize("iterations", [1, 3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_polynomial_of_the_singular_values(shape: tuple[int, int], iterations: int) -> None:
    matrix = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(ours(matrix, iterations), by_hand(matrix, iterations), atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_near_the_orthogonal_factor(shape: tuple[int, int], dtype: torch.dtype) -> None:
    """Singular values over two decades all come near 1, with the singular vectors of the matrix.

    The polynomial leaves values in [0.68, 1.21], whose cosine with a vector of ones is at least 0.96; bf16 has 8 bits.
    """
    values = np.geomspace(1, 0.02, min(shape))
    matrix = with_singular_values(shape, values)
    result = ours(matrix, dtype=dtype)
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    found = np.linalg.svd(result, compute_uv=False)
    assert found.min() > 0.6
    assert found.max() < 1.3
    cosine = (result * (left @ right)).sum() / np.linalg.norm(result) / np.sqrt(len(values))
    assert cosine > 0.95


@given(st.floats(1e-30, 1e30))
def test_the_length_of_the_gradient_does_not_matter(length: float) -> None:
    matrix = np.random.default_rng(0).normal(size=(4, 9))
    np.testing.assert_allclose(ours(length * matrix), ours(matrix), rtol=1e-9, atol=1e-12)


def test_a_matrix_of_zeros_stays_one() -> None:
    assert not ours(np.zeros((3, 4)), dtype=torch.float32).any()


def quadratic(weights: list[torch.Tensor], targets: list[np.ndarray]) -> torch.Tensor:
    return torch.stack(
        [((weight - torch.tensor(target)) ** 2).sum() / 2 for weight, target in zip(weights, targets, strict=True)]
    ).sum()


@pytest.mark.parametrize("loss_scale", [1.0, 512.0])
def test_steps_follow_a_second_implementation(loss_scale: float) -> None:
    """On a quadratic, for a wide, a tall and a channels-last weight; the gradient is w - target."""
    rng = np.random.default_rng(0)
    shapes = [(4, 3, 3, 3), (8, 5, 1, 1), (4, 3, 3, 3)]
    starts, targets = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
    weights = [torch.tensor(start) for start in starts]
    weights[2] = weights[2].contiguous(memory_format=torch.channels_last)
    muon = Muon([weight.requires_grad_() for weight in weights], ROUNDS, torch.float64)
    velocities = [np.zeros(shape) for shape in shapes]
    for lr, momentum in [(0.1, 0.6), (0.05, 0.6), (0.01, 0.5)]:
        for weight in weights:
            weight.grad = None
        (loss_scale * quadratic(weights, targets)).backward()
        muon.step(lr, 0.0, momentum, loss_scale)
        for i, (w, target) in enumerate(zip(starts, targets, strict=True)):
            g = loss_scale * (w - target)
            velocities[i] = momentum * velocities[i] + g
            u = (g + momentum * velocities[i]).reshape(len(w), -1)
            starts[i] = w / np.linalg.norm(w) * np.sqrt(len(w)) - lr * by_hand(u, ROUNDS).reshape(w.shape)
    for weight, velocity, w, v in zip(weights, muon.velocities, starts, velocities, strict=True):
        np.testing.assert_allclose(weight.detach().numpy(), w, atol=1e-10)
        np.testing.assert_allclose(velocity.numpy(), v, rtol=1e-10, atol=1e-10)
    assert weights[2].is_contiguous(memory_format=torch.channels_last)
