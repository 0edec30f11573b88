"""One step of a recipe: which parameter follows which rule, at which rates."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.models.norm import BatchNorm
from trainer.models.whitening import Whitening
from trainer.optim.muon import Muon
from trainer.optim.nesterov import NesterovSGD
from trainer.recipe import Recipe


@dataclass
class _Group:
    """Parameters that follow SGD with their own factors on the learning rate and the weight decay."""

    sgd: NesterovSGD
    lr: float = 1.0
    weight_decay: float = 1.0


class Update:
    """The update rule of a recipe for the parameters of a network.

    Three kinds of parameters: the biases of norms and of whitening filters, whose rates have factors; with Muon, the
    filters of the stages' convolutions; and all the rest.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        spec = recipe.optimizer
        self.schedule, self.epochs = recipe.schedule, recipe.epochs
        self.bias_epochs = _bias_share(recipe) * recipe.epochs
        self.whitening_biases = _biases(network, Whitening)
        norm_biases = _biases(network, BatchNorm)
        filters = _filters(network) if spec.muon else []
        apart = {id(parameter) for parameter in [*self.whitening_biases, *norm_biases, *filters]}
        rest = [parameter for parameter in network.parameters() if id(parameter) not in apart]
        factors = (spec.norm_bias_lr, spec.norm_bias_weight_decay)
        self.groups = [
            _Group(NesterovSGD(rest, spec.velocity)),
            _Group(NesterovSGD(norm_biases, spec.velocity), *factors),
        ]
        self.early = _Group(NesterovSGD(self.whitening_biases, spec.velocity), *factors)
        self.muon_spec = spec.muon
        self.muon = Muon(filters, spec.muon.iterations) if spec.muon else None

    def step(self, position: float, loss_scale: float = 1.0) -> None:
        """Update every parameter from its gradient of ``loss_scale`` times the mean loss, at ``position`` in epochs."""
        lr, weight_decay, momentum = (
            schedule.at(position) for schedule in (self.schedule.lr, self.schedule.weight_decay, self.schedule.momentum)
        )
        for group in [*self.groups, *([self.early] if self._trains_early(position) else [])]:
            group.sgd.step(lr * group.lr, weight_decay * group.weight_decay, momentum, loss_scale)
        if self.muon and self.muon_spec:
            rate = self.muon_spec.lr * lr / self.schedule.lr.peak
            self.muon.step(rate, self.muon_spec.momentum, loss_scale)

    def before(self, position: float) -> None:
        """Forget the gradients, and compute none for what the step at ``position`` leaves alone."""
        for parameter in self.whitening_biases:
            parameter.requires_grad_(self._trains_early(position))
        for rule in self._rules():
            for parameter in rule.parameters:
                parameter.grad = None

    def state(self) -> list[Tensor]:
        """Return the velocities, to be kept in a checkpoint."""
        return [velocity for rule in self._rules() for velocity in rule.velocities]

    def restore(self, state: list[Tensor]) -> None:
        """Take over the velocities of ``state``."""
        for velocity, saved in zip(self.state(), state, strict=True):
            velocity.copy_(saved)

    def _trains_early(self, position: float) -> bool:
        return bool(self.whitening_biases) and position <= self.bias_epochs

    def _rules(self) -> list[Any]:
        return [*(group.sgd for group in self.groups), self.early.sgd, *([self.muon] if self.muon else [])]


def _bias_share(recipe: Recipe) -> float:
    whitening = recipe.model.whitening if recipe.model.name == "resnet9" else None
    return whitening.bias_share if whitening else 0.0


def _biases(network: nn.Module, kind: type[nn.Module]) -> list[Tensor]:
    modules = [module for module in network.modules() if isinstance(module, kind)]
    return [module.bias for module in modules if isinstance(module.bias, torch.nn.Parameter)]


def _filters(network: nn.Module) -> list[Tensor]:
    """Return the weights of the convolutions in the stages: all but the first layers' and the last's."""
    assert isinstance(network.stages, nn.Module)
    return [module.weight for module in network.stages.modules() if isinstance(module, nn.Conv2d)]
