"""Modes and running statistics, against what the layers' statistics are by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainer.diagnostics.nets import GHOST
from trainer.diagnostics.norm_mode import in_mode, norm_layers, refresh_statistics, require_norm
from trainer.models.norm import BatchNorm


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), BatchNorm(4, GHOST), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.5), nn.Flatten()
    )


def images(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_norms_are_found_in_order_and_missed_where_there_is_none() -> None:
    net = network()
    assert norm_layers(net) == [net[1], net[3]]
    require_norm(net)
    with pytest.raises(ValueError, match="no batch norm"):
        require_norm(nn.Linear(2, 2))


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("training", [True, False])
def test_measuring_changes_nothing_even_where_it_fails(mode: str, training: bool) -> None:
    net = network().train(training)
    net[2].eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    with pytest.raises(RuntimeError, match="size"), in_mode(net, mode):
        net(images(6))
        net(torch.zeros(6, 2, 8, 8))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert [part.training for part in net.modules()] == modes


def test_the_modes_are_what_they_are_called_and_dropout_is_off_in_both() -> None:
    net, x = network(), images(6)
    with in_mode(net, "running"):
        alone = torch.cat([net(x[:2]), net(x[2:])])
        assert torch.allclose(alone, net(x), atol=1e-6)
    with in_mode(net, "batch"):
        out = net(x)
        assert torch.equal(out, net(x))
        assert torch.allclose(out.view(6, 5, -1).mean((0, 2)), torch.zeros(5), atol=1e-6)
        assert not torch.allclose(torch.cat([net(x[:2]), net(x[2:])]), out, atol=1e-2)


def test_refreshed_statistics_are_the_average_over_batches() -> None:
    """Of batches of unequal size; the first norm normalises both halves of a batch by themselves."""
    net = network()
    net[1].running_mean += 7
    batches = [images(4, 1), images(8, 2), images(6, 3)]
    refresh_statistics(net, iter(batches))
    means, variances = [], []
    for batch in batches:
        z = net[0](batch).detach().numpy()
        halves = np.split(z, 2)
        means.append(np.mean([half.mean((0, 2, 3)) for half in halves], 0))
        variances.append(np.mean([half.var((0, 2, 3), ddof=1) for half in halves], 0))
    assert np.allclose(net[1].running_mean, np.mean(means, 0), atol=1e-6)
    assert np.allclose(net[1].running_var, np.mean(variances, 0), rtol=1e-5)
    assert (net[1].momentum, net[3].momentum, net.training) == (0.3, 0.1, True)
    with in_mode(net, "batch"):
        second = [net[:3](batch).detach().numpy() for batch in batches]
    assert np.allclose(net[3].running_mean, np.mean([z.mean((0, 2, 3)) for z in second], 0), atol=1e-5)
    assert np.allclose(net[3].running_var, np.mean([z.var((0, 2, 3), ddof=1) for z in second], 0), rtol=1e-5)


def test_a_norm_without_statistics_cannot_be_frozen() -> None:
    net = nn.BatchNorm2d(3, track_running_stats=False)
    with in_mode(net, "batch"):
        net(images(2))
    with pytest.raises(ValueError, match="without running statistics"), in_mode(net, "running"):
        pass


def test_nothing_to_take_statistics_of() -> None:
    with pytest.raises(ValueError, match="no batch to"):
        refresh_statistics(network(), [])
    with pytest.raises(ValueError, match="no batch norm"):
        refresh_statistics(nn.Linear(2, 2), [torch.zeros(2, 2)])
