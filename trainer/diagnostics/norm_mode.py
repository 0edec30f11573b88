"""What batch norm normalises by while a network is measured: the batch before it, or its running statistics.

Measuring changes nothing: modes and buffers are put back at the end. All other modules are in evaluation mode in both
cases, so that dropout and the like do not make one function of the parameters into many.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainer.models.norm import BatchNorm

Mode = Literal["batch", "running"]
"""``batch``: batch norm is active and every batch is normalised by itself; ``running``: it is frozen."""


def norm_layers(module: nn.Module) -> list[BatchNorm | _BatchNorm]:
    """Return the batch norms of ``module``, torch's own and those of the recipes, in the order of ``modules()``."""
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm | _BatchNorm)]


def require_norm(module: nn.Module) -> None:
    """Raise ValueError where ``module`` has no batch norm."""
    if not norm_layers(module):
        raise ValueError("the network has no batch norm")


def in_mode(module: nn.Module, mode: Mode) -> AbstractContextManager[None]:
    """Return ``batch_statistics`` or ``running_statistics``, whichever ``mode`` says."""
    return batch_statistics(module) if mode == "batch" else running_statistics(module)


@contextmanager
def batch_statistics(module: nn.Module) -> Iterator[None]:
    """Let the batch norms of ``module`` normalise by the batch, and put modes and buffers back at the end.

    Running statistics move meanwhile, as they do in training; they play no part in what is computed.
    """
    with _modes_restored(module), _buffers_restored(module):
        _set_modes(module, norms_train=True)
        yield


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """Let the batch norms of ``module`` normalise by their running statistics, and put modes and buffers back.

    Raises ValueError where one keeps none: it would go by the batch.
    """
    if any(layer.running_mean is None for layer in norm_layers(module)):
        raise ValueError("a batch norm without running statistics cannot be frozen")
    with _modes_restored(module), _buffers_restored(module):
        _set_modes(module, norms_train=False)
        yield


@torch.no_grad()
def refresh_statistics(module: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Set the running statistics of ``module`` to their average over the batches ``inputs``, all of equal weight.

    The variance is the average of the batches' unbiased variances, as in training. Modes stay as they are; nothing is
    left of the statistics before. Raises ValueError where there is no batch norm or no batch.
    """
    require_norm(module)
    layers = norm_layers(module)
    momenta = [layer.momentum for layer in layers]
    count = 0
    with _modes_restored(module):
        _set_modes(module, norms_train=True)
        try:
            for count, batch in enumerate(inputs, start=1):
                for layer in layers:
                    layer.momentum = 1 / count  # the share of the newest batch: that of all others stays equal
                module(batch)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
    if not count:
        raise ValueError("there is no batch to take statistics of")


def _set_modes(module: nn.Module, norms_train: bool) -> None:
    module.eval()
    for layer in norm_layers(module):
        layer.train(norms_train)


@contextmanager
def _modes_restored(module: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _buffers_restored(module: nn.Module) -> Iterator[None]:
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
