"""A grid of real trainings as a table on which searches can be replayed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.contract import Config
from hpsearch.space.coordinates import Optimizer
from hpsearch.space.spec import Space
from hpsearch.store.reader import open_study

BEST = 0.02
"""A setting is as good as the best within this much val_loss: about twice the standard deviation of one training."""

REFERENCE = {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 128, "momentum": 0.9}
"""The setting of the recipe."""

NAMES = ("lr", "weight_decay", "batch_size", "momentum")
Cell = tuple[float, ...]
"""Values of ``NAMES``."""


@dataclass(frozen=True)
class Grid:
    """The losses of trainings by cell; ``values`` are those of each name."""

    losses: Mapping[Cell, float]
    values: Mapping[str, tuple[float, ...]]
    optimizer: Optimizer
    examples: int
    epochs: float

    @classmethod
    def of(cls, study: Path) -> "Grid":
        """Read the grid of a study, whose coordinates are resolved."""
        opened = open_study(study.parent, study.name)
        ended = [(trial.config, trial.final) for trial in opened.history]
        losses = {tuple(float(config[name]) for name in NAMES): loss for config, loss in ended if loss is not None}
        values = {name: tuple(sorted({cell[column] for cell in losses})) for column, name in enumerate(NAMES)}
        spec = opened.space.coordinates
        return cls(losses, values, spec.optimizer or "sgd_nesterov", spec.examples or 10_000, spec.epochs or 5)

    @property
    def best(self) -> float:
        """The least loss."""
        return min(self.losses.values())

    def space(self, seed: int, reference: Mapping[str, float] | None = None, **blocks: Any) -> Space:
        """Return the space that the grid spans, around a ``reference`` setting if there is one."""
        scales = {"lr": ("real", "log"), "weight_decay": ("real", "log"), "batch_size": ("integer", "log")}
        parameters = {}
        for name in NAMES:
            kind, scale = scales.get(name, ("real", "log1m"))
            low, high = self.values[name][0], self.values[name][-1]
            ends = (int(low), int(high)) if kind == "integer" else (low, high)
            parameters[name] = {"type": kind, "low": ends[0], "high": ends[1], "scale": scale}
        run = {"optimizer": self.optimizer, "examples": self.examples, "epochs": self.epochs}
        return Space.restore(
            {
                "parameters": parameters,
                "coordinates": {**run, "reference": dict(reference or {})},
                "objective": {"metric": "val_loss", "mode": "min"},
                "budget": {"trials": 1},
                "seed": seed,
                **blocks,
            }
        )

    def train(self, config: Config) -> float:
        """Return the loss of the cell nearest to a setting, by ratios (of 1 - momentum)."""
        return self.losses[tuple(self._nearest(name, float(config[name])) for name in NAMES)]

    def _nearest(self, name: str, value: float) -> float:
        return min(self.values[name], key=lambda one: abs(_log(name, one) - _log(name, value)))


def _log(name: str, value: float) -> float:
    return math.log1p(-value) if name == "momentum" else math.log(value)
