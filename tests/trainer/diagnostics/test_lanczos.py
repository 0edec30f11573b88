"""Leading eigenvalues against dense decompositions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.diagnostics.nets import batches, dense_hessian, small
from trainer.diagnostics.hessian import Hessian
from trainer.diagnostics.lanczos import Spectrum, leading


def symmetric(values: list[float], seed: int = 0) -> torch.Tensor:
    """A matrix of these eigenvalues, fp64."""
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return torch.tensor(rotation * np.array(values) @ rotation.T)


def solve(matrix: torch.Tensor, count: int, *, most_steps: int = 200, tolerance: float = 1e-6, **rest) -> Spectrum:
    rest = {"dtype": torch.float64} | rest
    return leading(lambda v: matrix.to(v) @ v, len(matrix), count, most_steps=most_steps, tolerance=tolerance, **rest)


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("norm", ["none", "torch", "ghost"])
def test_the_eigenvalues_of_a_network_in_fp32(norm: str, mode: str) -> None:
    """Within 0.1% of the dense matrix in fp64; at this point the Hessian has negative eigenvalues too."""
    net, data = small(norm, torch.float32), batches(torch.float32)
    hessian = Hessian(net, F.cross_entropy, data, mode)
    found = leading(hessian.times, hessian.size, 4, most_steps=150, tolerance=1e-4)
    dense = torch.linalg.eigvalsh(dense_hessian(small(norm), batches(), mode))
    assert dense[0] < -1e-3
    assert torch.allclose(found.values, dense.flip(0)[:4], rtol=1e-3)
    assert found.converged.all()
    assert found.steps == hessian.products < hessian.size


def test_outside_a_space() -> None:
    """(1 - QQ') H (1 - QQ') on the vectors orthogonal to Q, against the dense matrix in a basis of those."""
    net, data = small("none", torch.float32), batches(torch.float32)
    hessian = Hessian(net, F.cross_entropy, data, "running")
    whole = torch.linalg.qr(torch.randn(hessian.size, hessian.size, dtype=torch.float64))[0]
    first = leading(hessian.times, hessian.size, 2, most_steps=150, tolerance=1e-4)
    q = torch.linalg.qr(torch.cat([first.vectors.double() + 0.01 * whole[:, :2], whole[:, 2:5]], 1))[0]
    found = leading(hessian.times, hessian.size, 3, most_steps=150, tolerance=1e-4, outside=q.float())
    rest = torch.linalg.svd(q)[0][:, 5:]
    dense = torch.linalg.eigvalsh(rest.T @ dense_hessian(small("none"), batches(), "running") @ rest).flip(0)
    assert torch.allclose(found.values, dense[:3], rtol=1e-3)
    assert (q.float().T @ found.vectors).abs().max() < 1e-5
    assert found.converged.all(), "what leads into the space is no part of the residual"
    assert found.values[0] < 0.5 * first.values[0]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(-10, 10).map(lambda v: round(v, 1)), min_size=2, max_size=12),
    count=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_all_that_is_returned_is_an_eigenpair(values: list[float], count: int, seed: int) -> None:
    """Also of matrices with zeros, multiple and negative eigenvalues; with room for all, the largest are found."""
    count = min(count, len(values))
    matrix = symmetric(values, seed)
    found = solve(matrix, count, tolerance=0.0, seed=seed)
    scale = max(1.0, matrix.abs().max().item())
    assert torch.allclose(found.values, torch.tensor(sorted(values, reverse=True)[:count]).double(), atol=1e-9 * scale)
    assert torch.allclose(found.vectors.T @ found.vectors, torch.eye(count).double(), atol=1e-12)
    left = matrix @ found.vectors - found.vectors * found.values
    assert torch.allclose(left.norm(dim=0), found.residuals, atol=1e-9 * scale)


def test_it_is_the_largest_and_not_the_longest() -> None:
    found = solve(symmetric([-100.0, -50.0, *np.linspace(0, 1, 40), 3.0]), 1)
    assert found.values.item() == pytest.approx(3.0, rel=1e-6)
    assert found.converged.item()


def test_what_has_not_converged_says_so_with_its_real_residual() -> None:
    matrix = symmetric([1.0, *np.linspace(0, 0.99, 299)])
    found = solve(matrix, 5, most_steps=12)
    assert found.steps == 12
    assert not found.converged.any()
    left = (matrix @ found.vectors - found.vectors * found.values).norm(dim=0)
    assert torch.allclose(left, found.residuals, rtol=1e-9)
    nearest = (torch.linalg.eigvalsh(matrix)[:, None] - found.values).abs().amin(0)
    assert (nearest <= found.residuals).all()


def test_vectors_stay_orthonormal_where_plain_lanczos_loses_them() -> None:
    """A wide gap makes fp32 forget: without reorthogonalisation copies of the largest value would appear."""
    found = solve(symmetric([1000.0, *np.linspace(0, 1, 150)]), 6, tolerance=0.0, most_steps=100, dtype=torch.float32)
    assert (found.vectors.T @ found.vectors - torch.eye(6)).abs().max() < 1e-5
    assert found.values[1] < 1.001


def test_copies_of_an_eigenvalue_are_found_after_the_space_closes() -> None:
    found = solve(symmetric([5.0, 5.0, 5.0, *[1.0] * 20]), 3)
    assert torch.allclose(found.values, torch.tensor([5.0, 5.0, 5.0]).double())


def test_an_operator_of_zeros() -> None:
    found = solve(torch.zeros(6, 6), 2)
    assert torch.equal(found.values, torch.zeros(2).double())
    assert found.converged.all()


def test_it_says_how_far_it_is() -> None:
    told: list[tuple[int, float]] = []
    found = solve(symmetric(list(np.linspace(0, 1, 60))), 3, watch=lambda *now: told.append(now))
    assert [step for step, _ in told] == list(range(1, found.steps + 1))
    assert [np.isinf(residual) for _, residual in told[:3]] == [True, True, False]
    assert told[-1][1] <= 1e-6 < told[-2][1]


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="4 eigenvalues were asked for in 3 dimensions"):
        solve(symmetric([1.0, 2.0, 3.0]), 4)
    with pytest.raises(ValueError, match="in 2 dimensions"):
        solve(symmetric([1.0, 2.0, 3.0]), 3, outside=torch.eye(3)[:, :1])
    with pytest.raises(ValueError, match="not finite"):
        solve(symmetric([1.0, 2.0, 3.0]) * float("nan"), 1)
