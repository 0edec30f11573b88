"""Steps towards an output, against moving the parameters by hand."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainer.diagnostics.nets import batches, flat_parameters, small
from trainer.diagnostics.moments import moment_gradients
from trainer.diagnostics.perturbation import moved, outputs, squared_norms, towards_output


def test_outputs_of_a_network_that_is_known() -> None:
    """It answers 0, 1, 1, 1 | 2, where 0, 1, 2, 1 | 2 is right; a batch counts by its examples."""
    data = [(torch.eye(3)[[0, 1, 1, 1]], torch.tensor([0, 1, 2, 1])), (torch.eye(3)[[2]], torch.tensor([2]))]
    found = outputs(nn.Identity(), F.cross_entropy, data, "running")
    assert found.accuracy == pytest.approx(4 / 5)
    assert found.shares == pytest.approx((1 / 5, 3 / 5, 1 / 5))
    right = math.log(1 + 2 / math.e)
    assert found.loss == pytest.approx((4 * right + right + 1) / 5, rel=1e-6)


def test_a_move_is_what_it_says_and_is_undone_to_the_last_bit() -> None:
    net = small("torch", torch.float32)
    net[0].bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    size = len(flat_parameters(net)) - net[0].bias.numel()
    with pytest.raises(KeyError), moved(net, torch.full((size,), 1e8)):
        assert net[-1].bias.min() > 1e7
        assert torch.equal(net[0].bias, before["0.bias"])
        raise KeyError
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_steps_towards_each_output(mode: str) -> None:
    """One percent of the length of all parameters along the gradient of the output's mean."""
    net, data = small("torch"), batches()
    gradients = moment_gradients(net, data, mode)[0]
    found = towards_output(net, F.cross_entropy, data, mode, gradients, share=0.01)
    assert [shifted.towards for shifted in found] == [0, 1, 2]
    for shifted, gradient in zip(found, gradients, strict=True):
        other = copy.deepcopy(net)
        step = 0.01 * flat_parameters(net).norm() * gradient / gradient.norm()
        nn.utils.vector_to_parameters(flat_parameters(net) + step, other.parameters())
        assert shifted.after == outputs(other, F.cross_entropy, data, mode)
        assert shifted.before == outputs(net, F.cross_entropy, data, mode)
        assert shifted.share_after == shifted.after.shares[shifted.towards] >= shifted.share_before


def test_a_gradient_of_zero_is_no_step() -> None:
    net, data = small("none"), batches()
    (shifted,) = towards_output(
        net, F.cross_entropy, data, "running", torch.zeros(1, len(flat_parameters(net))).double()
    )
    assert shifted.after == shifted.before


def test_squared_norms_by_name() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2, bias=False))
    net[0].bias.requires_grad_(False)
    assert squared_norms(torch.tensor([3.0, 4.0, 1.0, 2.0]), net) == {"0.weight": 25.0, "2.weight": 5.0}
    with pytest.raises(ValueError, match="does not fill"):
        squared_norms(torch.ones(5), net)
