"""One study seed, many independent named random streams.

A stream is addressed by what it is for ("sampler", "trial", "init", "order") and a number, never by the order in which
streams are asked for, so trials may run in any order, on any worker, and still draw the same numbers.
"""

import hashlib

import numpy as np


def stream(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """Return the generator of ``purpose`` number ``number`` under ``seed`` (all non-negative)."""
    return np.random.default_rng(_sequence(seed, purpose, number))


def derived_seed(seed: int, purpose: str, number: int = 0) -> int:
    """Return a 32-bit seed for code that wants an integer (torch, Optuna, a trial)."""
    return int(_sequence(seed, purpose, number).generate_state(1)[0])


def _sequence(seed: int, purpose: str, number: int) -> np.random.SeedSequence:
    name = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.SeedSequence([seed, name, number])
