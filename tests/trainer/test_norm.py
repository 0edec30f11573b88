import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.blocks import Norm
from trainer.models.norm import BatchNorm, make_norm

N, CHANNELS, SIDE = 12, 5, 4
SPEC: dict[str, Any] = {"scale": "ones", "splits": 1, "momentum": 0.3, "epsilon": 1e-2, "precision": "fp32"}


def norm(**changes: Any) -> BatchNorm:
    torch.manual_seed(0)
    return BatchNorm(CHANNELS, Norm(**{**SPEC, **changes})).double()


def images(n: int = N) -> Tensor:
    """Images whose mean and spread differ from one to the next."""
    torch.manual_seed(1)
    spread, mean = torch.rand(n, CHANNELS, 1, 1).double() + 0.5, torch.randn(n, CHANNELS, 1, 1).double()
    return mean + spread * torch.randn(n, CHANNELS, SIDE, SIDE).double()


def one_norm_per_part(like: BatchNorm, splits: int) -> list[nn.BatchNorm2d]:
    parts = [nn.BatchNorm2d(CHANNELS, eps=like.epsilon, momentum=like.momentum).double() for _ in range(splits)]
    for part in parts:
        part.weight.data.copy_(like.weight.detach())
        part.bias.data.copy_(like.bias.detach())
    return parts


@pytest.mark.parametrize("scale", ["ones", "uniform", "frozen"])
@pytest.mark.parametrize("splits", [1, 2, 4])
def test_is_one_batch_norm_for_each_part(splits: int, scale: str) -> None:
    """Outputs, gradients, running statistics over two batches, and then evaluation by their mean over parts."""
    ours = norm(splits=splits, scale=scale)
    nn.init.normal_(ours.bias)
    parts = one_norm_per_part(ours, splits)
    for x in (images(), 2 * images() + 1):
        inputs, theirs_inputs = x.clone().requires_grad_(), x.clone().requires_grad_()
        weigh = torch.randn_like(x)
        out = ours(inputs)
        expected = torch.cat([part(y) for part, y in zip(parts, theirs_inputs.chunk(splits), strict=True)])
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        (out * weigh).sum().backward()
        (expected * weigh).sum().backward()
        torch.testing.assert_close(inputs.grad, theirs_inputs.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(ours.bias.grad, _summed([part.bias for part in parts]))
    assert scale == "frozen" or torch.allclose(ours.weight.grad, _summed([part.weight for part in parts]))
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(ours, name), torch.stack([getattr(part, name) for part in parts]).mean(0))
    ours.eval()
    x = images()
    normal = (x - _of_channels(ours.running_mean)) / (_of_channels(ours.running_var) + ours.epsilon).sqrt()
    expected = normal * _of_channels(ours.weight) + _of_channels(ours.bias)
    torch.testing.assert_close(ours(x[:5]), expected[:5], rtol=1e-10, atol=1e-12)


def _summed(parameters: list[nn.Parameter]) -> Tensor:
    return torch.stack([parameter.grad for parameter in parameters if parameter.grad is not None]).sum(0)


def _of_channels(vector: Tensor) -> Tensor:
    return vector.detach()[:, None, None]


def test_evaluation_leaves_the_statistics_alone() -> None:
    module = norm(splits=4).eval()
    module(images(3))
    assert not module.running_mean.any()
    assert bool((module.running_var == 1).all())


def test_parts_must_be_equal() -> None:
    with pytest.raises(ValueError, match="a batch of 10 images cannot be split into 4 equal parts"):
        norm(splits=4)(images(10))


def test_frozen_scales_are_no_parameters() -> None:
    frozen, trained = norm(scale="frozen"), norm()
    assert [name for name, _ in frozen.named_parameters()] == ["bias"]
    assert sorted(name for name, _ in trained.named_parameters()) == ["bias", "weight"]
    assert bool((frozen.weight == 1).all())
    assert frozen.state_dict().keys() == trained.state_dict().keys()


def test_scales_start_at_one_or_anywhere_below() -> None:
    torch.manual_seed(0)
    drawn = BatchNorm(2000, Norm(**{**SPEC, "scale": "uniform"})).weight.detach()
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert drawn.mean().item() == pytest.approx(0.5, abs=5 / np.sqrt(12 * 2000))
    assert bool((norm().weight == 1).all())
    assert not norm(scale="uniform").bias.any()


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_16_bit_input_is_normalised_in_fp32(dtype: torch.dtype, splits: int) -> None:
    """Only the output is rounded: a channel with a large mean loses nothing more."""
    module = norm(splits=splits, epsilon=1e-5).float()
    x = (images() + 30).to(dtype).contiguous(memory_format=torch.channels_last)
    out = module(x)
    exact = copy.deepcopy(module).double()(x.double())
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert module.running_mean.dtype == torch.float32
    error = (out.double() - exact).abs().max().item()
    assert error < 2 * torch.finfo(dtype).eps  # outputs are below 4, and rounding is by half a unit


@pytest.mark.parametrize("splits", [1, 4])
def test_may_live_in_the_format_of_the_network(splits: int) -> None:
    module = norm(splits=splits, precision="network").half()
    inputs = images().half().requires_grad_()
    module(inputs).float().square().sum().backward()
    formats = {tensor.dtype for tensor in module.state_dict().values()}
    assert formats == {torch.float16}
    assert inputs.grad is not None
    assert inputs.grad.dtype == torch.float16


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("training", [True, False])
def test_memory_stays_channels_last(splits: int, training: bool) -> None:
    module = norm(splits=splits).train(training)
    assert module(images().contiguous(memory_format=torch.channels_last)).is_contiguous(
        memory_format=torch.channels_last
    )


def test_a_shift_that_is_not_trained_stays_zero() -> None:
    plain, usual = norm(scale="frozen", shift=False), norm(scale="frozen")
    x = images()
    assert [*plain.parameters()] == []
    torch.testing.assert_close(plain(x), usual(x), rtol=0, atol=0)


@pytest.mark.parametrize("shift", [True, False])
def test_without_norm_the_shift_alone_is_left(shift: bool) -> None:
    left = make_norm(CHANNELS, Norm(**{**SPEC, "kind": "none", "shift": shift})).double()
    parameters = dict(left.named_parameters())
    assert [*parameters] == (["bias"] if shift else [])
    for parameter in parameters.values():
        nn.init.normal_(parameter)
    x = images()
    bias = parameters["bias"].detach().numpy() if shift else np.zeros(CHANNELS)
    np.testing.assert_allclose(left(x).detach().numpy(), x.numpy() + bias[:, None, None], rtol=1e-15)
