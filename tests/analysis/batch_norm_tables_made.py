"""Made studies of batch norm whose answers are known: what post 7 found, unless changed."""

from dataclasses import dataclass, field

import numpy as np

from hpsearch.analysis.constant_function import growth
from hpsearch.store.batch_norm_tables import KIND, TABLES
from hpsearch.store.diagnostics import opened, read

ABOUT = {"recipe": "made", "data": "made_images", "lossy": False, "device": "cpu", "values": {}}
WHERE = {
    "seconds": 12.0,
    "threads": 2,
    "versions": {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.0", "ray": "2.60"},
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "hardware": {"cpu": "made processor", "cores": 2, "gpus": []},
}
LAYERS = ("stem.conv.weight", "stem.norm.bias", "stage.conv.weight", "head.linear.weight", "head.linear.bias")
SPANS = ("means", "means and variances", "means, variances and skews")
DEPTH = 50


@dataclass
class Net:
    """A partly trained network as the tables have it."""

    name: str
    leading: float
    share: float  # of the images for the chosen class after the move
    accuracy: float  # after the move
    last: float  # share of the squared gradient norm in the head
    overlap: float
    left: float  # of the largest eigenvalue outside of the widest span
    outliers: int = 3
    gap: float = 4.0
    unconverged: int = 0
    factors: dict = field(default_factory=lambda: {0.5: False, 2.0: True})
    lr: float = 0.4


def nets(classes=4, **changes):
    found = (
        Net("batch_norm", 2.0, 0.3, 0.65, 0.9, 0.5, 0.8),
        Net("frozen_batch_norm", 40.0, 0.9, 0.3, 0.2, 0.98, 0.25, outliers=classes - 1),
        Net("no_norm", 30.0, 0.8, 0.35, 0.1, 0.95, 0.3, outliers=classes, lr=0.05),
    )
    for net in found:
        for name, value in changes.get(net.name, {}).items():
            setattr(net, name, value)
    return found


def growths(depth=DEPTH, relu=0.6):
    """Network -> mean over spread in each layer."""
    level = np.full(depth, 0.7)
    deep = {"relu": growth(relu, depth), "linear": level, "batch_norm": level, "frozen_batch_norm": 1.1 * level}
    recipe = np.linspace(0.4, 2.0, 9)
    return {**deep, "shift_and_scale": 0.8 * level, "recipe": 0.5 + 0 * recipe, "recipe_without_norm": recipe}


def write(folder, seeds=(0, 1, 2), made=None, classes=4, ratios=None, count=8, about=ABOUT):
    """Write a study and return it; ``made`` are the networks, ``ratios`` those of ``growths``."""
    made, ratios = nets(classes) if made is None else made, growths() if ratios is None else ratios
    with opened(folder, "made", KIND, TABLES, about) as study:
        for seed in seeds:
            if ratios:
                study.put(f"init-{seed}", {"init_layers": init_rows(ratios, seed)}, WHERE)
            for net in made:
                study.put(f"{net.name}-{seed}", net_rows(net, seed, classes, count), WHERE)
        return read(study.folder, KIND, TABLES)


def factor(seed):
    """What the figures of a seed are multiplied by."""
    return 1 + 0.1 * (seed - 1)


def init_rows(ratios, seed):
    return [
        {
            "network": name,
            "seed": seed,
            "depth": place + 1,
            "layer": f"conv{place}",
            "mean_over_spread": value * factor(seed),
        }
        for name, values in ratios.items()
        for place, value in enumerate(values)
    ]


def net_rows(net, seed, classes, count):
    key = {"network": net.name, "seed": seed}
    return {
        "networks": [{**key, **facts(net)}],
        "perturbations": [{**key, **move(net, output, classes)} for output in range(classes)],
        "gradient_norms": [
            {**key, "output": output, "position": place, "layer": layer, "squared_norm": (output + 1) * value}
            for output in range(classes)
            for place, (layer, value) in enumerate(zip(LAYERS, norms(net), strict=True))
        ],
        "eigenvalues": [
            {**key, **row} for span, left in outside(net).items() for row in spectrum(net, span, left, count, seed)
        ],
        "overlaps": [
            {**key, "index": index, "span": span, "span_size": (part + 1) * classes, "chance": 1e-3, "overlap": overlap}
            for part, span in enumerate(SPANS)
            for index, overlap in enumerate(np.full(count, net.overlap * (part + 1) / 3), start=1)
        ],
        "descents": [
            {**key, "factor": times, "lr": times * 2 / net.leading, "step": step, "loss": loss, "grows": grows}
            for times, grows in net.factors.items()
            for step, loss in enumerate(losses(grows))
        ],
    }


def facts(net):
    lengths = {"epochs": 2.5, "schedule_epochs": 5.0, "parameters": 1000, "norm": 20.0}
    batches = {"images": 512, "batch_size": 256, "loss": 1.1, "accuracy": 0.7}
    return {"lr": net.lr, **lengths, "train_loss": 1.2, "val_accuracy": 0.6, **batches}


def move(net, output, classes):
    before = {"accuracy_before": 0.7, "share_before": 1 / classes}
    return {"output": output, "size": 0.01, **before, "accuracy": net.accuracy, "share": net.share}


def norms(net):
    rest = (1 - net.last) / 3
    return [rest, rest, rest, 0.75 * net.last, 0.25 * net.last]


def outside(net):
    return {"": 1.0, SPANS[0]: (1 + net.left) / 2, SPANS[-1]: net.left}


def spectrum(net, span, left, count, seed):
    ratios = np.full(count - 1, 1.1)
    if net.outliers < count:
        ratios[net.outliers - 1] = net.gap
    values = left * factor(seed) * net.leading / np.concatenate([[1], np.cumprod(ratios)])
    return [
        {
            "outside": span,
            "outside_size": 0 if not span else 3,
            "index": index,
            "value": value,
            "residual": 0.2 * net.leading if index > count - net.unconverged else 1e-4,
            "converged": index <= count - net.unconverged,
            "products": 60,
        }
        for index, value in enumerate(values, start=1)
    ]


def losses(grows):
    return [1.0, 2.0, 8.0, 300.0, float("nan")] if grows else [1.0, 0.9, 0.8, 0.75, 0.7]
