"""The second derivatives of a loss over fixed batches, as far as they are of use: their product with a vector.

The product is the gradient of (gradient . vector), a second backward pass through the first (Pearlmutter, "Fast Exact
Multiplication by the Hessian", 1994): exact, in a few times the time of a gradient and the memory of one batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.diagnostics.norm_mode import Mode, in_mode

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of (outputs, labels): the mean over the examples of a batch."""

Batches = Sequence[tuple[Tensor, Tensor]]
"""Inputs and labels, the same at every use."""


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a flat vector stands for, in its order."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """Return the elements of all ``tensors``, one after the other: (p,)."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return the parts of ``vector`` (p,), in the shapes of ``like``. Raises ValueError where they do not fill them."""
    sizes = [tensor.numel() for tensor in like]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"a vector of shape {tuple(vector.shape)} does not fill tensors of {sum(sizes)} elements")
    return [part.view(tensor.shape) for part, tensor in zip(torch.split(vector, sizes), like, strict=True)]


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute in the format of the tensors: without autocast, and without the 10 bits of TF32 in convolutions."""
    convolutions = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.autocast(device.type, enabled=False), convolutions:
        yield


class Hessian:
    """The mean loss of ``module`` over all examples of ``batches``, its gradient, and products with its Hessian.

    ``loss``     the mean over the examples of a batch; batches count by their number of examples
    ``batches``  held where the module is; a batch norm that is active normalises each by itself
    ``mode``     what batch norm normalises by

    The module is left as it is, its buffers and ``.grad`` too; it is read anew at each call. A parameter without a
    part in the loss has derivatives of zero. Raises ValueError for no batches, no parameters, or parameters in 16 bits,
    in which curvature drowns.
    """

    def __init__(self, module: nn.Module, loss: Loss, batches: Batches, mode: Mode) -> None:
        self.parameters = trainable(module)
        if not batches or not self.parameters:
            raise ValueError("a Hessian needs at least one batch and one trainable parameter")
        formats = {parameter.dtype for parameter in self.parameters} - {torch.float32, torch.float64}
        if formats:
            raise ValueError(f"a Hessian needs parameters in fp32 or fp64, not in {formats.pop()}")
        self.module, self.mode, self.batches = module, mode, batches
        self.products = 0
        """How often ``times`` was called."""
        self.size = sum(parameter.numel() for parameter in self.parameters)
        self._loss = loss
        self._examples = sum(len(labels) for _, labels in batches)

    @torch.no_grad()
    def loss(self) -> float:
        """Return the mean loss."""
        with self._measuring():
            return float(sum(loss.item() for loss in self._losses()))

    def gradient(self) -> Tensor:
        """Return the gradient of the mean loss: (p,)."""
        return self.loss_and_gradient()[1]

    def loss_and_gradient(self) -> tuple[float, Tensor]:
        """Return the mean loss and its gradient (p,), for the price of the gradient."""
        value, gradient = 0.0, self._zeros()
        with self._measuring():
            for loss in self._losses():
                gradient += flatten(self._derivatives([loss], [torch.ones_like(loss)]))
                value += loss.item()
        return value, gradient

    def times(self, vector: Tensor) -> Tensor:
        """Return the Hessian of the mean loss times ``vector``; both (p,)."""
        self.products += 1
        parts = unflatten(vector, self.parameters)
        product = self._zeros()
        with self._measuring():
            for loss in self._losses():
                gradients = self._derivatives([loss], [torch.ones_like(loss)], create_graph=True)
                product += flatten(self._derivatives(gradients, parts))
        return product

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        with in_mode(self.module, self.mode), full_precision(self.parameters[0].device):
            yield

    def _losses(self) -> Iterator[Tensor]:
        """Yield each batch's part of the mean loss; only one batch's graph is there at a time."""
        for inputs, labels in self.batches:
            yield self._loss(self.module(inputs), labels) * (len(labels) / self._examples)

    def _derivatives(
        self, of: Sequence[Tensor], weights: Sequence[Tensor], create_graph: bool = False
    ) -> Sequence[Tensor]:
        """Return the derivatives of the sum of ``of`` times ``weights``; what is constant has none."""
        pairs = [pair for pair in zip(of, weights, strict=True) if pair[0].requires_grad]
        if not pairs:
            return [torch.zeros_like(parameter) for parameter in self.parameters]
        outputs, grad_outputs = zip(*pairs, strict=True)
        return torch.autograd.grad(
            outputs, self.parameters, grad_outputs, create_graph=create_graph, materialize_grads=True
        )

    def _zeros(self) -> Tensor:
        return self.parameters[0].new_zeros(self.size)
