"""A problem to compare update rules on: a quadratic with its minimum at 0, in two tensors of different shapes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from trainer.optim.rule import Rule
from trainer.schedules import Schedule

STEPS = 40
RNG = np.random.default_rng(0)
CURVATURE, START = RNG.uniform(0.1, 1, 5), RNG.normal(size=5)
PARTS = (slice(0, 2), slice(2, 5))

Rates = Callable[[int], float]


def triangle(step: int) -> float:
    return Schedule(epochs=(0, 10, 40), values=(0, 0.4, 0)).at(step + 1)


def constant(step: int) -> float:
    return 0.1


def tensors(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    parts = [torch.tensor(START[part], dtype=dtype) for part in PARTS]
    return [parts[0].requires_grad_(), parts[1].reshape(3, 1).requires_grad_()]


def flat(parameters: list[Tensor]) -> np.ndarray:
    return torch.cat([parameter.detach().flatten() for parameter in parameters]).double().numpy()


def backward(parameters: list[Tensor], loss_scale: float = 1.0) -> None:
    for parameter in parameters:
        parameter.grad = None
    w = torch.cat([parameter.flatten() for parameter in parameters])
    (loss_scale * (torch.tensor(CURVATURE) * w**2).sum() / 2).backward()  # type: ignore[no-untyped-call]


def minimised(
    rule: Rule, lr: Rates, weight_decay: float, momentum: Rates, loss_scale: float = 1.0, steps: range = range(STEPS)
) -> np.ndarray:
    """Return the weights, (5,), after the rule, made for ``tensors()``, has taken its steps."""
    for step in steps:
        backward(rule.parameters, loss_scale)
        rule.step(lr(step), weight_decay, momentum(step), loss_scale)
    return flat(rule.parameters)


def of_torch(optimizer: torch.optim.Optimizer, lr: Rates) -> np.ndarray:
    """Return the weights, (5,), after an optimiser of torch, made for ``tensors()``, has taken its steps."""
    (group,) = optimizer.param_groups
    for step in range(STEPS):
        group["lr"] = lr(step)
        backward(group["params"])
        optimizer.step()
    return flat(group["params"])
