"""Which tensors are scale invariant, against what the networks' structure says."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer import models, recipe
from trainer.batches import Shape
from trainer.invariance import scale_invariant
from trainer.models.whitening import Whitening
from trainer.overrides import with_overrides

SHAPE = Shape(16, 16, 3)


def batch(images: int = 32, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(images, 3, 16, 16, generator=random), torch.randint(0, 10, (images,), generator=random)


def network_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = models.build(with_overrides(recipe.load(name), {"model.width": 4}).model, SHAPE, 10)
    for module in network.modules():
        if isinstance(module, Whitening):
            module.fit(batch()[0])
    return network


@pytest.mark.parametrize("name", ["post4_resnet9", "post8_02_pool_first", "post8_09_flip_test", "speed"])
def test_every_convolution_before_a_norm_and_nothing_else(name: str) -> None:
    network = network_of(name)
    convolutions = {n for n, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    assert scale_invariant(network, *batch()) == {f"{n}.weight" for n in convolutions}


def test_what_is_added_to_something_before_the_norm_is_not() -> None:
    """In a pre-activation network only the first convolution of a branch has a norm of its own."""
    network = network_of("post1_baseline")
    found = scale_invariant(network, *batch())
    branches = {n for n, _ in network.named_parameters() if ".branch." in n and n.endswith("branch.0.weight")}
    assert branches <= found
    assert found - branches == {"stem.weight"}, "a norm and nothing else reads the first convolution"


def test_it_holds_for_the_gradient() -> None:
    """A scale-invariant tensor is orthogonal to its gradient (Euler's theorem); the others are not."""
    network = network_of("post4_resnet9").double()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double()
    found = scale_invariant(network, *batch())
    images, labels = batch()
    nn.functional.cross_entropy(network(images.double()), labels).backward()
    for name, w in network.named_parameters():
        assert w.grad is not None
        cosine = abs((w * w.grad).sum() / (w.norm() * w.grad.norm())).item()
        assert (cosine < 1e-3) == (name in found), (name, cosine)


class Small(nn.Module):
    """A network that no recipe has: a norm of rows behind one layer, and none behind the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3 * 16 * 16, 20)
        self.norm = nn.BatchNorm1d(20)
        self.relu = nn.ReLU()
        self.last = nn.Linear(20, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.relu(self.norm(self.first(x.flatten(1)))))
        return out


def test_the_names_of_layers_and_their_kinds_do_not_matter() -> None:
    """The norm takes away the bias before it altogether; its own scale would look invariant while its bias is zero."""
    assert scale_invariant(Small(), *batch()) == {"first.weight", "first.bias"}


def test_nothing_is_left_changed() -> None:
    network = network_of("post4_resnet9").eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    scale_invariant(network, *batch())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_answer_does_not_hang_on_the_batch() -> None:
    network = network_of("post8_06_frozen_scales")
    answers = {scale_invariant(network, *batch(images, seed)) for images, seed in ((32, 0), (64, 1), (96, 2))}
    assert len(answers) == 1
    assert np.all([len(answer) == 8 for answer in answers])
