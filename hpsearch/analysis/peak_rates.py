"""Which traced trials can be compared by decay and ratio, and where they lie, by their rows at the peak of the rate."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from hpsearch.analysis.decay_and_ratio import Run
from hpsearch.analysis.update_rules import RULES
from hpsearch.analysis.weight_decay import decay_rate

Peak = Mapping[Hashable, Any]
"""The row of a scale-invariant tensor of a trial where its learning rate is highest."""

SGD = 2.0
"""The power of |w| in the effective rate eta / |w|^2."""


def commonest_power(peaks: Iterable[Peak]) -> float:
    """Return the power of |w| in the effective rate of most trials that have decay."""
    powers = Counter(_power(peak) for peak in peaks if _decay(peak) > 0)
    return powers.most_common(1)[0][0] if powers else SGD


def why_left_out(peak: Peak | None, power: float) -> str | None:
    """Return why a trial cannot be compared with those whose effective rate has this ``power``, None where it can."""
    if peak is None:
        return "without a scale-invariant tensor"
    if not peak["lr"] * peak["weight_decay"] > 0:
        return "without weight decay"
    if not _decay(peak) > 0:
        return "of a rule without theory"
    return None if _power(peak) == power else "of a rule with another effective rate"


def run_at(peak: Peak, trial_id: str, result: float) -> Run:
    """Return a trial that can be compared.

    Its rate is the largest traced one: a little below the peak of the schedule where that lies between traced steps.
    """
    return Run(trial_id, peak["lr"], _decay(peak), peak["lr"] / peak["weight_decay"], result)


def _power(peak: Peak) -> float:
    """Return by which power of |w| the rate is to be divided to depend on the decay alone: half that of the balance."""
    return RULES[peak["rule"]].power / 2


def _decay(peak: Peak) -> float:
    """Return delta: 0 without weight decay, NaN without theory."""
    if not peak["weight_decay"] > 0:
        return 0.0
    return float(decay_rate(peak["rule"], peak["lr"], peak["weight_decay"], peak["momentum"]))
