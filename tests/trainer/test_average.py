import io

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer.conftest import weights
from trainer.average import WeightAverage

EVERY, MOMENTUM, STEPS = 5, 0.99, 23


def small_network() -> nn.Module:
    """Parameters, batch-norm statistics and a buffer of integers (the batches that the norm has seen)."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def wander(network: nn.Module) -> None:
    """Change everything in ``network``, as a step of training does."""
    network(torch.randn(6, 3, dtype=torch.float64))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter))


def averaged(vectors: list[np.ndarray]) -> np.ndarray:
    """Closed form: update k of K counts (1 - m) * m**(K - k), and the start what is left, m**K."""
    m, updates = MOMENTUM**EVERY, vectors[EVERY::EVERY]
    share = (1 - m) * m ** np.arange(len(updates))[::-1]
    return m ** len(updates) * vectors[0] + np.tensordot(share, np.stack(updates), 1)


@pytest.mark.parametrize("steps", [0, EVERY - 1, EVERY, STEPS])
def test_follows_the_closed_form_over_a_random_walk(steps: int) -> None:
    network = small_network()
    average, walk = WeightAverage(network, EVERY, MOMENTUM), [weights(network)]
    for _ in range(steps):
        wander(network)
        before = weights(network)
        average.update()
        np.testing.assert_array_equal(weights(network), before)
        walk.append(before)
    expected, got = averaged(walk) if steps >= EVERY else walk[0], weights(average.network)
    counted = [i for i, name in enumerate(_names(network)) if "num_batches" in name]
    np.testing.assert_allclose(np.delete(got, counted), np.delete(expected, counted), rtol=1e-12, atol=1e-13)
    assert got[counted] == [steps - steps % EVERY]


def _names(network: nn.Module) -> list[str]:
    """For every number of ``weights`` the tensor it comes from."""
    return [name for name, tensor in network.state_dict().items() for _ in range(tensor.numel())]


def test_is_not_trained_and_does_not_share_memory() -> None:
    network = small_network()
    average = WeightAverage(network, 1, 0.5)
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    before = weights(average.network)
    wander(network)
    np.testing.assert_array_equal(weights(average.network), before)


def test_goes_on_from_a_state_that_was_on_disk() -> None:
    torch.manual_seed(1)
    network, steps = small_network(), 7
    average = WeightAverage(network, EVERY, MOMENTUM)
    for _ in range(steps):
        wander(network)
        average.update()
    file = io.BytesIO()
    torch.save(average.state(), file)
    file.seek(0)
    other = WeightAverage(network, EVERY, MOMENTUM)
    other.restore(torch.load(file, weights_only=True))
    for _ in range(STEPS - steps):
        wander(network)
        average.update()
        other.update()
    np.testing.assert_array_equal(weights(other.network), weights(average.network))
