"""The finding of ``hpsearch study batchnorm`` as Markdown, all of it from the tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.analysis.batch_norm_claims import claims
from hpsearch.analysis.batch_norm_study import BatchNormStudy, NetworkFacts
from hpsearch.errors import listed
from hpsearch.report.batch_norm_curvature import curvature, eigenvectors
from hpsearch.report.batch_norm_doubts import doubts, verdicts
from hpsearch.report.batch_norm_look import TRAINED, words
from hpsearch.report.batch_norm_signal import initialisation, moves
from hpsearch.report.markdown import counted, percent, spread, table

VERSIONS = ("hpsearch", "python", "torch", "numpy")
MISSING = "This part has not been computed yet."


def finding(found: BatchNormStudy) -> str:
    """Return the text; of a study that is not finished, as far as it goes."""
    held = claims(found)
    parts = (
        ("1. The signal at initialisation", initialisation),
        ("2. Small moves of the parameters", moves),
        ("3. Curvature and the highest stable learning rate", curvature),
        ("4. Where the leading eigenvectors lie", eigenvectors),
    )
    blocks = ["# What batch norm does", subject(found), *_networks(found)]
    for number, (title, part) in enumerate(parts, start=1):
        blocks += [f"## {title}", *(list(part(found)) or [MISSING]), *verdicts(held, number)]
    blocks += ["## What does not show", *(list(doubts(found, held)) or [MISSING])]
    return "\n\n".join(blocks) + "\n"


def subject(found: BatchNormStudy) -> str:
    """Return what was studied, where and with which versions."""
    about = found.about
    lossy = " The images are lossy copies, not the originals." if about.get("lossy") else ""
    made = "; ".join(_where(found.parts))
    text = f"Recipe {about['recipe']}, {about['data']}, on {about['device']}{made and '; ' + made}.{lossy}"
    return f"{text} n counts seeds; +- is the standard deviation between them where they differ."


def _where(parts: Mapping[str, Any]) -> Iterator[str]:
    """Say where the parts were computed; more than one answer where they were computed in several places."""
    places = dict.fromkeys(_place(part) for part in parts.values())
    yield from (place for place in places if place)
    if parts:
        seconds = sum(part.get("seconds", 0) for part in parts.values())
        yield f"{counted(len(parts), 'part')} in {seconds:.0f} s"


def _place(part: Mapping[str, Any]) -> str:
    versions, hardware = part.get("versions", {}), part.get("hardware", {})
    known = [f"{name} {versions[name]}" for name in VERSIONS if versions.get(name)]
    threads = [counted(part["threads"], "thread")] if "threads" in part else []
    return ", ".join([*([hardware["cpu"]] if hardware.get("cpu") else []), *threads, *known])


def _networks(found: BatchNormStudy) -> Iterator[str]:
    """Describe the partly trained networks, and say which are missing."""
    if found.networks:
        one = found.networks[0]
        yield (
            f"Partly trained networks, looked at on {one.images} fixed images in batches of {one.batch_size}. "
            "Batch norm: each batch is normalised by itself. Frozen: the same weights with fixed statistics. No norm: "
            "trained without."
        )
        header = ("network", "peak lr", "epochs", "held-out accuracy", "loss", "accuracy", "parameters", "n")
        yield table(header, [_row(one) for one in found.networks])
    present = {one.network for one in found.networks}
    absent = [words(name) for name in TRAINED if name not in present]
    if absent:
        yield f"Not trained yet: {listed(absent)}."


def _row(one: NetworkFacts) -> list[str]:
    epochs = f"{spread(one.epochs)} of {spread(one.schedule_epochs)}"
    figures = [percent(one.val_accuracy), spread(one.loss), percent(one.accuracy)]
    return [words(one.network), spread(one.lr), epochs, *figures, f"{one.parameters:,}", str(len(one.lr.values))]
