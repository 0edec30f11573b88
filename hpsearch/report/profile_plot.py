"""The picture of a step's parts: what each takes by the profiler and by ablation, beside its ideal."""

from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpsearch.analysis.step_profile import HOST, Spread, StepProfile
from hpsearch.report.style import BLUE, GREY, ORANGE, look

MILLI = 1e3
HEIGHT = 0.38
LEAST = 5e-4
"""Share of a step below which a part is not drawn."""


@dataclass(frozen=True)
class Bar:
    """A part in milliseconds; ``ideal`` is None for the host, of which no operator is counted."""

    name: str
    share: float
    profiled: float
    saved: Spread | None
    ideal: float | None


@dataclass(frozen=True)
class Bars:
    """All parts that take any time, longest first, and what is said of the whole."""

    bars: tuple[Bar, ...]
    title: str


def bars(found: StepProfile) -> Bars:
    """Return the data of the picture."""
    shown = sorted((part for part in found.parts if found.share(part) >= LEAST), key=lambda part: -part.seconds)
    whole = MILLI * found.seconds.median
    title = f"a step of {found.batch_size} images: {whole:.3g} ms, at {found.efficiency:.0%} of the device's FLOP/s"
    return Bars(
        tuple(
            Bar(
                name=part.name,
                share=found.share(part),
                profiled=MILLI * part.seconds,
                saved=part.saved and _milliseconds(part.saved),
                ideal=None if part.name == HOST else MILLI * part.ideal,
            )
            for part in shown
        ),
        title,
    )


def draw(data: Bars) -> Figure:
    """Draw two bars for each part, and its ideal across them."""
    with look():
        figure = Figure(figsize=(7.2, 1.3 + 0.42 * len(data.bars)))
        axes = figure.subplots()
        for row, bar in enumerate(data.bars):
            _bar(axes, row, bar)
        axes.set_yticks(range(len(data.bars)), [f"{bar.name}  {bar.share:.0%}" for bar in data.bars])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(xlabel="milliseconds of a step", title=data.title)
        figure.legend(handles=_legend(), loc="outside lower left", ncols=3)
    return figure


def _bar(axes: Axes, row: int, bar: Bar) -> None:
    axes.barh(row - HEIGHT / 2, bar.profiled, HEIGHT, color=BLUE)
    if bar.saved:
        reach = [[bar.saved.median - bar.saved.low], [bar.saved.high - bar.saved.median]]
        error = {"ecolor": GREY, "elinewidth": 1.0, "capsize": 2}
        axes.barh(row + HEIGHT / 2, bar.saved.median, HEIGHT, xerr=reach, color=ORANGE, error_kw=error)
    if bar.ideal is not None:
        axes.plot([bar.ideal] * 2, [row - HEIGHT, row + HEIGHT], color="black", linewidth=1.6)


def _milliseconds(of: Spread) -> Spread:
    return Spread(MILLI * of.median, MILLI * of.low, MILLI * of.high, of.n)


def _legend() -> list[Artist]:
    return [
        Patch(color=BLUE, label="by the profiler"),
        Patch(color=ORANGE, label="saved without it (median, range of the rounds)"),
        Line2D([], [], color="black", linewidth=1.6, label="at the ceilings"),
    ]
