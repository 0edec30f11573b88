"""Studies with a known surface, without a training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hpsearch.store.reader import Study
from hpsearch.trial import Status
from tests.store.examples import make_space, make_trial

RANGES = {"lr": (0.025, 1.6), "weight_decay": (6.25e-5, 4e-3), "batch_size": (32, 2048), "momentum": (0.5, 0.992)}
CENTRE = np.log2([0.2, 5e-4, 256, 0.0625])
"""Of log2 lr, weight decay, batch size, 1 - momentum: the optimum of the surfaces, in the middle of the ranges."""
HALF = 3.0
"""Octaves from there to each end."""
COORDINATES = {"optimizer": "sgd_nesterov", "examples": 10_000, "epochs": 5}


def drawn(rng, n):
    """Settings as places (n, 4) in octaves from the optimum."""
    return rng.uniform(-HALF, HALF, (n, 4))


def grid(steps):
    """Places of a full grid with so many octaves between neighbours."""
    values = np.arange(-HALF, HALF + 1e-9, steps)
    return np.stack(np.meshgrid(*[values] * 4, indexing="ij"), axis=-1).reshape(-1, 4)


def study(z, losses, mode="min", coordinates=COORDINATES, statuses=None, names=("lr", "weight_decay", "batch_size")):
    """A study whose trials lie at ``z`` (n, 4) and lost ``losses`` (n,)."""
    lr, decay, batch, room = (2 ** (np.asarray(z) + CENTRE)).T
    settings = zip(lr, decay, batch, 1 - room, strict=True)
    configs = [dict(zip((*names, "momentum"), map(float, one), strict=True)) for one in settings]
    return of_configs(configs, losses, mode, coordinates, statuses)


def of_configs(configs, losses, mode="min", coordinates=COORDINATES, statuses=None, **blocks):
    """A study of some configurations; ``statuses`` maps positions to what is not completed."""
    parameters = {name: {"type": "real", "low": -1e9, "high": 1e9} for config in configs for name in config}
    objective = {"metric": "val_loss" if mode == "min" else "val_accuracy", "mode": mode}
    space = make_space(parameters, coordinates=coordinates or {}, objective=objective, **blocks)
    statuses = statuses or {}
    history = tuple(
        make_trial(number, config=config, objective=float(loss), status=statuses.get(number, Status.COMPLETED))
        for number, (config, loss) in enumerate(zip(configs, losses, strict=True))
    )
    return Study("s", Path("s"), {"sessions": []}, space, pd.DataFrame(), pd.DataFrame(), history, (), False)


def without(study, number):
    """The study with its first ``number`` trials only."""
    return replace(study, history=study.history[:number])
