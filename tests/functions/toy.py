"""A training function whose result is known in closed form, and that misbehaves where a test asks it to.

The loss after epoch e of E is (log10(lr) + 1)^2 + (E - e) / E: best at lr 0.1, where it ends at 0. Settings:
``epochs``, ``seconds`` per epoch, ``log`` (a file that gets a line "event trial_id pid" for what happens), and the
learning rates above which a trial misbehaves: ``fail_above``, ``diverge_above``, ``die_above``. With ``noise`` a run is
worse or better by so much times a normal number of its seed, and a shorter run by 1 / E.
"""

import math
import os
import time
from pathlib import Path

import numpy as np


def train(trial):
    settings, lr = trial.settings, trial.config["lr"]
    epochs = trial.epochs or settings.get("epochs", 4)
    name = trial.workdir.name
    _log(settings, "start", name)
    try:
        for epoch in range(1, epochs + 1):
            time.sleep(settings.get("seconds", 0))
            if lr > settings.get("die_above", math.inf):
                os._exit(3)
            if lr > settings.get("fail_above", math.inf):
                raise ValueError(f"lr {lr} is too large")
            if lr > settings.get("diverge_above", math.inf) and epoch == 2:
                yield {"val_loss": math.nan, "images_per_second": 1.0}
            loss = (math.log10(lr) + 1) ** 2 + (epochs - epoch) / epochs
            if "noise" in settings:
                loss += 1 / epochs + settings["noise"] * np.random.default_rng(trial.seed).normal()
            yield {"val_loss": loss, "images_per_second": 100.0, "seed": trial.seed % 1000, "data": _data(trial)}
    except GeneratorExit:
        _log(settings, "closed", name)
        raise
    _log(settings, "end", name)


def single(trial):
    return {"val_loss": (math.log10(trial.config["lr"]) + 1) ** 2}


def prepare(settings):
    _log(settings, "prepare", "-")
    return {"numbers": np.arange(10.0)}


def describe(settings):
    if settings.get("epochs", 4) < 1:
        raise ValueError("epochs must be at least 1")
    return {
        "facts": {"toy": "a parabola"},
        "parameters": {"lr": 0.1, "width": 8},
        "metrics": ["val_loss", "images_per_second", "seed", "data"],
        "epochs": settings.get("epochs", 4),
        "check": check,
        "settings": {**settings, "kept": True},
    }


def check(config):
    if config["lr"] > 1:
        raise ValueError(f"lr {config['lr']} is out of the question")


def _data(trial):
    numbers = trial.shared["numbers"]
    assert not numbers.flags.writeable
    return float(numbers.sum())


def _log(settings, event, name):
    if "log" in settings:
        with Path(settings["log"]).open("a") as file:
            file.write(f"{event} {name} {os.getpid()}\n")
