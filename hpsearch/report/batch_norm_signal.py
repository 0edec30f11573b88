"""The text on the first two parts of the batch-norm study: networks at initialisation, and small moves."""

from collections.abc import Iterator

from hpsearch.analysis.batch_norm_study import BatchNormStudy
from hpsearch.analysis.by_seed import BySeed
from hpsearch.analysis.init_growth import InitGrowth
from hpsearch.report.batch_norm_look import DEEP, words
from hpsearch.report.markdown import percent, spread, table

RECIPE = {"recipe": "the recipe's", "recipe_without_norm": "the recipe's without norm"}


def initialisation(found: BatchNormStudy) -> Iterator[str]:
    """How the mean of the channels grows against their spread."""
    if not found.growth:
        return
    yield (
        "Mean over spread of the channels in the outputs of the convolutions, before any training. A network where it "
        "is large computes almost the same for every image."
    )
    header = ("network", "layers", "first layer", "middle", "last", "last over middle", "n")
    yield table(header, [row for one in found.growth for row in _rows(one)])
    yield from (_beside_theory(one) for one in found.growth if one.theory is not None)


def _rows(one: InitGrowth) -> Iterator[list[str]]:
    name, count = words(one.network, {**DEEP, **RECIPE}), str(len(one.layers))
    figures = [spread(value) for value in (one.first, one.at(one.middle), one.last, one.later)]
    yield [name, count, *figures, str(len(one.ratios))]
    if one.theory is not None:
        first, middle, last = (float(one.theory[place]) for place in (0, one.middle, -1))
        later = f"{last / middle:.3g}" if middle > 0 else "-"
        yield [f"{name}: theory", count, f"{first:.3g}", f"{middle:.3g}", f"{last:.3g}", later, ""]


def _beside_theory(one: InitGrowth) -> str:
    last = BySeed({seed: float(ratios[-1]) for seed, ratios in one.ratios.items()})
    theory = float(one.theory[-1]) if one.theory is not None else float("nan")
    ratio = last.over(BySeed(dict.fromkeys(one.ratios, theory)))
    return (
        "Theory is that of an infinitely wide ReLU network with the same ratio in its first layer, which grows in "
        "proportion to depth in the end; in a narrower network it grows less. In the last layer the measured ratio is "
        f"{spread(ratio)} times that of theory."
    )


def moves(found: BatchNormStudy) -> Iterator[str]:
    """What small moves towards single outputs do, and where the gradient lies."""
    if found.moves:
        one = found.moves[0]
        yield (
            f"The parameters are moved by {100 * one.size:.2g}% of their length along the gradient of the mean of one "
            f"output, for each of the {one.outputs} in turn; figures are means over these."
        )
        header = ("network", "accuracy before", "after", "share of the chosen class before", "after", "n")
        figures = [(net, (net.accuracy_before, net.accuracy, net.share_before, net.share)) for net in found.moves]
        rows = [[words(net.network), *map(percent, of), str(len(net.share.values))] for net, of in figures]
        yield table(header, rows)
    if found.gradients:
        yield "The share of single layers in the squared norm of that gradient:"
        yield table(("network", "last layer", "its share", "largest other", "its share", "n"), _shares(found))


def _shares(found: BatchNormStudy) -> list[list[str]]:
    rows = []
    for one in found.gradients:
        means = {
            name: value.moments.mean
            for name, value in one.layers.items()
            if name != one.last_layer and value.moments is not None
        }
        largest = max(means, key=lambda name: means[name], default=None)
        other = ["-", "-"] if largest is None else [largest, percent(one.layers[largest])]
        n = str(len(one.last.values))
        rows.append([words(one.network), one.last_layer, percent(one.last), *other, n])
    return rows
