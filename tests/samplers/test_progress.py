"""The samplers that learn find a minimum sooner than independent draws do."""

import math

import numpy as np
import pytest

from hpsearch.contract import Config
from hpsearch.samplers.by_name import make_sampler
from hpsearch.trial import FinishedTrial
from tests.samplers.trials import finished
from tests.space.examples import LR, make_space

SEEDS = range(5)


def bowl(config: Config) -> float:
    """Squared distance from (0.03, 0.1) in decades; 9 decades squared are searched."""
    lr, weight_decay = float(config["lr"]), float(config["weight_decay"])
    return math.log10(lr / 0.03) ** 2 + math.log10(weight_decay / 0.1) ** 2


def best(name: str, seed: int, trials: int) -> float:
    space = make_space({"lr": LR, "weight_decay": LR}, sampler={"name": name}, seed=seed)
    sampler, history = make_sampler(space), list[FinishedTrial]()
    for number in range(trials):
        config = sampler.suggest(history, [], number)
        history.append(finished(number, config, bowl(config)))
    return min(bowl(trial.config) for trial in history)


@pytest.mark.parametrize(("name", "trials"), [("tpe", 40), ("gp", 20)])
def test_learning_helps(name: str, trials: int) -> None:
    learnt = np.median([best(name, seed, trials) for seed in SEEDS])
    drawn = np.median([best("random", seed, trials) for seed in SEEDS])
    assert learnt < drawn / 3
