"""The picture of a step under the ceilings of its device: parts with products in FLOP/s, the others in bytes/s.

The left side is the roofline model (S. Williams, A. Waterman and D. Patterson, 2009).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpsearch.analysis.step_profile import Ceilings, Part, StepProfile
from hpsearch.report.style import BLUE, GREY, ORANGE, look

GIGA = 1e9
BESIDE = 6.0
"""How far the roof is drawn to both sides of the points and of its ridge, as a factor."""


@dataclass(frozen=True)
class Point:
    """What comes to ``flops`` per second at so many FLOP for each byte (``intensity``)."""

    name: str
    intensity: float
    flops: float


@dataclass(frozen=True)
class Roofline:
    """``points`` are the whole step and its parts with products; ``speeds`` the bytes per second of the other parts."""

    points: tuple[Point, ...]
    speeds: tuple[tuple[str, float], ...]
    ceilings: Ceilings
    precision: str


def points(found: StepProfile) -> Roofline:
    """Return the data of the picture."""
    timed = [part for part in found.parts if part.bytes and part.seconds > 0]
    products = tuple(_point(part) for part in timed if part.flop)
    moved = sum(part.bytes for part in found.parts)
    whole = Point("whole step", found.flop / moved, found.flop / found.seconds.median)
    speeds = [(part.name, part.bytes / part.seconds) for part in timed if not part.flop]
    by_speed = tuple(sorted(speeds, key=lambda one: -one[1]))
    return Roofline((whole, *products), by_speed, found.ceilings, found.precision)


def draw(data: Roofline) -> Figure:
    """Draw both sides."""
    with look():
        figure = Figure(figsize=(9.6, 3.8))
        roof, memory = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _roof(roof, data)
        _speeds(memory, data.speeds, data.ceilings.bandwidth)
    return figure


def _point(part: Part) -> Point:
    return Point(part.name, part.flop / part.bytes, part.flop / part.seconds)


def _roof(axes: Axes, data: Roofline) -> None:
    limits = data.ceilings
    places = [limits.ridge, *(point.intensity for point in data.points)]
    x = np.geomspace(min(places) / BESIDE, max(places) * BESIDE, 200)
    axes.plot(x, np.minimum(limits.flops, limits.bandwidth * x) / GIGA, color=GREY)
    for point, colour in zip(data.points, [ORANGE, *[BLUE] * len(data.points)], strict=False):
        axes.plot(point.intensity, point.flops / GIGA, "o", color=colour)
        place = {"xytext": (6, -3), "textcoords": "offset points", "fontsize": 8}
        axes.annotate(point.name, (point.intensity, point.flops / GIGA), **place)  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="FLOP for each byte", ylabel="GFLOP / s")
    axes.set_title(f"{data.precision}: at most {limits.flops / GIGA:,.0f} GFLOP/s, {limits.bandwidth / GIGA:,.0f} GB/s")


def _speeds(axes: Axes, speeds: Sequence[tuple[str, float]], bandwidth: float) -> None:
    rows = range(len(speeds))
    axes.barh(rows, [speed / GIGA for _, speed in speeds], 0.6, color=BLUE)
    axes.axvline(bandwidth / GIGA, color=GREY, linewidth=1.8)
    axes.set_yticks(rows, [name for name, _ in speeds])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="GB / s", title="parts without products; the line is a large copy")
