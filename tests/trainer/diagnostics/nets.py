"""Small networks whose Hessian can be written down whole, and that matrix by other means than the code under test."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from trainer.blocks import Norm
from trainer.diagnostics.norm_mode import in_mode
from trainer.models.norm import BatchNorm

GHOST = Norm(scale="uniform", splits=2, momentum=0.3, epsilon=1e-5, precision="fp32")


def small(norm: str, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Convolutions, ReLU in place, max pooling, softplus, a linear layer; ``norm``: none, torch or ghost."""
    torch.manual_seed(1)
    norms = {"none": nn.Identity, "torch": lambda: nn.BatchNorm2d(4), "ghost": lambda: BatchNorm(4, GHOST)}
    layers = [
        *(nn.Conv2d(2, 4, 3, padding=1), norms[norm](), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 4, 3, padding=1), norms[norm](), nn.Softplus(beta=10, threshold=2.5), nn.AdaptiveMaxPool2d(1)),
        *(nn.Flatten(), nn.Linear(4, 3)),
    ]
    net = nn.Sequential(*layers).to(dtype)
    for parameter in net.parameters():
        parameter.data *= 1.5
    return net


def batches(dtype: torch.dtype = torch.float64, sizes: tuple[int, ...] = (12, 8)) -> list[tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(2)
    return [
        (torch.randn(n, 2, 6, 6, generator=random).to(dtype), torch.randint(0, 3, (n,), generator=random))
        for n in sizes
    ]


def total_loss(net: nn.Module, data: list[tuple[Tensor, Tensor]]):
    """The mean over examples as a function of the flat parameters; call it and its derivatives inside ``in_mode``."""
    named = {name: parameter.detach() for name, parameter in net.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}

    def function(flat: Tensor) -> Tensor:
        pieces = flat.split([p.numel() for p in named.values()])
        values = {name: part.view_as(p) for (name, p), part in zip(named.items(), pieces, strict=True)}
        scores = [functional_call(net, values | {k: b.clone() for k, b in buffers.items()}, (x,)) for x, _ in data]
        losses = [F.cross_entropy(out, y, reduction="sum") for out, (_, y) in zip(scores, data, strict=True)]
        return torch.stack(losses).sum() / sum(len(y) for _, y in data)

    return function


def flat_parameters(net: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in net.parameters()])


def dense_hessian(net: nn.Module, data: list[tuple[Tensor, Tensor]], mode: str) -> Tensor:
    """(p, p) in fp64, row by row, by torch's own function."""
    with in_mode(net, mode):
        return torch.autograd.functional.hessian(total_loss(net, data), flat_parameters(net))
