"""Whether 2 / largest eigenvalue is the highest stable learning rate: gradient descent below and above it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpsearch.analysis.by_seed import divided, seeds
from hpsearch.analysis.constant_function import Floats
from hpsearch.analysis.output_moves import TRAINED


@dataclass(frozen=True)
class Descent:
    """One descent at ``factor`` times 2 / largest eigenvalue; ``losses`` (steps,) end early where it was given up."""

    network: str
    seed: int
    factor: float
    lr: float
    losses: Floats
    grows: bool
    ended_early: bool

    @property
    def should_grow(self) -> bool | None:
        """What the eigenvalue says of it, None at the very limit."""
        return None if self.factor == 1 else self.factor > 1

    @property
    def contradicts(self) -> bool:
        """Whether the verdict is not that of the eigenvalue."""
        return self.should_grow is not None and self.grows != self.should_grow

    @property
    def diverged(self) -> bool:
        """Whether the loss became infinite or no number, or passed the bound at which a descent is given up."""
        return self.ended_early or not bool(np.isfinite(self.losses).all())

    @property
    def rise(self) -> float:
        """The largest rise of the loss above its lowest so far, over the loss at the start; NaN where that is not > 0.

        Losses that are not finite do not count.
        """
        finite = self.losses[np.isfinite(self.losses)]
        above = finite - np.minimum.accumulate(finite)
        return float(above.max() / finite[0]) if finite.size and finite[0] > 0 else float("nan")


def descents(table: pd.DataFrame) -> tuple[Descent, ...]:
    """Return the descents of the table of that name, by network, factor and seed."""
    longest = int(table["step"].max()) if len(table) else 0
    return tuple(
        _descent(network, seed, float(factor), own.sort_values("step"), longest)
        for network, rows in divided(table, "network", TRAINED).items()
        for factor in np.unique(rows["factor"])
        for seed, own in seeds(rows[rows["factor"] == factor]).items()
    )


def _descent(network: str, seed: int, factor: float, rows: pd.DataFrame, longest: int) -> Descent:
    lr, grows = float(rows["lr"].iloc[0]), bool(rows["grows"].iloc[0])
    ended_early = bool(rows["step"].iloc[-1] < longest)
    return Descent(network, seed, factor, lr, rows["loss"].to_numpy(dtype=float), grows, ended_early)
