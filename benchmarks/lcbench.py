"""LCBench as problems to search: trainings of a multilayer perceptron on tabular data, predicted by a surrogate.

The surrogate is YAHPO Gym's (F. Pfisterer et al., 2022) of the trainings of LCBench (L. Zimmer et al., 2021): SGD with
momentum and cosine annealing over 52 epochs. The regret of a setting is normalised over random settings of a problem: 0
is the best of them, 1 their median.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd
import typer

from benchmarks.replay import finished
from hpsearch.analysis.learnt_prior import learn
from hpsearch.contract import Config
from hpsearch.space.learnt import written
from hpsearch.space.prior_spec import Learnt
from hpsearch.space.spec import Space
from hpsearch.store.reader import Study

FOLDER = Path("../shared/data/lcbench")
EPOCHS = 52
RANDOM = 20_000
"""Random settings that a problem is normalised by."""

ROWS = 1024
"""Settings that the surrogate predicts at a time: it keeps the memory of the largest number."""

TRAININGS = 4096
"""Random trainings on each problem that a prior is learnt from."""

COLUMNS = ("batch_size", "lr", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")
"""The inputs of the surrogate behind the epoch, in its order, by the names of this project."""

FIXED = {"num_layers": 3, "max_units": 512, "max_dropout": 0.2}
"""What the four optimiser settings are searched at."""

SGD: dict[str, dict[str, object]] = {
    "lr": {"type": "real", "low": 1e-4, "high": 0.1, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-5, "high": 0.1, "scale": "log"},
    "batch_size": {"type": "integer", "low": 16, "high": 512, "scale": "log"},
    "momentum": {"type": "real", "low": 0.1, "high": 0.99, "scale": "log1m"},
}
ARCHITECTURE: dict[str, dict[str, object]] = {
    "num_layers": {"type": "integer", "low": 1, "high": 5},
    "max_units": {"type": "integer", "low": 64, "high": 1024, "scale": "log"},
    "max_dropout": {"type": "real", "low": 0.0, "high": 1.0},
}

Floats = npt.NDArray[np.float64]


def space(whole: bool, **blocks: Any) -> Space:
    """Return the space of the four optimiser settings, or the ``whole`` one of all seven, with other ``blocks``."""
    parameters = {**SGD, **ARCHITECTURE} if whole else SGD
    return Space.restore(
        {
            "parameters": parameters,
            "objective": {"metric": "val_loss", "mode": "min"},
            "budget": {"trials": 64},
            "coordinates": {"optimizer": "sgd"},
            **blocks,
        }
    )


@cache
def random_configs(whole: bool) -> list[Config]:
    """Return the random settings that define the regret: uniform on the scales of the space."""
    of = space(whole)
    draws = np.random.default_rng(0).random((RANDOM, len(of.searched)))
    return [of.config_from_units(dict(zip(of.searched, draw, strict=True))) for draw in draws.tolist()]


@dataclass(frozen=True)
class Problem:
    """One data set; ``name`` is its number at OpenML, ``code`` its number in the surrogate.

    ``whole`` says which space it is searched and normalised in.
    """

    name: str
    code: int
    whole: bool
    model: onnxruntime.InferenceSession

    def losses(self, configs: Sequence[Config]) -> Floats:
        """Return the validation cross-entropy (nat) at the end of training, shape (configs,)."""
        rows = np.array([[EPOCHS, *({**FIXED, **config}[name] for name in COLUMNS)] for config in configs], np.float32)
        parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
        losses: Floats = np.concatenate([self._predicted(part) for part in parts]).astype(np.float64)
        return losses

    def _predicted(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        inputs = {"x_cat": np.full((len(rows), 1), self.code, np.int32), "x_cont": rows}
        cross_entropy: npt.NDArray[np.float32] = self.model.run(None, inputs)[0][:, 2]
        return cross_entropy

    def regret(self, loss: float) -> float:
        """Return the normalised regret of a loss."""
        return (loss - float(self.random_losses.min())) / self.spread

    @cached_property
    def random_losses(self) -> Floats:
        """The losses of ``random_configs``."""
        return self.losses(random_configs(self.whole))

    @cached_property
    def spread(self) -> float:
        """The unit of the regret: how far the median random setting is above the best one (nat)."""
        return float(np.median(self.random_losses) - self.random_losses.min())


def problems(folder: Path = FOLDER, whole: bool = False, codes: Mapping[str, int] | None = None) -> list[Problem]:
    """Return the problems of ``codes`` (name -> code), by default those to develop on."""
    model = _model(folder)
    known = json.loads((folder / "instances.json").read_text())["instances"] if codes is None else codes
    return [Problem(name, code, whole, model) for name, code in known.items()]


@cache
def _model(folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / "model.onnx", options)


def knowledge(known: Sequence[Problem], made_by: str) -> Learnt:
    """Return what ``TRAININGS`` random trainings on each problem teach, learnt as ``hpsearch prior`` does."""
    return learn([_study(problem) for problem in known], made_by)


def _study(problem: Problem) -> Study:
    """Return random trainings on a problem as a finished study."""
    of = space(problem.whole, goal="a data set of LCBench")
    pairs = zip(random_configs(problem.whole)[:TRAININGS], problem.random_losses.tolist(), strict=False)
    history = tuple(finished(number, config, loss) for number, (config, loss) in enumerate(pairs))
    return Study(f"lcbench_{problem.name}", Path(), {}, of, pd.DataFrame(), pd.DataFrame(), history, (), False)


def main(
    write: Annotated[Path, typer.Option(help="The file of the learnt prior.")],
    data: Annotated[Path, typer.Option(help="The folder of the surrogate.")] = FOLDER,
) -> None:
    """Learn a prior from the development problems of LCBench, for all seven parameters."""
    learnt = knowledge(problems(data, whole=True), f"python -m benchmarks.lcbench --write {write}")
    learnt = learnt.model_copy(update={"about": f"{len(learnt.problems)} data sets of LCBench: multilayer perceptrons"})
    write.write_text(written(learnt), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
