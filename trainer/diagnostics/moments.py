"""How mean, variance and skew of each output over a set of examples hang on the parameters (D. Page, 2018, post 7).

A network that can change the mean of an output by a tiny step of its parameters has large curvature in that direction:
the span of these gradients is compared with the leading eigenvectors of the Hessian.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.diagnostics.hessian import Batches, flatten, full_precision, trainable
from trainer.diagnostics.norm_mode import Mode, in_mode

MOMENTS = ("mean", "variance", "skew")


def moment_gradients(module: nn.Module, batches: Batches, mode: Mode) -> Tensor:
    """Return the gradients of the ``MOMENTS`` of each output over all examples together: (3, outputs, p).

    The variance is E[(f - m)^2] and the skew E[(f - m)^3] / variance^1.5; that of a constant output is taken as fixed.
    ``module`` maps a batch to (n, outputs); labels are not looked at.

    Two passes: the first finds the moments, from which follows how much each output of each example counts; the second
    goes back through one batch at a time, once for each moment and output.
    """
    parameters = trainable(module)
    with in_mode(module, mode), full_precision(parameters[0].device):
        with torch.no_grad():
            outputs = [module(inputs) for inputs, _ in batches]
        weights = output_weights(torch.cat(outputs))
        total = weights.new_zeros(len(MOMENTS), weights.shape[2], sum(each.numel() for each in parameters))
        parts = torch.split(weights, [len(output) for output in outputs], dim=1)
        for (inputs, _), part in zip(batches, parts, strict=True):
            _add_gradients(total, module(inputs), part, parameters)
    return total


def output_weights(outputs: Tensor) -> Tensor:
    """Return the derivative of each of the ``MOMENTS`` by each output: (3, n, channels), of ``outputs`` (n, channels).

    That of the skew is 3 (z^2 - 1 - skew z) / (n s), with the spread s and z = (f - m) / s.
    """
    f = outputs.double()
    distance = f - f.mean(0)
    spread = distance.square().mean(0).sqrt()
    z = torch.where(spread > 0, distance / spread, 0.0)
    skew = torch.where(spread > 0, 3 * (z.square() - 1 - z.pow(3).mean(0) * z) / spread, 0.0)
    return (torch.stack([torch.ones_like(f), 2 * distance, skew]) / len(f)).to(outputs)


def _add_gradients(total: Tensor, outputs: Tensor, weights: Tensor, parameters: list[nn.Parameter]) -> None:
    """Add to ``total`` (3, channels, p) the gradient of each channel's sum by ``weights`` (3, n, channels)."""
    channels = outputs.unbind(1)
    for rows, by_channel in zip(total, weights.unbind(0), strict=True):
        for row, channel, weight in zip(rows, channels, by_channel.unbind(1), strict=True):
            gradients = torch.autograd.grad(channel, parameters, weight, retain_graph=True, materialize_grads=True)
            row.add_(flatten(gradients))


def span(gradients: Tensor, tolerance: float = 1e-5) -> Tensor:
    """Return an orthonormal basis (p, r) of the span of ``gradients`` (k, p), r <= k.

    Each is first scaled to length 1; one of zeros is left out. So is a direction whose singular value is below
    ``tolerance`` of the largest: in fp32 it is rounding. Raises ValueError where a gradient is not finite.
    """
    if not gradients.isfinite().all():
        raise ValueError("a gradient is not finite")
    directions = F.normalize(gradients.double(), dim=1, eps=torch.finfo(torch.float64).tiny)
    left, values, _ = torch.linalg.svd(directions.T, full_matrices=False)
    basis: Tensor = left[:, values > tolerance * values.amax()].to(gradients)
    return basis


def overlap(vectors: Tensor, basis: Tensor) -> Tensor:
    """Return the squared cosine between each of ``vectors`` (p, n) and the space of ``basis`` (p, r): (n,) in fp64.

    It is 1 for a vector in that space and about r / p for a random one. ``basis`` is orthonormal.
    """
    directions = F.normalize(vectors.double(), dim=0)
    return (basis.double().T @ directions).square().sum(0)
