"""One step of a recipe: which parameter follows which rule, at which rates."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from trainer.models.norm import BatchNorm
from trainer.models.whitening import Whitening
from trainer.optim.muon import Muon
from trainer.optim.nesterov import NesterovSGD
from trainer.recipe import Recipe


@dataclass(frozen=True)
class _Group:
    """Parameters of one number format that follow SGD with their own factors on learning rate and weight decay."""

    sgd: NesterovSGD
    lr: float
    weight_decay: float


class Update:
    """The update rule of a recipe for the parameters of a network.

    Three kinds of parameters: the biases of norms and of whitening filters, whose rates have factors; with Muon, the
    filters of the stages' convolutions; and all the rest. The bias of whitening filters is trained in the recipe's
    share of the run only.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        self.early_biases = _biases(network, Whitening)
        norm_biases = _biases(network, BatchNorm)
        filters = _filters(network) if recipe.optimizer.muon else []
        apart = {id(parameter) for parameter in [*self.early_biases, *norm_biases, *filters]}
        rest = [parameter for parameter in network.parameters() if id(parameter) not in apart]
        factors = (recipe.optimizer.norm_bias_lr, recipe.optimizer.norm_bias_weight_decay)
        self.groups = [*self._groups(rest), *self._groups(norm_biases, *factors)]
        self.early = self._groups(self.early_biases, *factors)
        self.muon = Muon(filters, recipe.optimizer.muon.iterations) if recipe.optimizer.muon else None

    def before(self, position: float) -> None:
        """Forget the gradients, and compute none for what the step at ``position`` leaves alone."""
        for parameter in self.early_biases:
            parameter.requires_grad_(self._is_early(position))
        for rule in self._rules():
            for parameter in rule.parameters:
                parameter.grad = None

    def step(self, position: float, loss_scale: float = 1.0) -> None:
        """Update every parameter from its gradient of ``loss_scale`` times the mean loss, at ``position`` in epochs."""
        schedule, muon = self.recipe.schedule, self.recipe.optimizer.muon
        lr, weight_decay, momentum = (s.at(position) for s in (schedule.lr, schedule.weight_decay, schedule.momentum))
        for group in [*self.groups, *(self.early if self._is_early(position) else [])]:
            group.sgd.step(lr * group.lr, weight_decay * group.weight_decay, momentum, loss_scale)
        if self.muon and muon:
            self.muon.step(muon.lr * lr / schedule.lr.peak, muon.momentum)

    def state(self) -> list[Tensor]:
        """Return the velocities, to be kept in a checkpoint."""
        return [velocity for rule in self._rules() for velocity in rule.velocities]

    def restore(self, state: list[Tensor]) -> None:
        """Take over the velocities of ``state``."""
        for velocity, saved in zip(self.state(), state, strict=True):
            velocity.copy_(saved)

    def _groups(self, parameters: Sequence[Tensor], lr: float = 1.0, weight_decay: float = 1.0) -> list[_Group]:
        """Divide ``parameters`` by their format, for only lists of one format are updated by one call on a GPU."""
        formats = {parameter.dtype: None for parameter in parameters}
        alike = ([parameter for parameter in parameters if parameter.dtype == dtype] for dtype in formats)
        return [_Group(NesterovSGD(some, self.recipe.optimizer.velocity), lr, weight_decay) for some in alike]

    def _is_early(self, position: float) -> bool:
        whitening = self.recipe.model.whitening
        return whitening is not None and position <= whitening.bias_share * self.recipe.epochs

    def _rules(self) -> Sequence[NesterovSGD | Muon]:
        return [*(group.sgd for group in [*self.groups, *self.early]), *([self.muon] if self.muon else [])]


def _biases(network: nn.Module, kind: type[nn.Module]) -> list[Tensor]:
    modules = [module for module in network.modules() if isinstance(module, kind)]
    return [module.bias for module in modules if isinstance(module.bias, nn.Parameter)]


def _filters(network: nn.Module) -> list[Tensor]:
    """Return the weights of the convolutions in the stages: all but the first layers' and the last's."""
    assert isinstance(network.stages, nn.Module)
    return [module.weight for module in network.stages.modules() if isinstance(module, nn.Conv2d)]
