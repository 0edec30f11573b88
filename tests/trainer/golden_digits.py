"""Reference losses of the digits recipe in fp32; ``python -m tests.trainer.golden_digits`` writes them anew."""

import json
from pathlib import Path

import torch

from hpsearch.contract import Trial
from trainer import objective

FILE = Path(__file__).with_suffix(".json")


def losses() -> list[float]:
    """Train loss of the first two epochs at the recipe's values; later ones amplify the rounding of a machine."""
    torch.set_num_threads(1)
    trial = Trial(config={}, settings={"recipe": "digits_quickstart"}, seed=0)
    reports = objective.train(trial)
    return [next(reports)["train_loss"] for _ in range(2)]  # type: ignore[call-overload]


if __name__ == "__main__":
    FILE.write_text(json.dumps({"train_loss": losses()}) + "\n")
