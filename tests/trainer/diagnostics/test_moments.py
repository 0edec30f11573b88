"""Gradients of the outputs' moments against autograd of the formulas themselves."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.trainer.diagnostics.nets import batches, small
from trainer.diagnostics.hessian import flatten
from trainer.diagnostics.moments import MOMENTS, moment_gradients, overlap, span
from trainer.diagnostics.norm_mode import in_mode


def directly(net: nn.Module, mode: str) -> Tensor:
    """(3, outputs, p), through one graph of all batches."""
    with in_mode(net, mode):
        copies = [(copy.deepcopy(dict(net.named_buffers())), x) for x, _ in batches()]
        f = torch.cat([functional_call(net, buffers, (x,)) for buffers, x in copies])
        return _directly(net, f)


def _directly(net: nn.Module, f: Tensor) -> Tensor:
    m = f.mean(0)
    v = ((f - m) ** 2).mean(0)
    moments = torch.stack([m, v, ((f - m) ** 3).mean(0) / v**1.5])
    rows = [torch.autograd.grad(one, list(net.parameters()), retain_graph=True) for one in moments.flatten()]
    return torch.stack([flatten(row) for row in rows]).view(3, f.shape[1], -1)


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("norm", ["none", "torch", "ghost"])
def test_gradients_over_all_batches_together(norm: str, mode: str) -> None:
    net = small(norm)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = moment_gradients(net, batches(), mode)
    assert len(found) == len(MOMENTS)
    assert torch.allclose(found, directly(small(norm), mode), rtol=1e-7, atol=1e-10)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_constant_output_has_no_skew_to_change() -> None:
    net = nn.Linear(3, 2)
    net.weight.data[1] = 0
    found = moment_gradients(net, [(torch.randn(8, 3), torch.zeros(8))], "running")
    assert found.isfinite().all()
    assert torch.equal(found[1:, 1], torch.zeros(2, 8))
    assert found[0, 1, -1] == 1.0, "the mean of an output follows its bias"


def test_the_span_is_orthonormal_and_holds_every_gradient_whatever_its_length() -> None:
    random = torch.Generator().manual_seed(0)
    gradients = torch.randn(6, 50, generator=random, dtype=torch.float64)
    basis = span(gradients * torch.tensor([1e-6, 1, 1e6, 1e-3, 1, 30]).double()[:, None])
    assert torch.allclose(basis.T @ basis, torch.eye(6).double(), atol=1e-12)
    assert torch.allclose(overlap(gradients.T, basis), torch.ones(6).double(), atol=1e-9)


def test_the_span_leaves_out_what_is_dependent_or_zero() -> None:
    a, b = torch.eye(20)[:2] + 0.1
    assert span(torch.stack([a, b, a + b, torch.zeros(20), -3 * a])).shape == (20, 2)
    assert span(torch.stack([a, a * (1 + 1e-7)])).shape == (20, 1)
    assert span(torch.zeros(2, 20)).shape == (20, 0)
    with pytest.raises(ValueError, match="not finite"):
        span(torch.stack([a, b / 0]))


def test_the_overlap_is_a_squared_cosine() -> None:
    basis = torch.eye(4)[:, :2]
    vectors = torch.tensor([[1.0, 0, 0, 0], [0, 0, 5, 0], [3, 0, 4, 0], [1, 1, 1, 1]]).T
    assert torch.allclose(overlap(vectors, basis), torch.tensor([1.0, 0.0, 0.36, 0.5]).double())


def test_a_random_vector_overlaps_by_the_share_of_dimensions() -> None:
    random = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(300, 30, generator=random))[0]
    found = overlap(torch.randn(300, 2000, generator=random), basis)
    assert found.mean().item() == pytest.approx(0.1, abs=0.003)
