"""Part of the GPU check: recipes as their sources ran them, in turns, by the rule of DAWNBench."""

import time
from dataclasses import asdict
from itertools import count
from typing import Any

from benchmarks.gpu_bench import RECIPES, Bench, Result, say, summary
from trainer.recipe import Recipe
from trainer.reproduce import Outcome, ceiling, reproduce

TINY_ROUNDS = 2


def recipes(bench: Bench) -> Result:
    """Run the recipes in turns, a seed each per round, while a whole round fits; the first may take all that is left.

    Each has a warm-up of one epoch before, in which the device's libraries choose and load their kernels; it counts
    nowhere.
    """
    chosen = {name: bench.recipe(name) for name in RECIPES}
    peaks = {name: ceiling(one, bench.device) for name, one in chosen.items()}
    expected = {name: _warm_up(bench, name) for name in RECIPES}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in RECIPES}
    for seed in range(TINY_ROUNDS) if bench.tiny else count():
        if seed > 0 and not bench.has(sum(expected.values())):
            break
        for name, one in chosen.items():
            if seed == 0 and not bench.tiny and time.perf_counter() + expected[name] > bench.end:
                bench.skip(f"{name}: a run takes about {expected[name]:.0f} s, more than is left")
                continue
            began = time.perf_counter()
            outcomes[name].append(_run(bench, name, one, seed, peaks[name]))
            expected[name] = time.perf_counter() - began
        if not any(outcomes.values()):
            break
    results = {name: _result(chosen[name], done, peaks[name]) for name, done in outcomes.items() if done}
    return {"warm_up": "one epoch of each recipe before, not counted", "recipes": results}


def _warm_up(bench: Bench, name: str) -> float:
    """Run one epoch; return the seconds that a whole run should take at most."""
    epochs = bench.recipe(name).epochs
    began = time.perf_counter()
    short = reproduce(bench.recipe(name, epochs=1), bench.dataset, 0, bench.device, lambda _: None)
    seconds = time.perf_counter() - began
    say(f"  {name}: warm-up of one epoch in {seconds:.1f} s, not counted")
    return seconds + (epochs - 1) * short.seconds


def _run(bench: Bench, name: str, chosen: Recipe, seed: int, peak: float) -> Outcome:
    outcome = reproduce(chosen, bench.dataset, seed, bench.device, lambda _: None)
    result = "diverged" if outcome.accuracy is None else f"{outcome.accuracy:.2%}"
    speed = f"{outcome.images_per_second:,.0f} images/s, {outcome.flops_per_second / peak:.1%} of the peak"
    say(f"  {name}, seed {seed}: {result} in {outcome.seconds:.2f} s, {speed}, {outcome.precision}")
    return outcome


def _result(chosen: Recipe, outcomes: list[Outcome], peak: float) -> Result:
    """Return the runs of a recipe and what they come to, beside what its source says."""
    accuracies = [outcome.accuracy for outcome in outcomes if outcome.accuracy is not None]
    speed = summary([outcome.flops_per_second for outcome in outcomes])["median"]
    return {
        "runs": [_row(seed, outcome, peak) for seed, outcome in enumerate(outcomes)],
        "n": len(outcomes),
        "diverged": len(outcomes) - len(accuracies),
        "accuracy": summary(accuracies) if accuracies else None,
        "seconds": summary([outcome.seconds for outcome in outcomes]),
        "images_per_second": summary([outcome.images_per_second for outcome in outcomes]),
        "petaflop": outcomes[0].petaflop,
        "peak_flops_per_second": peak,
        "share_of_peak": speed / peak if speed else None,
        "width": chosen.model.width,
        "epochs": chosen.epochs,
        "batch_size": chosen.batch_size,
        "expect": chosen.expect.model_dump(mode="json"),
    }


def _row(seed: int, outcome: Outcome, peak: float) -> dict[str, Any]:
    speeds = {"images_per_second": outcome.images_per_second, "share_of_peak": outcome.flops_per_second / peak}
    return {"seed": seed, **asdict(outcome), **speeds}
