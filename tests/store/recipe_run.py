"""Runs of recipes for tests."""

from datetime import UTC, datetime
from typing import Any

from hpsearch.store.recipe_runs import RecipeRun


def make_run(seed: int = 0, accuracy: float | None = 0.94, **changes: Any) -> RecipeRun:
    """A run at full scale with a target of 0.94, and ``changes``; without an accuracy it diverged."""
    values: dict[str, Any] = {
        "name": "example",
        "recipe": '{"batch_size": 512, "drop_last": false, "epochs": 24}',
        "data": "cifar10, images",
        "seed": seed,
        "device": "cpu",
        "threads": 2,
        "width": 64,
        "full_width": 64,
        "epochs": 24,
        "full_epochs": 24,
        "images": 50_000,
        "accuracy": accuracy,
        "test_loss": None if accuracy is None else 0.2,
        "diverged": accuracy is None,
        "trained_epochs": 24,
        "seconds": 100.0 + seed,
        "cpu_seconds": 190.0,
        "eval_seconds": 2.0,
        "images_per_second": 12_000.0,
        "petaflop": 2.7,
        "flops_per_second": 2.7e13,
        "peak_flops_per_second": 1e14,
        "share_of_peak": 0.27,
        "target": 0.94,
        "reached": (accuracy or 0.0) >= 0.94,
        "precision": "bf16",
        "note": None,
        "started_at": datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "cpu": "a processor",
        "cores": 2,
        "torch": "2.13.0",
        "python": "3.11.7",
        "commit": "0123abcd",
    }
    return RecipeRun(**{**values, **changes})
