"""Layer-wise adaptive rates (Y. You, I. Gitman and B. Ginsburg, 2017): steps in proportion to the length of a tensor.

A gradient is replaced by its direction times |w|, and nothing else depends on its length:

    u = (g + weight_decay * w) * |w| / (|g| + weight_decay * |w|)

which is |w| g / |g| without weight decay. u takes the place of g in Nesterov's form of SGD, by the recipe's convention
of the velocity. Where the length of w changes nothing in what the network computes, the rate alone is how far w turns
in a step, and no decay is needed: the length grows, and the steps with it.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from trainer.optim.rule import gradients
from trainer.optim.sgd import SGD


class LARS(SGD):
    """The update rule for some parameters of one number format, and its state: their velocities, zero at first."""

    def __init__(self, parameters: Iterable[Tensor], velocity: Literal["torch", "scaled"]) -> None:
        super().__init__(parameters, velocity)

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float, momentum: float, loss_scale: float = 1.0) -> None:
        """Update every parameter in place from its gradient of ``loss_scale`` times the mean loss.

        ``lr`` is a share of |w|. A gradient or a parameter of zeros adds nothing to its velocity. The gradients are
        used up.
        """
        longer = torch.promote_types(self.parameters[0].dtype, torch.float32)  # fp16 cannot hold |w| / |g|
        steps = [slope.to(longer) for slope in gradients(self.parameters)]
        lengths, slopes = (torch.stack(torch._foreach_norm(of, 2, longer)) for of in (self.parameters, steps))
        decay = weight_decay * loss_scale
        ratios = torch.where((lengths > 0) & (slopes > 0), lengths / (slopes + decay * lengths), 0)
        torch._foreach_add_(steps, self.parameters, alpha=decay)
        torch._foreach_mul_(steps, list(ratios.unbind()))
        self._move(steps, lr, momentum)
