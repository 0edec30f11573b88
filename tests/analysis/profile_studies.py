"""Stored profiles whose every number is chosen."""

from hpsearch.store.diagnostics import opened
from hpsearch.store.profile_tables import KIND, TABLES

STEP = {"batch_size": 100, "epoch_steps": 50, "parameters": 7, "precision": "bf16", "note": "", "clock": "processor"}
CEILINGS = {"matmul": 1e12, "convolution": 2e12, "bandwidth": 1e10}
ABOUT = {"recipe": "toy", "data": "toy data", "lossy": True, "device": "cpu", "threads": 1}

OPERATORS = [  # part, calls, FLOP and bytes of one; the ridge is at 200 FLOP a byte
    ("convolution", 2, 8e9, 1e7),  # 4 ms of arithmetic, 1 ms of bytes
    ("convolution", 4, 1e8, 1e7),  # 0.05 ms, 1 ms
    ("norm", 4, 0, 5e6),  # 0.5 ms
    ("optimiser", 0.2, 0, 1e7),  # 1 ms
    ("other operators", 1000, 0, 100),
]
PROFILE = {"convolution": 0.020, "norm": 0.010, "optimiser": 0.002, "other operators": 0.003, "host": 0.005}
SAVED = {"convolution": 0.016, "norm": 0.008}
WHOLE = 0.030


def row(part, calls, flop, moved):
    return {"part": part, "operator": f"of_{part}", "calls": calls, "flop": int(flop), "bytes": int(moved)}


def round_of(number, factor=1.0):
    return {
        "profile": [{"round": number, "part": part, "seconds": factor * s} for part, s in PROFILE.items()],
        "profiled": [{"round": number, "steps": 3, "plain": factor * WHOLE, "seconds": factor * sum(PROFILE.values())}],
        "timings": [
            {"round": number, "part": part, "steps": 3, "whole": factor * WHOLE, "without": factor * (WHOLE - s)}
            for part, s in SAVED.items()
        ],
    }


def stored(folder, factors=(1.0, 0.9, 1.3), **step):
    """A study with a round of each factor, all times of which are multiplied by it."""
    with opened(folder, "profile-toy", KIND, TABLES, ABOUT) as study:
        study.put("counts", {"step": [{**STEP, **step}], "operators": [row(*one) for one in OPERATORS]}, {})
        study.put("ceilings", {"ceilings": [CEILINGS]}, {})
        for number, factor in enumerate(factors, start=1):
            study.put(f"round-{number:02}", round_of(number, factor), {"seconds": 1.0})
    return study
