"""How the mean of the channels grows against their spread, layer by layer, at initialisation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpsearch.analysis.by_seed import BySeed, divided, seeds
from hpsearch.analysis.constant_function import Floats, growth

NETWORKS = (
    "relu",
    "linear",
    "batch_norm",
    "frozen_batch_norm",
    "shift_and_scale",
    "recipe_without_norm",
    "recipe",
)
"""In the order of tables and pictures: the deep nets, then the recipe's."""

_THEORY_OF = "relu"


@dataclass(frozen=True)
class InitGrowth:
    """Mean over spread of one network in its m convolutions.

    ``layers``  their names (m,), in the order in which they are computed;  ``depth`` (m,)
    ``ratios``  seed -> (m,), not finite where a layer puts out constants or no numbers
    ``theory``  (m,) of a wide ReLU network with the same ratio in the first layer, None for the other networks
    """

    network: str
    layers: tuple[str, ...]
    depth: Floats
    ratios: dict[int, Floats]
    theory: Floats | None

    @property
    def mean(self) -> Floats:
        """The mean over the seeds (m,)."""
        mean: Floats = np.mean(list(self.ratios.values()), axis=0)
        return mean

    @property
    def first(self) -> BySeed:
        """The ratio in the first layer."""
        return self.at(0)

    @property
    def last(self) -> BySeed:
        """The ratio in the last layer."""
        return self.at(-1)

    @property
    def middle(self) -> int:
        """The place of the layer at half of the depth."""
        return int(np.argmin(np.abs(self.depth - self.depth.max() / 2)))

    @property
    def later(self) -> BySeed:
        """The growth over the second half of the depth: near 2 where the ratio is proportional to depth, 1 if level."""
        return self.last.over(self.at(self.middle))

    @property
    def growth(self) -> BySeed:
        """The ratio in the last layer over that in the first."""
        return self.last.over(self.first)

    def at(self, place: int) -> BySeed:
        """Return the ratio in a layer."""
        return BySeed({seed: float(ratios[place]) for seed, ratios in self.ratios.items()})


def init_growth(table: pd.DataFrame) -> tuple[InitGrowth, ...]:
    """Return the growth in each network of the table ``init_layers``."""
    return tuple(_growth(name, rows) for name, rows in divided(table, "network", NETWORKS).items())


def _growth(network: str, rows: pd.DataFrame) -> InitGrowth:
    runs = seeds(rows)
    one = next(iter(runs.values()))
    ratios = {seed: own["mean_over_spread"].to_numpy(dtype=float) for seed, own in runs.items()}
    first = float(np.mean([values[0] for values in ratios.values()]))
    known = network == _THEORY_OF and np.isfinite(first)
    theory = growth(first, len(one)) if known else None
    return InitGrowth(network, tuple(one["layer"]), one["depth"].to_numpy(dtype=float), ratios, theory)
