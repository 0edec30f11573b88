"""Hessian-vector products against finite differences and the dense matrix."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainer.diagnostics.nets import batches, dense_hessian, flat_parameters, small, total_loss
from trainer import models, recipe
from trainer.batches import Shape
from trainer.diagnostics.hessian import Hessian, flatten, unflatten
from trainer.diagnostics.norm_mode import in_mode
from trainer.diagnostics.perturbation import moved
from trainer.overrides import with_overrides

MODES = ["batch", "running"]
NORMS = ["none", "torch", "ghost"]


def direction(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("norm", NORMS)
def test_products_are_those_of_the_dense_matrix(norm: str, mode: str) -> None:
    net, data = small(norm), batches()
    hessian = Hessian(net, F.cross_entropy, data, mode)
    v = direction(hessian.size)
    assert torch.allclose(hessian.times(v), dense_hessian(net, data, mode) @ v, rtol=1e-8, atol=1e-10)
    with in_mode(net, mode):
        assert hessian.loss() == pytest.approx(total_loss(net, data)(flat_parameters(net)).item(), rel=1e-12)
    assert hessian.products == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("norm", NORMS)
def test_products_are_differences_of_gradients(norm: str, mode: str) -> None:
    net = small(norm)
    hessian = Hessian(net, F.cross_entropy, batches(), mode)
    v, step = direction(hessian.size), 1e-6
    with moved(net, step * v):
        ahead, up = hessian.gradient(), hessian.loss()
    with moved(net, -step * v):
        behind, down = hessian.gradient(), hessian.loss()
    product = hessian.times(v)
    assert (product - (ahead - behind) / (2 * step)).norm() < 1e-6 * product.norm()
    assert (up - down) / (2 * step) == pytest.approx((hessian.gradient() @ v).item(), rel=1e-6)


def test_it_is_symmetric_and_repeats_to_the_last_bit_and_leaves_no_trace() -> None:
    spec = with_overrides(recipe.load("resnet9_proxy_cpu"), {"model.width": 4}).model
    torch.manual_seed(0)
    net = models.build(spec, Shape(16, 16, 3), 10).to(memory_format=torch.channels_last).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random = torch.Generator().manual_seed(3)
    data = [(torch.randn(n, 3, 16, 16, generator=random), torch.randint(0, 10, (n,), generator=random)) for n in (8, 6)]
    hessian = Hessian(net, F.cross_entropy, data, "batch")
    u, v = direction(hessian.size, 1).float(), direction(hessian.size, 2).float()
    hu, hv = hessian.times(u), hessian.times(v)
    assert abs(u @ hv - v @ hu) < 1e-4 * u.norm() * hv.norm()
    assert torch.equal(hessian.times(u), hu)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_scale_invariant_tensor_has_its_gradient_and_curvature_turned_by_its_length() -> None:
    """With active batch norm f(c w) = f(w), hence H w = -g in the part of w; frozen batch norm has no such law."""
    net = small("torch")
    net[1].eps = net[5].eps = 1e-12
    at = slice(0, net[0].weight.numel())
    for mode, holds in (("batch", True), ("running", False)):
        hessian = Hessian(net, F.cross_entropy, batches(), mode)
        v = torch.zeros(hessian.size, dtype=torch.float64)
        v[at] = net[0].weight.detach().reshape(-1)
        assert torch.allclose(hessian.times(v)[at], -hessian.gradient()[at], atol=1e-9) == holds


def test_a_parameter_without_a_part_in_the_loss_has_zeros_and_a_frozen_one_is_left_out() -> None:
    net = small("none")
    net.spare = nn.Parameter(torch.ones(5, dtype=torch.float64))
    net.forward = lambda x: nn.Sequential(*list(net)).forward(x)
    net[0].weight.requires_grad_(False)
    hessian = Hessian(net, F.cross_entropy, batches(), "batch")
    assert hessian.size == sum(p.numel() for p in net.parameters()) - net[0].weight.numel()
    spare = unflatten(hessian.times(direction(hessian.size)), hessian.parameters)
    at = next(i for i, parameter in enumerate(hessian.parameters) if parameter is net.spare)
    assert torch.equal(spare[at], torch.zeros(5, dtype=torch.float64))


def test_a_loss_without_curvature() -> None:
    net = nn.Linear(3, 2)
    hessian = Hessian(net, lambda out, _: out.mean(), [(torch.ones(4, 3), torch.zeros(4))], "running")
    assert torch.equal(hessian.times(torch.ones(8)), torch.zeros(8))


def test_vectors_and_tensors() -> None:
    tensors = [torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last), torch.randn(()), torch.randn(5)]
    vector = flatten(tensors)
    assert all(torch.equal(*pair) for pair in zip(unflatten(vector, tensors), tensors, strict=True))
    with pytest.raises(ValueError, match=r"\(101,\) does not fill tensors of 102"):
        unflatten(vector[1:], tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="fp32 or fp64"):
        Hessian(nn.Linear(2, 2).to(dtype), F.cross_entropy, [(torch.ones(1, 2), torch.ones(1))], "batch")
    with pytest.raises(ValueError, match="at least one batch"):
        Hessian(nn.Linear(2, 2), F.cross_entropy, [], "batch")


def test_autocast_around_it_changes_nothing() -> None:
    net = small("torch", torch.float32)
    hessian = Hessian(net, F.cross_entropy, batches(torch.float32), "batch")
    v = direction(hessian.size).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(hessian.times(v), Hessian(net, F.cross_entropy, batches(torch.float32), "batch").times(v))
        inside = hessian.times(v)
    assert torch.equal(inside, hessian.times(v))
