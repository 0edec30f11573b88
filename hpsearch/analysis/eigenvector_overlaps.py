"""How much of the leading eigenvectors of the Hessian lies in spans of gradients of the outputs' moments."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hpsearch.analysis.by_seed import BySeed, seeds
from hpsearch.analysis.constant_function import Floats
from hpsearch.analysis.hessian_spectra import SPANS
from hpsearch.analysis.output_moves import pairs


@dataclass(frozen=True)
class Overlaps:
    """Squared lengths of the leading eigenvectors' projections on a span: seed -> (eigenvectors,), by index.

    ``chance`` is what a random direction would have.
    """

    network: str
    span: str
    span_size: int
    chance: float
    seeds: Mapping[int, Floats]

    def mean(self, classes: int | None) -> BySeed:
        """Return the mean over the first ``classes`` - 1 eigenvectors, over all for None.

        That is how many directions of the outputs a cross-entropy sees: adding to all outputs alike changes nothing.
        """
        count = None if classes is None else max(1, classes - 1)
        return BySeed({seed: float(values[:count].mean()) for seed, values in self.seeds.items()})


def overlaps(table: pd.DataFrame) -> tuple[Overlaps, ...]:
    """Return the overlaps of the table ``overlaps``: of each network by growing span."""
    return tuple(
        Overlaps(
            network,
            span,
            span_size=int(rows["span_size"].max()),
            chance=float(rows["chance"].max()),
            seeds={seed: _overlap(own) for seed, own in seeds(rows).items()},
        )
        for network, span, rows in pairs(table, "span", SPANS)
    )


def _overlap(rows: pd.DataFrame) -> Floats:
    values: Floats = rows.sort_values("index")["overlap"].to_numpy(dtype=float)
    return values
