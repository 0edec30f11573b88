"""Where the time of a training step goes, by part, and what each part would take at the ceilings of the device.

The ideal time of an operator is that of its arithmetic at the highest speed of a product, or that of its bytes at the
highest speed of a copy, whichever is longer; eager execution runs one operator after another, so those of a part add
up. What a part takes beyond that is lost.

Two ways to a part's time. The profiler gives shares of a step, which are brought to the time of a step without it: on a
CPU all in proportion; on a GPU kernels run no slower for being watched, and only the host's time is brought. Ablation
gives the time that a step without the part saves, in the same round of measuring.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd

from hpsearch.store.diagnostics import Diagnostics

HOST = "host"
GPU_CLOCK = "device"
"""Of a step whose time is taken when a GPU has done it."""


@dataclass(frozen=True)
class Spread:
    """The median over ``n`` rounds, with the least and the largest."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of at least one value."""
        return cls(median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Ceilings:
    """What the device can do at best: FLOP per second in the format of the step, and bytes per second."""

    flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """FLOP for each byte from which on the arithmetic, not the memory, sets the pace."""
        return self.flops / self.bandwidth


@dataclass(frozen=True)
class Part:
    """A part of a step.

    ``seconds``  by the profile, in a step without the profiler
    ``saved``  seconds by ablation; None for a part that a step cannot do without
    ``calls``, ``flop``, ``bytes``  what is counted of its operators
    ``ideal``  seconds at the ceilings
    ``by_memory``  seconds of ``ideal`` in operators that the memory sets the pace of
    """

    name: str
    seconds: float
    saved: Spread | None
    calls: float
    flop: float
    bytes: float
    ideal: float
    by_memory: float

    @property
    def lost(self) -> float:
        """Seconds beyond the ideal; negative where data came from a cache, faster than the memory's ceiling."""
        return self.seconds - self.ideal


@dataclass(frozen=True)
class StepProfile:
    """A training step.

    ``seconds``  of a whole one
    ``profiled``  the same with the profiler in the way
    ``clock``  what both are told by
    """

    seconds: Spread
    profiled: float
    parts: tuple[Part, ...]
    ceilings: Ceilings
    batch_size: int
    epoch_steps: int
    precision: str
    note: str
    clock: str

    @property
    def flop(self) -> float:
        """FLOP of a step."""
        return sum(part.flop for part in self.parts)

    @property
    def efficiency(self) -> float:
        """The share of the highest speed of a product that a step as a whole comes to."""
        return self.flop / self.seconds.median / self.ceilings.flops

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch."""
        return self.epoch_steps * self.seconds.median

    @property
    def ideal_epoch_seconds(self) -> float:
        """Seconds of an epoch with nothing but its products, at their highest speed."""
        return self.epoch_seconds * self.efficiency

    def share(self, part: Part) -> float:
        """Return the share of a step that a part takes."""
        return part.seconds / self.seconds.median

    def losses(self, most: int = 3) -> tuple[Part, ...]:
        """Return the parts that lose most time against their ideal, largest first."""
        losing = sorted((part for part in self.parts if part.lost > 0), key=lambda part: -part.lost)
        return tuple(losing[:most])


def step_profile(study: Diagnostics) -> StepProfile:
    """Return what the tables of a finished ``study`` say; at least one round is stored."""
    step = study.table("step").iloc[-1]
    limits = study.table("ceilings").iloc[-1]
    ceilings = Ceilings(max(limits["matmul"], limits["convolution"]), limits["bandwidth"])
    timings, profiled = study.table("timings"), study.table("profiled")
    whole = Spread.of([*profiled["plain"]])
    seconds = _by_profile(study.table("profile"), whole.median, str(step["clock"]))
    saved = _by_ablation(timings)
    counted = _counted(study.table("operators"), ceilings)
    return StepProfile(
        seconds=whole,
        profiled=float(profiled["seconds"].median()),
        parts=tuple(Part(name, seconds[name], saved.get(name), *counted.get(name, _NOTHING)) for name in seconds),
        ceilings=ceilings,
        batch_size=int(step["batch_size"]),
        epoch_steps=int(step["epoch_steps"]),
        precision=str(step["precision"]),
        note=str(step["note"]),
        clock=str(step["clock"]),
    )


_NOTHING = (0.0, 0.0, 0.0, 0.0, 0.0)


def _by_profile(profile: pd.DataFrame, whole: float, clock: str) -> dict[str, float]:
    """Return the seconds of each part; they add up to those of the ``whole`` step."""
    by_round = profile.pivot(index="round", columns="part", values="seconds")[[*profile["part"].unique()]]
    if clock == GPU_CLOCK:
        found = by_round.mean()
        found[HOST] += whole - found.sum()
    else:
        found = by_round.div(by_round.sum(axis=1), axis=0).mean() * whole
    return {str(name): float(seconds) for name, seconds in found.items()}


def _by_ablation(timings: pd.DataFrame) -> dict[str, Spread]:
    """Return what a step saves without each part, over the rounds."""
    saved = timings["whole"] - timings["without"]
    return {str(part): Spread.of([*of_part]) for part, of_part in saved.groupby(timings["part"], sort=False)}


def _counted(operators: pd.DataFrame, ceilings: Ceilings) -> dict[str, tuple[float, float, float, float, float]]:
    """Return calls, FLOP, bytes, ideal seconds, and those of them that memory sets, for each part."""
    arithmetic, memory = operators["flop"] / ceilings.flops, operators["bytes"] / ceilings.bandwidth
    each = pd.DataFrame(
        {
            "calls": operators["calls"],
            "flop": operators["calls"] * operators["flop"],
            "bytes": operators["calls"] * operators["bytes"],
            "ideal": operators["calls"] * arithmetic.clip(lower=memory),
            "by_memory": operators["calls"] * memory.where(memory >= arithmetic, 0.0),
        }
    )
    sums = each.groupby(operators["part"]).sum()
    return {str(part): tuple(map(float, row)) for part, *row in sums.itertuples()}  # type: ignore[misc]
