"""The finding of ``hpsearch study batchnorm`` as Markdown, all of it from the tables."""

from collections.abc import Iterator

from hpsearch.analysis.batch_norm_claims import claims
from hpsearch.analysis.batch_norm_study import BatchNormStudy, NetworkFacts
from hpsearch.errors import listed
from hpsearch.report.batch_norm_curvature import curvature, eigenvectors
from hpsearch.report.batch_norm_doubts import doubts, expected, held, untrained
from hpsearch.report.batch_norm_look import TRAINED, with_norm, words
from hpsearch.report.batch_norm_signal import initialisation, moves
from hpsearch.report.markdown import percent, spread, table
from hpsearch.report.study_subject import subject

MISSING = "This part has not been computed yet."
COUNTS = (
    "n counts seeds, and +- is the standard deviation between them where they differ: of one seed (n = 1) no spread "
    "is known."
)


def finding(found: BatchNormStudy) -> str:
    """Return the text; of a study that is not finished, as far as it goes."""
    of_post = claims(found)
    parts = (
        ("1. The signal at initialisation", initialisation(found)),
        ("2. Small moves of the parameters", moves(found)),
        ("3. Curvature and the highest stable learning rate", curvature(found)),
        ("4. Where the leading eigenvectors lie", eigenvectors(found)),
        ("What post 7 leads one to expect", expected(of_post)),
        ("What is not sure", doubts(found, of_post)),
    )
    about = f"{subject(found.about, found.parts)} {COUNTS}"
    blocks = ["# What batch norm does", summary(found), about, *_networks(found)]
    for title, part in parts:
        blocks += [f"## {title}", *(list(part) or [MISSING])]
    return "\n\n".join(blocks) + "\n"


def summary(found: BatchNormStudy) -> str:
    """Return the finding in a few sentences, of what is stored."""
    sentences = [*_signal(found), *_moved(found), *_curved(found), *held(claims(found)), *_doubtful(found)]
    return " ".join(sentences) or "Nothing has been computed yet."


def _doubtful(found: BatchNormStudy) -> Iterator[str]:
    """Warn where a figure of the summary is not to be relied on; the text says which."""
    unsure = [one for one in found.spectra if one.unsure_leading]
    if unsure or any(untrained(found)):
        why = ["eigenvalues that have not converged"] * bool(unsure)
        why += ["networks that have hardly learnt"] * any(untrained(found))
        yield f"Not all of this is sure, for {' and '.join(why)}: the finding says which."


def _signal(found: BatchNormStudy) -> Iterator[str]:
    deep = {one.network: one for one in found.growth}
    if "relu" in deep and "batch_norm" in deep:
        relu, norm = deep["relu"], deep["batch_norm"]
        yield (
            f"At initialisation the mean of a channel is {spread(relu.last)} times its spread after "
            f"{len(relu.layers)} ReLU layers, and {spread(norm.last)} times with batch norm."
        )


def _moved(found: BatchNormStudy) -> Iterator[str]:
    if found.moves:
        shares = listed([f"{percent(one.share)} {with_norm(one.network)}" for one in found.moves])
        yield (
            f"Moving the weights by {100 * found.moves[0].size:.2g}% of their length towards one class makes the "
            f"network take so many of all images for that class: {shares}."
        )


def _curved(found: BatchNormStudy) -> Iterator[str]:
    norm, *others = TRAINED
    leading = found.leading(norm)
    if leading.finite:
        over = {name: found.leading(name).over(leading) for name in others}
        ratios = [f"{spread(ratio)} times that {with_norm(name)}" for name, ratio in over.items() if ratio.finite]
        largest = f"{spread(leading)} {with_norm(norm)}"
        yield f"The largest curvature, which bounds a stable learning rate, is {listed([largest, *ratios])}."


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
