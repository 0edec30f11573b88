"""The networks of the batch-norm study in pictures and text: always in the same words, colours and order."""

from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpsearch.errors import Problem, StudyError
from hpsearch.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE

SKY = "#56B4E9"
"""One more colour of the same set."""

TRAINED = {"batch_norm": "batch norm", "frozen_batch_norm": "frozen batch norm", "no_norm": "no norm"}
DEEP = {
    "relu": "ReLU, no norm",
    "linear": "linear",
    "batch_norm": "batch norm",
    "frozen_batch_norm": "frozen batch norm",
    "shift_and_scale": "shift and scale",
}
RECIPE = {"recipe": "the recipe", "recipe_without_norm": "without norm"}

COLOURS = {
    "batch_norm": BLUE,
    "frozen_batch_norm": ORANGE,
    "no_norm": GREEN,
    "relu": GREEN,
    "linear": PURPLE,
    "shift_and_scale": SKY,
    "recipe": BLUE,
    "recipe_without_norm": GREEN,
}


def words(network: str, names: Mapping[str, str] = TRAINED) -> str:
    """Return what a network is called."""
    return names.get(network, network.replace("_", " "))


def with_norm(network: str) -> str:
    """Return a trained network as what it has: ``with batch norm``."""
    return "without norm" if network == "no_norm" else f"with {words(network)}"


def colour(network: str) -> str:
    """Return the colour of a network."""
    return COLOURS.get(network, GREY)


def legend(figure: Figure, networks: Iterable[str], extra: Iterable[Line2D] = ()) -> None:
    """Say below the panels which colour is which trained network."""
    lines = [Line2D([], [], color=colour(name), marker="o", markersize=4, label=words(name)) for name in networks]
    handles = [*lines, *extra]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)


def seeds_drawn(seeds: Iterable[int]) -> str:
    """Return how many seeds a picture shows."""
    count = len(set(seeds))
    return f"{count} seed{'' if count == 1 else 's'}"


def nothing_to_draw(part: str) -> StudyError:
    """Return the refusal of a picture whose part of the study is not stored."""
    return StudyError(Problem(f"there is no picture: the study has no {part} yet", hint="give its command to go on"))
