"""Channel means over spread, against NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.diagnostics.layer_statistics import mean_over_spread


class Backwards(nn.Module):
    """Executes its convolutions in another order than it has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Conv2d(5, 2, 1)
        self.norm = nn.BatchNorm2d(5)
        self.first = nn.Conv2d(3, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(torch.relu_(self.norm(self.first(x))))
        return out


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_ratios_over_all_batches(mode: str) -> None:
    net = Backwards().train(mode == "batch")
    inputs = [torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(n)) + 1 for n in (7, 4)]
    found = mean_over_spread(net.double(), [x.double() for x in inputs], mode)
    assert [name for name, _ in found] == ["first", "last"]
    first = np.concatenate([net.first(x.double()).detach().numpy() for x in inputs])
    last = np.concatenate([Backwards().double().train(mode == "batch")(x.double()).detach().numpy() for x in inputs])
    for (_, ratio), z in zip(found, (first, last), strict=True):
        mean, variance = z.mean((0, 2, 3)), z.var((0, 2, 3))
        assert ratio == pytest.approx(np.sqrt((mean**2).sum() / variance.sum()), rel=1e-9)


def test_it_leaves_the_network_as_it_was() -> None:
    net = Backwards()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    mean_over_spread(net, [torch.randn(4, 3, 6, 6)], "batch")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not any(part._forward_hooks for part in net.modules())
    assert net.training


def test_a_constant_function_has_an_infinite_ratio() -> None:
    net = nn.Conv2d(1, 1, 1)
    net.weight.data.zero_()
    assert mean_over_spread(net, [torch.randn(4, 1, 2, 2)], "running") == [("", np.inf)]
