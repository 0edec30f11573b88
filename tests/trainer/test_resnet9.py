import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hpsearch.errors import RecipeError
from trainer import models, recipe
from trainer.batches import Shape
from trainer.models.resnet9 import ConvNorm, Residual, ResNet9


def conv_norm_by_hand(x: np.ndarray, weight: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """3x3 convolution with a border of zeros and batch norm with the batch's statistics: (n, c, h, w) in float64."""
    n, _, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((n, len(weight), h, w))
    for i in range(3):
        for j in range(3):
            out += np.einsum("nchw,oc->nohw", padded[:, :, i : i + h, j : j + w], weight[:, :, i, j])
    mean, variance = out.mean((0, 2, 3), keepdims=True), out.var((0, 2, 3), keepdims=True)
    normal = (out - mean) / np.sqrt(variance + 1e-5)
    return normal * scale[:, None, None] + shift[:, None, None]


def pool_by_hand(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def block_by_hand(x: np.ndarray, block: ConvNorm) -> np.ndarray:
    """Convolution, norm, ReLU and then the pooling: the order in which the network is described."""
    weight, scale, shift = (p.detach().numpy() for p in (block.conv.weight, block.norm.weight, block.norm.bias))
    out = np.maximum(conv_norm_by_hand(x, weight, scale, shift), 0)
    return pool_by_hand(out) if block.pool else out


def network_by_hand(x: np.ndarray, network: ResNet9) -> np.ndarray:
    for layer in list(network.layers)[:6]:
        if isinstance(layer, Residual):
            first, second = layer.branch
            x = x + block_by_hand(block_by_hand(x, first), second)
        else:
            x = block_by_hand(x, layer)
    return x.max((2, 3)) @ network.linear.weight.detach().numpy().T * network.logit_scale


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (8, 1)])
def test_computes_the_network_of_post_4(side: int, channels: int) -> None:
    torch.manual_seed(0)
    network = ResNet9(channels, classes=10, width=3, logit_scale=0.125).double()
    for name, parameter in network.named_parameters():
        if "norm" in name:  # scales of both signs, as training may make them
            torch.nn.init.normal_(parameter)
    x = torch.randn(4, channels, side, side, dtype=torch.float64)
    np.testing.assert_allclose(network(x).detach().numpy(), network_by_hand(x.numpy(), network), rtol=1e-9, atol=1e-12)


def test_pooling_before_the_relu_has_the_same_gradients() -> None:
    torch.manual_seed(0)
    block = ConvNorm(3, 4, pool=True).double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    weigh = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    (block(x) * weigh).sum().backward()
    ours = [parameter.grad.clone() for parameter in block.parameters() if parameter.grad is not None]
    block.zero_grad()
    (F.max_pool2d(F.relu(block.norm(block.conv(x))), 2) * weigh).sum().backward()
    theirs = [parameter.grad for parameter in block.parameters() if parameter.grad is not None]
    assert len(ours) == 3
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_has_the_size_of_post_4() -> None:
    w = 64
    convolutions = [(3, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)] + 2 * [
        (8 * w, 8 * w)
    ]
    expected = sum(9 * i * o + 2 * o for i, o in convolutions) + 8 * w * 10
    network = ResNet9(3, 10, w, 0.125)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert round(expected / 1e6, 1) == 6.6


def test_starts_with_scales_of_one() -> None:
    network = ResNet9(3, 10, 4, 0.125)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 8
    assert all(bool((norm.weight == 1).all()) and bool((norm.bias == 0).all()) for norm in norms)


def test_refuses_images_that_pooling_would_use_up() -> None:
    spec = recipe.load("digits_quickstart").model
    assert models.build(spec, Shape(8, 8, 1), 10)(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(RecipeError, match="too small"):
        models.build(spec, Shape(7, 9, 1), 10)
