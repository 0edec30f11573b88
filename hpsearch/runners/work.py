"""What every trial of a study shares: the training function, its settings, its data, its place and its processor."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.contract import CHECKPOINT, Trial
from hpsearch.errors import FunctionError, InputError, Problem
from hpsearch.runners.drive import Drive
from hpsearch.space.function import Functions, load_function, place_of
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.trial import PendingTrial

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Work:
    """The part of a study that a worker process needs, as plain values that travel to it.

    ``function`` and ``base`` are what ``load_function`` takes; ``workdirs`` is the folder of the trials' own folders;
    ``device`` is "cpu" or "cuda"; ``threads`` the CPU threads of one trial, ``gpus`` its (share of) GPUs.
    """

    study: str
    function: str
    base: Path
    space: Space
    workdirs: Path
    device: str = "cpu"
    threads: int = 1
    gpus: float = 0

    def load(self) -> Functions:
        """Import the training function in this process, and give its library the trial's number of threads."""
        os.environ["OMP_NUM_THREADS"] = str(self.threads)
        functions = load_function(self.function, self.base)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self.threads)
        return functions

    def start(self, functions: Functions, pending: PendingTrial, shared: Arrays, epochs: int | None = None) -> Drive:
        """Start a trial in this process, of ``epochs`` epochs where that is given instead of its own length."""
        epochs = epochs or pending.schedule or self.space.full_epochs
        workdir = self.workdirs / pending.trial_id
        workdir.mkdir(parents=True, exist_ok=True)
        checkpoint = workdir / CHECKPOINT
        config = Translation.of(self.space).for_function(pending.config, epochs)
        trial = Trial(
            config=dict(config),  # copies: a function may change what it is given, the search must not
            settings=deepcopy(self.space.train.settings),
            epochs=epochs,
            seed=pending.seed,
            device=self.device,
            workdir=workdir,
            checkpoint=checkpoint if checkpoint.exists() else None,
            shared=shared,
        )
        objective = self.space.objective
        return Drive(functions.train, trial, objective.metric, objective.past_bound)


def prepare(functions: Functions, settings: Mapping[str, Any]) -> Arrays:
    """Call the function's ``prepare``, where it has one, and make its arrays read-only.

    Raises InputError for what the function says about its settings, and where it does not return arrays.
    """
    if functions.prepare is None:
        return {}
    with errors_of(functions.reference, "prepare"):
        arrays = functions.prepare(settings)
    if not _is_arrays(arrays):
        raise FunctionError(Problem("prepare must return a dict of NumPy arrays", key=functions.reference))
    for array in arrays.values():
        array.setflags(write=False)
    return dict(arrays)


def _is_arrays(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(array, np.ndarray) for array in value.values())


@contextmanager
def errors_of(reference: str, name: str) -> Iterator[None]:
    """Turn what ``prepare``, ``describe`` and ``check`` raise into an InputError.

    The contract lets them raise ValueError and OSError about their settings, of which the message is shown; anything
    else is a mistake in them, shown with its place.
    """
    try:
        yield
    except InputError:
        raise
    except (ValueError, OSError) as cause:
        raise FunctionError(Problem(f"{name} of the training function says: {cause}", key=reference)) from cause
    except Exception as cause:
        file, line = place_of(cause)
        what = f"{name} of the training function failed: {type(cause).__name__}: {cause}"
        raise FunctionError(Problem(what, file, line, key=reference)) from cause
