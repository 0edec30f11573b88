"""Deep networks at initialisation, against the theory of wide ones."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.diagnostics.deep_nets import MODES, Kind, ShiftAndScale, deep_net
from trainer.diagnostics.layer_statistics import mean_over_spread
from trainer.diagnostics.norm_mode import in_mode, norm_layers

IMAGES = 32


def images(seed: int = 0) -> Tensor:
    return torch.randn(IMAGES, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def ratios(kind: Kind, depth: int = 50) -> list[float]:
    torch.manual_seed(0)
    net = deep_net(kind, depth, channels=48, images=[images()])
    return [ratio for _, ratio in mean_over_spread(net, [images(1)], MODES[kind])]


def test_only_relu_without_a_norm_computes_a_constant_function() -> None:
    found = {kind: ratios(kind) for kind in MODES}
    assert all(len(ratio) == 50 for ratio in found.values())
    assert found["relu"][0] < 0.1
    assert found["relu"][-1] > 2.5
    assert found["linear"][-1] < 0.5
    assert max(found["batch_norm"] + found["frozen_batch_norm"] + found["shift_and_scale"]) < 1.2


def test_constants_of_shift_and_scale() -> None:
    """Against the moments of ReLU on a normal input, by quadrature."""
    x = np.linspace(-12, 12, 400_001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    y = ShiftAndScale()(torch.tensor(x)).numpy()
    assert np.trapezoid(y * density, x) == pytest.approx(0, abs=1e-9)
    assert np.trapezoid(y**2 * density, x) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(("kind", "length"), [("relu", 2.0), ("linear", 1.0), ("shift_and_scale", 1.0)])
def test_the_length_of_the_signal_is_kept(kind: Kind, length: float) -> None:
    """The mean square of what a convolution puts out, in the mean over draws of filters.

    The first of the filters for ReLU doubles it, for there is no ReLU before it; from there on it stays.
    """
    torch.manual_seed(0)
    squares: list[float] = []
    for _ in range(30):
        net = deep_net(kind, 4, channels=128)
        net[-1][0].register_forward_hook(lambda _, __, out: squares.append(out.square().mean().item()))
        net(7 * images())
    assert np.mean(squares) == pytest.approx(length, abs=4 * np.std(squares) / math.sqrt(30))
    assert np.std(squares) < 0.4 * length


def test_frozen_norm_is_the_active_one_on_its_own_images() -> None:
    torch.manual_seed(0)
    frozen = deep_net("frozen_batch_norm", 6, channels=8, images=[images()])
    torch.manual_seed(0)
    active = deep_net("batch_norm", 6, channels=8)
    assert not frozen.training
    assert all(torch.equal(*pair) for pair in zip(frozen.parameters(), active.parameters(), strict=True))
    assert not any(layer.affine for layer in norm_layers(frozen))
    with in_mode(active, "batch"), in_mode(frozen, "running"):
        assert torch.allclose(
            active(images()), frozen(images()), rtol=0.02, atol=0.02
        )  # unbiased variance of 512 values


def test_frozen_norm_needs_images() -> None:
    with pytest.raises(ValueError, match="needs images"):
        deep_net("frozen_batch_norm")


def relu_correlation(c: float) -> float:
    """Of two unit normals of correlation ``c``, after ReLU, from the origin (Cho and Saul, 2009)."""
    return (math.sqrt(1 - c**2) + c * (math.pi - math.acos(c))) / math.pi


def test_growth_follows_the_theory_of_wide_networks() -> None:
    """Inputs of equal length and pairwise correlation c: means over spread are sqrt(c / (1 - c)) but for 1/n.

    That is the ratio over infinitely many examples; over n of them the mean has (1 - c) / n more, the variance less.
    """
    n, width, c, depth = 64, 2048, 0.1, 24
    torch.manual_seed(0)
    directions = torch.linalg.qr(torch.randn(width, n + 1))[0].T * math.sqrt(width)
    x = math.sqrt(c) * directions[:1] + math.sqrt(1 - c) * directions[1:]
    layers: list[nn.Module] = []
    for _ in range(depth):
        convolution = nn.Conv2d(width, width, 1, bias=False)
        nn.init.normal_(convolution.weight, std=math.sqrt(2 / width))
        layers += [convolution, nn.ReLU(inplace=True)]
    found = mean_over_spread(nn.Sequential(*layers), x.view(n, width, 1, 1).split(24), "running")
    assert [name for name, _ in found] == [str(2 * layer) for layer in range(depth)]
    for _, ratio in found:
        assert ratio == pytest.approx(math.sqrt((c + (1 - c) / n) / ((1 - c) * (1 - 1 / n))), rel=0.1)
        c = relu_correlation(c)
