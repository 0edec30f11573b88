"""At which rates a parameter moves: those of the recipe's schedules, and what becomes of them for some kinds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hpsearch.analysis.weight_decay import lars_rate
from trainer.blocks import Muon
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """What the step of a parameter goes by.

    ``rule``  a name of ``blocks.Optimizer.name``, or muon
    ``lr``  learning rate of the mean loss; of lars a share of |w|
    ``weight_decay``, ``momentum``  of Adam the latter is beta1
    """

    rule: str
    lr: float
    weight_decay: float
    momentum: float


Rates = Callable[[Setting], Setting]
"""From the recipe's setting to that of some parameters."""


def usual(recipe: Recipe, position: float) -> Setting:
    """Return the setting, at ``position`` in epochs, of what has no other: beside LARS that is Nesterov's SGD."""
    name, schedule = recipe.optimizer.name, recipe.schedule
    rule = "sgd_nesterov" if name == "lars" else name
    return Setting(rule, *(s.at(position) for s in (schedule.lr, schedule.weight_decay, schedule.momentum)))


def times(lr: float, weight_decay: float) -> Rates:
    """Return what multiplies learning rate and weight decay by these factors."""
    return lambda usual: replace(usual, lr=usual.lr * lr, weight_decay=usual.weight_decay * weight_decay)


def of_muon(spec: Muon, peak: float) -> Rates:
    """Return what brings a schedule with this ``peak`` to Muon's; it has no decay and a momentum of its own."""
    return lambda usual: Setting("muon", spec.lr * usual.lr / peak, 0.0, spec.momentum)


def of_lars(trust: float | None) -> Rates:
    """Return what multiplies the learning rate by ``trust``, or without one turns weights as SGD would in balance."""
    if trust is not None:
        return lambda usual: replace(usual, rule="lars", lr=trust * usual.lr)
    return _equivalent


def _equivalent(usual: Setting) -> Setting:
    rate = float(lars_rate(usual.lr, usual.weight_decay, usual.momentum))
    return Setting("lars", rate, 0.0, usual.momentum)
