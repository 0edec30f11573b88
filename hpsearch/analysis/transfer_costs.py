"""What moving a tuned learning rate by the rules was measured to cost: benchmarks/transfer.py, on LCBench.

Means over 17 problems (multilayer perceptrons on tabular data, SGD with momentum, weight decays 1e-4, 1e-3, 1e-2), from
batch sizes 32, 128 and 512 and momentum 0.9; where the tuned learning rate lay inside its range.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "LCBench, excess normalised regret over tuning anew (1 is the median of random settings)"


@dataclass(frozen=True)
class Cost:
    """The mean cost of a ``change`` by the rule, and with the learning rate kept."""

    change: str
    by_rule: float
    kept: float


BATCH_SIZE: Mapping[float, Cost] = {
    2: Cost("batch size x2", 0.012, 0.026),
    4: Cost("batch size x4", 0.031, 0.090),
    16: Cost("batch size x16", 0.041, 0.365),
    1 / 4: Cost("batch size /4", 0.055, 0.052),
}
"""By the factor of the learning rate."""

MOMENTUM: Mapping[float, Cost] = {
    8: Cost("momentum 0.9 -> 0.2", 0.017, 0.153),
    5: Cost("momentum 0.9 -> 0.5", 0.019, 0.093),
    1 / 5: Cost("momentum 0.9 -> 0.98", 0.081, 0.010),
}
"""By the factor of the learning rate: that of 1 - momentum."""


def nearest_cost(costs: Mapping[float, Cost], factor: float) -> Cost:
    """Return the cost of the change in ``costs`` that comes nearest to one by ``factor``, in the same direction."""
    same_way = [known for known in costs if (known > 1) == (factor > 1)]
    return costs[min(same_way, key=lambda known: abs(math.log(known / factor)))]
