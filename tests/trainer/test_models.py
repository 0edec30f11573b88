"""The networks against the series' description of them, written down a second time in NumPy."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import erf

from hpsearch.errors import RecipeError
from trainer import blocks, models, recipe
from trainer.batches import Shape
from trainer.models.layers import ConvNorm, PreActivation
from trainer.models.norm import BatchNorm
from trainer.models.whitening import Whitening
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

SERIES = [name for name in recipe.names() if name.startswith("post")]
Array = np.ndarray


def small(name: str, width: int = 3) -> Recipe:
    """The recipe with few channels and without the splits of a batch, which ``test_norm`` is about."""
    return with_overrides(recipe.load(name), {"model.width": width, "model.norm.splits": 1})


def conv(x: Array, weight: Array, stride: int = 1, pad: int | None = None) -> Array:
    """Convolution with a border of zeros: x (n, c, h, w), weight (o, c, k, k)."""
    k = weight.shape[-1]
    pad = k // 2 if pad is None else pad
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)


def norm(x: Array, scale: Array, shift: Array) -> Array:
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]


def pool(x: Array) -> Array:
    n, c, h, w = x.shape
    return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


class ByHand:
    """A network of the series as a sequence of formulas; weights are taken in the order in which they are used."""

    def __init__(self, spec: blocks.Dawn | blocks.ResNet9, network: torch.nn.Module) -> None:
        self.spec = spec
        self.convolutions = self.each(network, torch.nn.Conv2d, "weight")
        self.filters = self.each(network, Whitening, "weight")
        norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
        self.norms = iter([(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in norms])
        (linear,) = (module for module in network.modules() if isinstance(module, torch.nn.Linear))
        self.linear = linear.weight.detach().numpy()
        self.bias = 0 if linear.bias is None else linear.bias.detach().numpy()

    @staticmethod
    def each(network: torch.nn.Module, kind: type, name: str) -> Iterator[Array]:
        return iter([getattr(m, name).detach().numpy() for m in network.modules() if isinstance(m, kind)])

    def act(self, x: Array) -> Array:
        if self.spec.activation == "relu":
            return np.maximum(x, 0)
        if self.spec.activation == "gelu":
            return x * (1 + erf(x / np.sqrt(2))) / 2
        if self.spec.activation == "softplus":
            return np.where(10 * x > 2.5, x, np.log1p(np.exp(10 * np.minimum(x, 1))) / 10)
        alpha = self.spec.celu_alpha
        return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))

    def conv_norm(self, x: Array, downsample: str = "none") -> Array:
        stride = 2 if downsample in ("conv1x1", "conv3x3") else 1
        x = conv(x, next(self.convolutions), stride)
        if downsample == "pool_before_norm":
            x = pool(x)
        x = self.act(norm(x, *next(self.norms)))
        return pool(x) if downsample == "pool" else x

    def stem(self, x: Array) -> Array:
        whitening = self.spec.whitening
        if whitening is None:
            return self.conv_norm(x)
        x = conv(x, next(self.filters), pad=(whitening.patch - 1) // 2)
        return self.conv_norm(x) if whitening.mix else self.act(x)

    def resnet9(self, x: Array) -> Array:
        x = self.stem(x)
        for stage in ("L1", "L2", "L3"):
            x = self.conv_norm(x, self.spec.downsample)
            if stage in self.spec.extra:
                x = self.conv_norm(x)
            if stage in self.spec.residual:
                x = x + self.conv_norm(self.conv_norm(x))
        return x

    def dawn(self, x: Array) -> Array:
        x = conv(x, next(self.convolutions))
        for block in range(8):
            x = self.act(norm(x, *next(self.norms)))
            first = block in (2, 4, 6)  # of a stage that changes the shape
            shortest = conv(x, next(self.convolutions), 2) if first else x
            if self.spec.branches:
                inner = conv(x, next(self.convolutions), 2 if first else 1)
                inner = self.act(norm(inner, *next(self.norms)))
                shortest = shortest + conv(inner, next(self.convolutions))
            x = shortest
        return x

    def logits(self, x: Array) -> Array:
        x = self.dawn(x) if self.spec.name == "dawn" else self.resnet9(x)
        concat = self.spec.name == "dawn" or self.spec.head == "concat"
        pooled = np.concatenate([x.max((2, 3)), x.mean((2, 3))], 1) if concat else x.max((2, 3))
        return (pooled @ self.linear.T + self.bias) * self.spec.logit_scale


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Norms and fixed filters as training may make them, scales of both signs among them."""
    for module in network.modules():
        if isinstance(module, BatchNorm | Whitening):
            for tensor in (module.weight, module.bias):
                if tensor is not None:
                    torch.nn.init.normal_(tensor.detach())
    return network.double()


@pytest.mark.parametrize("name", [*SERIES, "speed"])
def test_computes_what_the_series_describes(name: str) -> None:
    torch.manual_seed(0)
    spec = small(name).model
    if name == "speed":  # the bias of its filters is a part of their convolution: tested with them
        spec = spec.model_copy(update={"whitening": spec.whitening.model_copy(update={"bias_share": 0.0})})
    spec = spec.model_copy(update={"norm": spec.norm.model_copy(update={"epsilon": 1e-5})})
    network = randomised(models.build(spec, Shape(32, 32, 3), 10))
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    expected = ByHand(spec, network).logits(x.numpy())
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=1e-7, atol=1e-9)


def test_gelu_is_pooled_after_it() -> None:
    """GELU falls before it rises, so the order matters where the recipe pools after the activation."""
    torch.manual_seed(0)
    spec = small("speed").model.model_copy(update={"downsample": "pool", "whitening": None})
    network = randomised(models.build(spec, Shape(16, 16, 3), 10))
    x = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    np.testing.assert_allclose(network(x).detach(), ByHand(spec, network).logits(x.numpy()), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["post4_resnet9", "post8_04_celu"])
def test_pooling_before_a_monotone_activation_has_the_same_gradients(name: str) -> None:
    torch.manual_seed(0)
    block = ConvNorm(3, 4, recipe.load(name).model, downsample="pool").double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    weigh = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    (block(x) * weigh).sum().backward()
    ours = [parameter.grad.clone() for parameter in block.parameters() if parameter.grad is not None]
    block.zero_grad()
    (F.max_pool2d(block.activation(block.norm(block.conv(x))), 2) * weigh).sum().backward()
    theirs = [parameter.grad for parameter in block.parameters() if parameter.grad is not None]
    assert len(ours) == 3
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def parameters(name: str) -> int:
    network = models.build(recipe.load(name).model, Shape(32, 32, 3), 10)
    return sum(parameter.numel() for parameter in network.parameters())


def test_has_the_size_of_post_4() -> None:
    w = 64
    convolutions = [(3, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)] + 2 * [
        (8 * w, 8 * w)
    ]
    expected = sum(9 * i * o + 2 * o for i, o in convolutions) + 8 * w * 10
    assert parameters("post4_resnet9") == expected
    assert round(expected / 1e6, 1) == 6.6


def test_frozen_scales_are_no_parameters() -> None:
    """Post 8.6 trains one number less for each of the 64 + 128 * 3 + 256 + 512 * 3 channels."""
    assert parameters("post8_05_ghost_norm") - parameters("post8_06_frozen_scales") == 64 + 128 * 3 + 256 + 512 * 3


def test_dirac_filters_pass_their_inputs_on() -> None:
    spec = recipe.load("speed").model
    network = models.build(spec, Shape(32, 32, 3), 10)
    found = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(found) == 6
    for convolution in found:
        shared = min(convolution.in_channels, convolution.out_channels)
        x = torch.randn(1, convolution.in_channels, 6, 6)
        torch.testing.assert_close(convolution(x)[:, :shared], x[:, :shared], rtol=0, atol=1e-6)
        assert (convolution.weight[shared:] != 0).all()


@pytest.mark.parametrize("name", ["post1_baseline", "post4_resnet9"])
def test_he_filters_keep_the_second_moment_through_relu_layers(name: str) -> None:
    torch.manual_seed(0)
    network = models.build(recipe.load(name).model.model_copy(update={"filters": "he"}), Shape(32, 32, 3), 10)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            inputs = module.weight[0].numel()
            assert module.weight.var().item() == pytest.approx(2 / inputs, rel=5 / module.weight.numel() ** 0.5)


def test_the_shortest_path_of_equal_shapes_is_the_input() -> None:
    block = PreActivation(4, 4, 1, recipe.load("post4_1_shortcut").model, branch=False)
    assert sum(parameter.numel() for parameter in block.parameters()) == 2 * 4


def test_refuses_images_that_pooling_would_use_up() -> None:
    spec = recipe.load("digits_quickstart").model
    assert models.build(spec, Shape(8, 8, 1), 10)(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(RecipeError, match="too small"):
        models.build(spec, Shape(7, 9, 1), 10)
