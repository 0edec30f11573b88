"""What a training function receives and what it yields: the whole door between a search and a training.

A training function is a callable of one argument. It yields one report (a dict) per epoch, or returns a single one::

    def train(trial):
        model = build(trial.config["width"])
        for epoch in range(trial.epochs or 10):
            yield {"val_loss": fit_one_epoch(model, lr=trial.config["lr"])}

The search stops a trial by closing the generator. Beside the function, its module may offer

* ``prepare(settings) -> dict of NumPy arrays``, called once per study and node; every trial sees the result, read-only,
  as ``trial.shared``;
* ``describe(settings) -> Description``, called before anything is spent: checks the space, says what will happen.

Both may raise ``ValueError`` or ``OSError`` (or an ``hpsearch.errors.InputError``) about their settings: the user sees
the message, not a traceback.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy.typing as npt
from pydantic import Field
from typing_extensions import TypedDict  # pydantic checks it before Python 3.12 only in this form

TECHNIQUE = "technique."
"""Before the name of a technique of the built-in trainer: a parameter that leaves it out where it is false."""

CHECKPOINT = "checkpoint.pt"
"""The file in a trial's workdir by which it can go on after it was interrupted."""

EPOCHS = "epochs"
"""The parameter that is the length of a trial's schedule, where a space has it."""

Optimizer = Literal["sgd", "sgd_nesterov", "adamw"]
"""An update rule: SGD with momentum, the same in Nesterov's form, or Adam with decoupled weight decay."""

Value = bool | int | float | str
"""A value of one parameter."""

Config = Mapping[str, Value]
"""Parameter name (a key path such as ``augment.cutout``) to value; a parameter whose ``when:`` fails is absent."""

Report = Mapping[str, Any]
"""One report of a training function: metric name to number, and the reserved keys below.

``epoch`` (int)          the epoch just finished, counted from 1; the reports are counted where it is absent
``seconds`` (float)      wall time of the epoch, where the function knows better than the clock around it (a report that
                         is repeated after a checkpoint)
``diverged`` (bool)      the loss is finite but out of bounds; a non-finite objective counts as diverged by itself
``stop_reason`` (str)    why the function ends before its schedule does
``device``, ``note`` (str)  where and how it ran, kept in the trials table
``tables`` (dict)        table name -> {column name -> one-dimensional array}, kept as Parquet of their own
"""

TABLE_KEYS = ("trial_id", "epoch")
"""The columns that the store adds to every table of a report."""

OWN_TABLES = ("trials", "epochs", "work", "effects")
"""What the store keeps under these names is no table of a report."""

RESERVED = ("epoch", "seconds", "diverged", "stop_reason", "device", "note", "tables")


@dataclass(frozen=True)
class Trial:
    """What a training function is given.

    ``config``      the suggested parameters
    ``settings``    the rest of the space's ``train:`` block (everything but ``function``), the same for all trials
    ``epochs``      the fidelity: train a complete schedule of this many epochs; None = the function's own length
    ``seed``        32-bit seed of this trial; everything random in it must come from here
    ``device``      "cpu" or "cuda"
    ``workdir``     an existing folder of this trial for files it wants to keep; removed at the end if it is empty
    ``checkpoint``  ``workdir/checkpoint.pt`` where an earlier run of this trial left one to go on from, or None; who
                    goes on repeats the earlier reports first. The search removes the file when the trial has ended
    ``shared``      what ``prepare`` returned; the arrays are read-only and shared between the trials of a node
    """

    config: Config
    settings: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    seed: int = 0
    device: str = "cpu"
    workdir: Path = Path()
    checkpoint: Path | None = None
    shared: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class Description(TypedDict, total=False):
    """What ``describe`` may say; every key is optional.

    ``facts``       label -> text, printed by ``validate`` and at the start of a run ("data", "device", ...)
    ``parameters``  every parameter the function reads -> its default; names outside it are refused with the nearest one
    ``metrics``     the metrics in every report; the objective must be one of them
    ``epochs``      the length of a full run in reports; a parameter called ``epochs`` replaces it for its trial
    ``optimizer``   the update rule, where it is one of these, on the mean loss of a batch; and
    ``examples``    the training examples of an epoch: with both, rate and tau can be searched, and are kept
    ``optimizer_of``  says it of a configuration, where that may choose another: if those that the search may propose
                    do not all have one rule, rate and tau are not known
    ``check``       is called with configurations that the search may propose (the settings to start with; then all runs
                    of a design and of a grid up to 1,000, or else the ends of ranges and every choice) and raises, as
                    above, for one that cannot be trained
    ``settings``    what a study keeps in place of its settings, so that it goes on with the same recipe and data
                    whatever changes around it
    """

    facts: dict[str, str]
    parameters: dict[str, Value | None]
    metrics: list[str]
    epochs: Annotated[int, Field(ge=1)]
    optimizer: Optimizer
    examples: Annotated[int, Field(ge=1)]
    optimizer_of: Callable[[Config], Optimizer | None]
    check: Callable[[Config], None]
    settings: dict[str, Any]


TrainingFunction = Callable[[Trial], Iterator[Report] | Report]
Prepare = Callable[[Mapping[str, Any]], dict[str, npt.NDArray[Any]]]
Describe = Callable[[Mapping[str, Any]], Description]
