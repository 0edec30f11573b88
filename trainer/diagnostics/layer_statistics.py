"""How constant the channels of each layer are: their means over their spread (post 7)."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from trainer.diagnostics.norm_mode import Mode, in_mode


@torch.no_grad()
def mean_over_spread(module: nn.Module, inputs: Iterable[Tensor], mode: Mode) -> list[tuple[str, float]]:
    """Return (name, ratio) of every convolution of ``module``, in the order in which they are executed.

    ``inputs``  batches; all their examples and positions together make up the statistics

    The ratio is the root of the sum over channels of the squared mean, over that of the variance, of what the
    convolution puts out: 0 for channels without mean, infinite for a function that is constant.
    """
    sums: dict[str, Tensor] = {}
    names = {name: part for name, part in module.named_modules() if isinstance(part, _ConvNd)}
    handles = [part.register_forward_hook(_adder(sums, name)) for name, part in names.items()]
    try:
        with in_mode(module, mode):
            for batch in inputs:
                module(batch)
    finally:
        for handle in handles:
            handle.remove()
    return [(name, _ratio(total)) for name, total in sums.items()]


def _adder(sums: dict[str, Tensor], name: str) -> Callable[[nn.Module, object, Tensor], None]:
    def add(_: nn.Module, __: object, output: Tensor) -> None:
        sums[name] = sums.get(name, 0) + _sums(output)

    return add


def _sums(output: Tensor) -> Tensor:
    """Return number, sum and sum of squares by channel, (3, channels) in fp64, of ``output`` (n, channels, ...)."""
    values = output.double().transpose(0, 1).flatten(1)
    count = torch.full_like(values[:, 0], values.shape[1])
    return torch.stack([count, values.sum(1), values.square().sum(1)])


def _ratio(sums: Tensor) -> float:
    count, total, squares = sums
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    return float((mean.square().sum() / variance.sum()).sqrt())
