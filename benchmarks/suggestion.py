"""How long a suggestion takes as a study grows: after one more trial, and when the study is built from nothing.

    python -m benchmarks.suggestion [--sampler hpsearch|tpe|gp] [--trials 100 500] [--json FILE]

Medians of 5, in CPU-bound wall time; the first suggestion after ``resume`` is one that is built from nothing.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.replay import finished
from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.spec import Space
from hpsearch.trial import FinishedTrial

ROUNDS = 5
OWN = 10
"""Trials after which every sampler uses its model."""


def space(sampler: str) -> Space:
    """Three parameters, as in wd_lr.yaml."""
    return Space.restore(
        {
            "parameters": {
                "lr": {"type": "real", "low": 0.05, "high": 3.2, "scale": "log"},
                "weight_decay": {"type": "real", "low": 1e-5, "high": 1e-2, "scale": "log"},
                "batch_size": {"type": "choice", "values": [128, 256, 512, 1024]},
            },
            "objective": {"metric": "val_loss", "mode": "min"},
            "sampler": {"name": sampler},
            "budget": {"trials": 1},
        }
    )


def history(a_space: Space, trials: int) -> list[FinishedTrial]:
    """The sampler's own first settings, then random ones, with the loss of a parabola and noise."""
    rng, sampler = np.random.default_rng(0), make_sampler(a_space)
    made: list[FinishedTrial] = []
    for number in range(trials):
        drawn = a_space.config_from_units(dict(zip(a_space.searched, rng.random(3).tolist(), strict=True)))
        config = sampler.suggest(made, [], number) if number < OWN else drawn
        loss = float(np.log(config["lr"] / 0.4) ** 2 + rng.normal(scale=0.1))
        made.append(finished(number, config, loss))
    return made


def measure(sampler: str, trials: int) -> dict[str, float]:
    """Return seconds per suggestion at so many trials."""
    a_space = space(sampler)
    known = history(a_space, trials + ROUNDS)
    fresh, extended = [], []
    kept = make_sampler(a_space)
    kept.suggest(known[: trials - 1], [], trials - 1)
    for more in range(ROUNDS):
        seen, number = known[: trials + more], trials + more
        for sampler_at_hand, times in ((make_sampler(a_space), fresh), (kept, extended)):
            began = time.perf_counter()
            sampler_at_hand.suggest(seen, [], number)
            times.append(time.perf_counter() - began)
    return {
        "trials": trials,
        "after_one_more_s": statistics.median(extended),
        "from_nothing_s": statistics.median(fresh),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampler", choices=("hpsearch", "tpe", "gp"), default="hpsearch")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(options.sampler, trials) for trials in options.trials]
    print(f"{'trials':>6} {'after one more':>15} {'from nothing':>13}")
    for row in rows:
        print(f"{row['trials']:>6} {row['after_one_more_s'] * 1000:>12.1f} ms {row['from_nothing_s'] * 1000:>10.1f} ms")
    if options.json:
        options.json.write_text(json.dumps({"sampler": options.sampler, "suggestions": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
