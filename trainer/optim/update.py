"""One step of a recipe: which parameter follows which rule, at which rates."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from trainer.blocks import Optimizer
from trainer.models.norm import BatchNorm, Shift
from trainer.models.whitening import Whitening
from trainer.optim.adam import Adam
from trainer.optim.lars import LARS
from trainer.optim.muon import Muon
from trainer.optim.rates import Rates, of_lars, of_muon, times, usual
from trainer.optim.rates import Setting as Setting
from trainer.optim.rule import Rule
from trainer.optim.sgd import SGD
from trainer.recipe import Recipe


@dataclass(frozen=True)
class _Kind:
    """Parameters, by name, that follow the ``rule`` at the same ``rates``; some of them only ``early`` in a run."""

    names: Collection[str]
    rule: str
    rates: Rates
    early: bool = False


@dataclass(frozen=True)
class _Group:
    """Those of a kind that have the same number format, for only lists of one are updated by one call on a GPU."""

    kind: _Kind
    names: Sequence[str]
    rule: Rule


class Update:
    """The update rule of a recipe for the parameters of a network.

    Four kinds of parameters: the biases of norms and of whitening filters, whose rates have factors; with Muon, the
    filters of the stages' convolutions; with LARS, those in ``invariant``: names of parameters whose length changes
    nothing in what the network computes; and all the rest. The bias of whitening filters is trained in the recipe's
    share of the run only.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, invariant: Collection[str] = frozenset()) -> None:
        self.recipe = recipe
        self.groups: list[_Group] = []
        left = dict(network.named_parameters())
        for kind in _kinds(network, recipe, invariant):
            taken = {name: left.pop(name) for name in [*left] if name in kind.names}
            for dtype in dict.fromkeys(parameter.dtype for parameter in taken.values()):
                alike = {name: parameter for name, parameter in taken.items() if parameter.dtype == dtype}
                self.groups.append(_Group(kind, [*alike], _rule(kind.rule, [*alike.values()], recipe.optimizer)))

    def before(self, position: float) -> None:
        """Forget the gradients, and compute none for what the step at ``position`` leaves alone."""
        for group in self.groups:
            for parameter in group.rule.parameters:
                parameter.grad = None
                if group.kind.early:
                    parameter.requires_grad_(self._is_early(position))

    def step(self, position: float, loss_scale: float = 1.0) -> None:
        """Update every parameter from its gradient of ``loss_scale`` times the mean loss, at ``position`` in epochs."""
        for group, by in self._moving(position):
            group.rule.step(by.lr, by.weight_decay, by.momentum, loss_scale)

    def settings(self, position: float) -> dict[str, Setting]:
        """Return what the step at ``position`` goes by, for each parameter by name; rates of 0 where it has none."""
        still = replace(usual(self.recipe, position), lr=0.0, weight_decay=0.0)
        moving = {name: by for group, by in self._moving(position) for name in group.names}
        return {name: moving.get(name, still) for group in self.groups for name in group.names}

    def state(self) -> list[Tensor]:
        """Return what the rules remember, to be kept in a checkpoint; not copied."""
        return [tensor for group in self.groups for tensor in group.rule.state()]

    def restore(self, state: list[Tensor]) -> None:
        """Take over what the rules remembered in ``state``."""
        for tensor, saved in zip(self.state(), state, strict=True):
            tensor.copy_(saved)

    def _moving(self, position: float) -> Iterator[tuple[_Group, Setting]]:
        recipe = usual(self.recipe, position)
        for group in self.groups:
            if self._is_early(position) or not group.kind.early:
                yield group, group.kind.rates(recipe)

    def _is_early(self, position: float) -> bool:
        whitening = self.recipe.model.whitening
        return whitening is not None and position <= whitening.bias_share * self.recipe.epochs


def _kinds(network: nn.Module, recipe: Recipe, invariant: Collection[str]) -> Iterator[_Kind]:
    """Give the kinds of parameters; one that is in several is of the first."""
    spec, rule = recipe.optimizer, usual(recipe, 0).rule
    factors = times(spec.norm_bias_lr, spec.norm_bias_weight_decay)
    yield _Kind(_biases(network, Whitening), rule, factors, early=True)
    yield _Kind(_biases(network, BatchNorm, Shift), rule, factors)
    if spec.muon:
        yield _Kind(_filters(network), "muon", of_muon(spec.muon, recipe.schedule.lr.peak))
    if spec.name == "lars":
        yield _Kind(invariant, "lars", of_lars(spec.trust))
    yield _Kind([name for name, _ in network.named_parameters()], rule, times(1, 1))


def _rule(name: str, parameters: Sequence[Tensor], spec: Optimizer) -> Rule:
    if name == "muon" and spec.muon:
        return Muon(parameters, spec.muon.iterations)
    if name == "lars":
        return LARS(parameters, spec.velocity)
    if name in ("adam", "adamw"):
        return Adam(parameters, spec.beta2, spec.epsilon, decoupled=name == "adamw")
    return SGD(parameters, spec.velocity, name.endswith("_nesterov"), name.startswith("sgdw"))


def _biases(network: nn.Module, *kinds: type[nn.Module]) -> set[str]:
    return {f"{path}.bias" for path, module in network.named_modules() if isinstance(module, kinds)}


def _filters(network: nn.Module) -> set[str]:
    """Return the names of the weights of the convolutions in the stages: all but the first layers' and the last's."""
    assert isinstance(network.stages, nn.Module)
    modules = network.stages.named_modules(prefix="stages")
    return {f"{path}.weight" for path, module in modules if isinstance(module, nn.Conv2d)}
