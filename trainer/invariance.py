"""Which tensors of a network change nothing by their length: found by doubling each, not guessed from names.

Such a tensor w has loss(c w) = loss(w) for every c > 0: batch norm, say, divides by the spread of what the filters
before it put out. It is a property of the function and holds at every point, but at a special point others look as if
they had it: a bias of zero stays zero when it is doubled, and where biases are zero a ReLU hands a doubled scale on to
the next norm, which removes it. So the network is looked at away from its start, with all its tensors moved a little.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

TOLERANCE = 0.004
"""Change of the losses that counts as none, as a share of their spread over images. In the networks of the recipes
doubling changes them by less than 0.0005 of it through the epsilon of batch norm, and by more than 0.03 otherwise, if
they are made no narrower than 2 channels."""

_MOVE = 0.3
_SEED = 0


@torch.no_grad()
def scale_invariant(network: nn.Module, inputs: Tensor, labels: Tensor) -> frozenset[str]:
    """Return the names of the parameters of ``network`` that can be doubled without a change of any image's loss.

    ``inputs``, ``labels``  a batch as in training; dozens of images are enough

    Computed in fp32 and in train mode on a copy: the network, its running statistics and torch's random numbers stay
    as they are.
    """
    moved = copy.deepcopy(network).float().train()
    _move(moved)
    before = _losses(moved, {}, inputs, labels)
    least = TOLERANCE * before.std()
    named = dict(moved.named_parameters())
    changes = {name: _losses(moved, {name: 2 * w}, inputs, labels) - before for name, w in named.items()}
    return frozenset(name for name, change in changes.items() if change.abs().max() < least)


def _move(network: nn.Module) -> None:
    """Add noise to every parameter, of a size that follows its own; to one that is zero, of a size like 1."""
    random = torch.Generator().manual_seed(_SEED)
    for parameter in network.parameters():
        size = parameter.square().mean().sqrt()
        noise = torch.randn(parameter.shape, generator=random).to(parameter)
        parameter.add_(noise * torch.where(size > 0, size, 1), alpha=_MOVE)


def _losses(network: nn.Module, changed: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of each image, (n,)."""
    return F.cross_entropy(functional_call(network, changed, (inputs,)), labels, reduction="none")
