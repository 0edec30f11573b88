"""The rule-based prior: where post 5's rules see good settings, from a setting known to work and the space alone."""

import math

import numpy as np

from hpsearch.space.axes import axis
from hpsearch.space.coordinates import rate_of, tau_of
from hpsearch.space.priors import Component, Place
from hpsearch.space.spec import Space
from hpsearch.space.textbook import TEXTBOOK, usable

TAU = 0.2
"""Tau of published recipes, at the peak of the learning rate: 0.21 (post 4), 0.16 (airbench94), 0.12 (hlb-CIFAR10)."""

SPREAD = {"rate": 3.0, "tau": 5.0, "weight_decay": 10.0, "batch_size": 3.0, "momentum": 2.5}
"""Factors by which the best settings of a problem lie off the centre."""


SMALL = 0.25
"""Where in the range of batch sizes the centre is when no reference says more: small batches take more steps in the
epochs there are, and lose nothing where the rate is tuned (C. Shallue et al. 2019)."""


def heuristic(space: Space) -> Component:
    """Return where the rules see good settings of ``space``.

    The rate is that of the reference setting, or of a textbook's, whatever batch size and momentum are then (the linear
    rule). Tau is that of the reference where the run is known, or else ``TAU``; where the run is not known, the weight
    decay stands for it.
    """
    spec, run = space.coordinates, space.coordinates.run
    reference = {role: value for role, value in spec.reference.items() if usable(role, value)}
    known = {**TEXTBOOK[run.optimizer], **reference}
    rate = rate_of(known["lr"], known["batch_size"], known["momentum"], run)
    places = {"rate": _place(rate, "rate"), spec.momentum: _place(1 - known["momentum"], "momentum")}
    places[spec.batch_size] = _place(reference.get("batch_size") or _small(space, known["batch_size"]), "batch_size")
    if run.seen is None:
        return {**places, spec.weight_decay: _place(known["weight_decay"], "weight_decay")}
    tau = float(tau_of(rate, known["weight_decay"], known["batch_size"], run)) if "weight_decay" in reference else TAU
    return {**places, "tau": _place(tau, "tau")}


def _small(space: Space, otherwise: float) -> float:
    """Return a small batch size of those that are searched."""
    batch = space.parameters.get(space.coordinates.batch_size)
    found = None if batch is None else axis(space.coordinates.batch_size, batch, space.coordinates)
    return otherwise if found is None else math.exp(float(found.value(np.array([SMALL]))[0]))


def _place(centre: float, name: str) -> Place:
    return Place(math.log(centre), math.log(SPREAD[name]))
