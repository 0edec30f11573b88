"""Traced studies, really written, whose weights move as theory says, with noise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hpsearch.analysis.momentum_path import momentum_path
from hpsearch.analysis.weight_decay import equilibrium_norm, equilibrium_rotation
from hpsearch.store.dynamics import COLUMNS
from hpsearch.store.reader import Study, open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import EpochReport, Status
from tests.store.examples import make_space, make_trial, run_trial

LAYERS = {"prep.conv.weight": 10.0, "block1.conv.weight": 20.0, "block2.conv.weight": 80.0}
"""Scale-invariant tensors and the length of their gradients where |w| is 1."""
SIZE = 2000
START = 5.0
"""The length of w at scale 1."""


@dataclass(frozen=True)
class Traced:
    """A trial to be written; ``scale`` is that of its initial weights, ``accuracy`` after each epoch.

    Without ``layers`` it is not traced. ``walk``: its weights are walked by random gradients, not by theory.
    """

    config: Mapping[str, Any]
    lr: float = 0.2
    weight_decay: float = 5e-3
    momentum: float = 0.9
    rule: str = "sgd_nesterov"
    scale: float = 1.0
    accuracy: Sequence[float] = (0.3, 0.4, 0.5, 0.6)
    status: Status = Status.COMPLETED
    schedule: int | None = None
    ramp: bool = False
    steps: int = 400
    every: int = 10
    noise: float = 0.02
    layers: Mapping[str, float] = field(default_factory=lambda: LAYERS)
    invariant: bool = True
    walk: bool = False


def write(folder: Path, trials: Iterable[Traced], **blocks: Any) -> Study:
    """Write a study of ``trials``, and open it."""
    trials = list(trials)
    names = dict.fromkeys(name for one in trials for name in one.config)
    values = {name: [one.config[name] for one in trials if name in one.config] for name in names}
    parameters = {name: _parameter(some) for name, some in values.items()}
    blocks = {"objective": {"metric": "val_accuracy", "mode": "max"}, **blocks}
    with StudyWriter.create(folder, "s", make_space(parameters, **blocks), {}) as writer:
        for number, one in enumerate(trials):
            reports = _reports(number, one)
            ends = {"objective": reports[-1].metrics["val_accuracy"], "curve": ()}
            fields = {"config": one.config, "status": one.status, "schedule": one.schedule, **ends}
            run_trial(writer, make_trial(number, reports, **fields), reports)
    return open_study(folder, "s")


def dynamics(one: Traced, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The rows of one trial, layer by layer; the layer ``head.weight`` is not scale invariant."""
    tables = [_layer(one, name, gradient, rng) for name, gradient in one.layers.items()]
    head = {**tables[0], "layer": np.full_like(tables[0]["layer"], "head.weight", dtype=object)}
    head["scale_invariant"] = np.zeros(len(head["step"]), dtype=bool)
    head["effective_lr"] = 1e6 * rng.uniform(size=len(head["step"]))
    return {name: np.concatenate([table[name] for table in (*tables, head)]) for name in head}


def random_walk(one: Traced, gradient: float, rng: np.random.Generator) -> np.ndarray:
    """|w| before every step of SGD with Nesterov momentum whose gradients are random and orthogonal to w."""
    w, velocity, norms = rng.standard_normal(SIZE), np.zeros(SIZE), []
    w *= START * one.scale / np.linalg.norm(w)
    for _ in range(one.steps):
        norms.append(np.linalg.norm(w))
        g = rng.standard_normal(SIZE)
        g -= w * (w @ g) / norms[-1] ** 2
        g = g * gradient / np.linalg.norm(g) / norms[-1] + one.weight_decay * w
        velocity = one.momentum * velocity + g
        w = w - one.lr * (g + one.momentum * velocity)
    return np.array(norms)


def _layer(one: Traced, name: str, gradient: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    step = np.arange(0, one.steps, one.every)
    n = len(step)
    lr = one.lr * (1 - np.abs(2 * step / one.steps - 0.4) / 1.6 if one.ramp else np.ones(n))
    settings = (one.rule, lr, one.weight_decay, one.momentum)
    gt = gradient * np.exp(one.noise * rng.standard_normal(n))
    if one.walk:
        norm = random_walk(one, gradient, rng)[:: one.every]
    else:
        norm = momentum_path(one.rule, step, lr, one.weight_decay, one.momentum, gt, SIZE, START * one.scale)
    rotation = equilibrium_rotation(*settings) * np.exp(one.noise * rng.standard_normal(n))
    cells = {
        "step": step,
        "layer": name,
        "size": SIZE,
        "scale_invariant": one.invariant,
        "rule": one.rule,
        "lr": lr,
        "weight_decay": one.weight_decay,
        "momentum": one.momentum,
        "weight_norm": norm,
        "grad_norm": gt / norm,
        "rotation": rotation,
        "effective_lr": lr / norm**2,
        "equilibrium_norm": equilibrium_norm(*settings, gt, SIZE),
        "equilibrium_rotation": equilibrium_rotation(*settings),
    }
    unused = dict.fromkeys([key for key in COLUMNS if key not in (*cells, "trial_id", "epoch")], 0)
    return {key: _column(key, np.broadcast_to(value, n)) for key, value in (cells | unused).items()}


def _column(name: str, values: np.ndarray) -> np.ndarray:
    return values.astype(COLUMNS[name][0].to_pandas_dtype())


def _reports(number: int, one: Traced) -> list[EpochReport]:
    epochs = len(one.accuracy)
    table = dynamics(one, np.random.default_rng(number)) if one.layers else {}
    epoch_of = 1 + table["step"] * epochs // one.steps if table else None
    return [
        EpochReport(
            epoch,
            {"val_accuracy": accuracy, "val_loss": 1 - accuracy},
            seconds=0.5,
            tables={"dynamics": {name: cells[epoch_of == epoch] for name, cells in table.items()}} if table else {},
        )
        for epoch, accuracy in enumerate(one.accuracy, start=1)
    ]


def _parameter(values: Sequence[Any]) -> dict[str, Any]:
    if all(isinstance(value, float) for value in values):
        return {"type": "real", "low": min(values) / 2, "high": max(values) * 2}
    return {"type": "choice", "values": list(dict.fromkeys(values))}
