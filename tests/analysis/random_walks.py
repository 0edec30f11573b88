"""A weight tensor under random gradients of a loss that does not see its length, with every update rule by hand."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpsearch.store.dynamics import COLUMNS


@dataclass
class Walk:
    """Of each step: |w| before it, |g|, |w' - w|, the angle between w and w', and the cosine of -g and w' - w."""

    norm: np.ndarray
    gradient: np.ndarray
    update: np.ndarray
    rotation: np.ndarray
    descent: np.ndarray


def walk(rule, lr, weight_decay, momentum, start, steps, gradient=1.0, size=2000, seed=0, alike=0.0):
    """Take ``steps`` steps; ``lr`` and ``gradient`` (|g| where |w| is 1) may be arrays of that many.

    ``alike`` is the correlation of each gradient with the one before.

    Under AdamW |g| does not grow as |w| shrinks: theory takes its slow second moment to follow |g| at once.
    """
    rng = np.random.default_rng(seed)
    lrs, gradients = np.broadcast_to(lr, steps), np.broadcast_to(gradient, steps)
    weight, noise = rng.normal(size=size), np.zeros(size)
    weight *= start / np.linalg.norm(weight)
    move, rows = STEPS[rule](weight_decay, momentum), []
    for eta, gt in zip(lrs, gradients, strict=True):
        norm = np.linalg.norm(weight)
        noise = alike * noise + np.sqrt(1 - alike**2) * rng.standard_normal(size, dtype=np.float32).astype(float)
        g = noise - weight * (noise @ weight) / norm**2
        g *= gt / np.linalg.norm(g) / (1 if rule == "adamw" else norm)
        after = move(weight, g, eta)
        update, length = np.linalg.norm(after - weight), np.linalg.norm(g)
        rotation = 2 * np.arcsin(np.linalg.norm(after / np.linalg.norm(after) - weight / norm) / 2)
        rows.append((norm, length, update, rotation, g @ (weight - after) / length / (update or 1)))
        weight = after
    return Walk(*np.array(rows).T)


def traced(layer, rule, lr, weight_decay, momentum, start, steps, every=10, per_epoch=100, **options):
    """The table ``dynamics`` of such a walk, for one tensor; columns may be given by name, others go to ``walk``."""
    columns = {name: options.pop(name) for name in list(options) if name in COLUMNS}
    found = walk(rule, lr, weight_decay, momentum, start, steps, **options)
    at = np.arange(0, steps, every)
    known = {
        "trial_id": "00003",
        "epoch": 1 + at // per_epoch,
        "step": at,
        "layer": layer,
        "kind": "conv",
        "size": options.get("size", 2000),
        "scale_invariant": True,
        "rule": rule,
        "lr": np.broadcast_to(lr, steps)[at],
        "weight_decay": weight_decay,
        "momentum": momentum,
        "weight_norm": found.norm[at],
        "grad_norm": found.gradient[at],
        "update_norm": found.update[at],
        "rotation": found.rotation[at],
        "cos_descent_update": found.descent[at],
    }
    return pd.DataFrame(known | columns)


def sgd(coupled, nesterov, lars=False):
    def rule(alpha, rho):
        velocity = 0.0

        def move(w, g, eta):
            nonlocal velocity
            direction = g * np.linalg.norm(w) / np.linalg.norm(g) if lars else g + alpha * w * coupled
            velocity = rho * velocity + direction
            step = direction + rho * velocity if nesterov else velocity
            return w * (1 - eta * alpha * (not coupled)) - eta * step

        return move

    return rule


def adamw(alpha, rho, beta2=0.999):
    first, second, count = 0.0, 0.0, 0

    def move(w, g, eta):
        nonlocal first, second, count
        count += 1
        first, second = rho * first + (1 - rho) * g, beta2 * second + (1 - beta2) * g**2
        step = first / (1 - rho**count) / np.sqrt(second / (1 - beta2**count))
        return w * (1 - eta * alpha) - eta * step

    return move


STEPS = {
    "sgd": sgd(coupled=True, nesterov=False),
    "sgd_nesterov": sgd(coupled=True, nesterov=True),
    "sgdw": sgd(coupled=False, nesterov=False),
    "sgdw_nesterov": sgd(coupled=False, nesterov=True),
    "lars": sgd(coupled=True, nesterov=True, lars=True),
    "adamw": adamw,
}
