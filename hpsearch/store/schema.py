"""The columns of a study's tables: names, types, units and meanings, which the Parquet files carry with them.

Column order of ``trials``: identity, parameters, what follows from them, objective, metrics, effort, provenance; of
``epochs``: identity, objective, metrics. A metric that is first seen in the middle of a study widens both tables.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from hpsearch.contract import Config
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.store.parameters import ParameterColumn

VERSION = 1

_TIME = pa.timestamp("us", tz="UTC")

_IDENTITY = (
    ("trial_id", pa.string(), "", "number as fixed-width text; joins the tables of the study"),
    ("number", pa.int64(), "", "position in the order in which the trials were proposed, from 0"),
)
_STATUS = (
    "status",
    pa.string(),
    "",
    "completed, stopped (early, by the search), diverged (a result) or failed (a crash)",
)
_EPOCH = (
    ("epoch", pa.int64(), "epochs", "the epoch that this row reports, from 1"),
    ("seconds", pa.float64(), "s", "wall time of this epoch inside the training function"),
    ("diverged", pa.bool_(), "", "the training function called this epoch diverged"),
)
_EFFORT = (
    ("epochs", pa.int64(), "epochs", "epochs that were run"),
    ("train_seconds", pa.float64(), "s", "wall time inside the training function"),
    ("seed", pa.int64(), "", "32-bit seed of everything random in the trial"),
    ("started_at", _TIME, "UTC", "when the trial was started"),
    ("finished_at", _TIME, "UTC", "when the trial ended"),
    ("device", pa.string(), "", "where it ran, as the training function says"),
    ("note", pa.string(), "", "remark of the training function"),
    ("stop_reason", pa.string(), "", "why it ended before its schedule did"),
    ("error", pa.string(), "", "what a failed trial raised"),
)
_ORIGIN = (
    ("origin", pa.string(), "", "new (proposed by the sampler), promotion (of a shorter run) or repeat"),
    ("repeat", pa.int64(), "", "trials before this one with the same setting and length, 0 for the first"),
)
_SCHEDULE = ("schedule", pa.int64(), "epochs", "length of the complete schedule that was trained")
_QUANTITIES = {
    "lr": ("as in the space", "learning rate, at its peak"),
    "weight_decay": ("as in the space", "weight decay"),
    "batch_size": ("examples", "examples of a step"),
    "momentum": ("", "momentum; of AdamW its beta1"),
    "rate": (
        "as in the space",
        "how far the weights move per example: SGD lr / ((1 - momentum) batch_size), AdamW lr / sqrt(batch_size)",
    ),
    "tau": ("runs", "time in which the weight decay forgets, as a share of the run; infinite without decay"),
    "ratio": ("as in the space", "lr / weight_decay; infinite without decay"),
    "noise": ("as in the space", "scale of the gradient noise: rate times the examples of an epoch; SGD only"),
}
_METRICS = {
    "val_loss": ("nat", "mean cross-entropy on the held-out split of the training set"),
    "val_accuracy": ("fraction", "accuracy on the held-out split of the training set"),
    "test_accuracy": ("fraction", "accuracy on the test set, computed once at the end; not used by the search"),
}
_GRADE = ("prior_grade", pa.float64(), "nat", "log Bayes factor of the prior against a uniform one, after this trial")
_OBJECTIVE = "objective"
_PREFIXES = ("config.", "metric.")
_OWN = (*_IDENTITY, *_ORIGIN, _SCHEDULE, _STATUS, *_EPOCH, *_EFFORT, _GRADE)
_RESERVED = frozenset(column[0] for column in _OWN) | {_OBJECTIVE}


@dataclass(frozen=True)
class StudySchema:
    """The columns of one study: its ``parameters`` are fixed, its ``metrics`` grow as the trials report them."""

    study: str
    objective: str
    parameters: tuple[ParameterColumn, ...]
    metrics: tuple[str, ...] = tuple(_METRICS)
    translation: Translation | None = None
    graded: bool = False
    """Whether the search has a prior, which is graded after every trial."""
    full: int | None = None
    """Epochs of a full run where the search has shorter ones as well."""

    @classmethod
    def of(cls, study: str, space: Space) -> "StudySchema":
        """Return the columns of a study of ``space`` before the first report."""
        columns = tuple(
            ParameterColumn.of(name, parameter_column(name), parameter) for name, parameter in space.parameters.items()
        )
        translation = Translation.of(space) if space.coordinates.optimizer else None
        objective, graded = f"{space.objective.metric} ({space.objective.mode})", space.belief.name != "uniform"
        return cls(study, objective, columns, translation=translation, graded=graded, full=space.full_epochs)

    def with_metrics(self, names: Iterable[str]) -> "StudySchema":
        """Return this schema with the metrics ``names`` added behind those it has; itself when there is nothing new."""
        metrics = tuple(dict.fromkeys((*self.metrics, *names)))
        return self if metrics == self.metrics else replace(self, metrics=metrics)

    @cached_property
    def metric_columns(self) -> dict[str, str]:
        """Metric name -> column, in column order: the name itself, or ``metric.NAME`` where another column has it."""
        taken = _RESERVED | {parameter.column for parameter in self.parameters} | {*self.derived_columns.values()}
        return {name: _escaped(name, "metric.", taken) for name in self.metrics}

    @cached_property
    def derived_columns(self) -> dict[str, str]:
        """Quantity -> column, of those that follow from a configuration and are none of its parameters.

        There are none where it is not known how the study trains.
        """
        if self.translation is None:
            return {}
        names = {parameter.name for parameter in self.parameters}
        taken = _RESERVED | _METRICS.keys() | {parameter.column for parameter in self.parameters}
        roles = self.translation.spec.model_dump()
        return {name: _free(name, taken) for name in _QUANTITIES if roles.get(name) not in names}

    def derived(self, config: Config) -> dict[str, float | None]:
        """Return the cells of ``derived_columns``."""
        if self.translation is None:
            return {}
        quantities = self.translation.quantities(config)
        return {column: getattr(quantities, name) for name, column in self.derived_columns.items()}

    @cached_property
    def trials(self) -> pa.Schema:
        """One row per trial that ended."""
        settings = [*self._parameters(), *self._derived()]
        schedule = () if self.full is None else (_SCHEDULE,)
        effort = (*_EFFORT[:2], _GRADE, *_EFFORT[2:]) if self.graded else _EFFORT
        origin = [_field(*column, optional="older studies lack it") for column in _ORIGIN]
        identity = [*_fields(*_IDENTITY), *origin, *_fields(*schedule, _STATUS)]
        return self._schema([*identity, *settings, *self._measured(), *_fields(*effort)])

    @cached_property
    def epochs(self) -> pa.Schema:
        """One row per reported epoch of a trial that ended."""
        return self._schema([*_fields(*_IDENTITY, *_EPOCH), *self._measured()])

    @property
    def metadata(self) -> dict[str, str]:
        """What every file of the study says about itself."""
        return {"schema_version": str(VERSION), "study": self.study}

    def _schema(self, fields: list[pa.Field]) -> pa.Schema:
        return pa.schema(fields, metadata=self.metadata)

    def _parameters(self) -> list[pa.Field]:
        meaning = "parameter of the search; null where it does not apply"
        return [
            _field(column.column, column.type, "as in the space", meaning, parameter=column.name)
            for column in self.parameters
        ]

    def _derived(self) -> list[pa.Field]:
        return [
            _field(column, pa.float64(), *_QUANTITIES[name], derived=name)
            for name, column in self.derived_columns.items()
        ]

    def _measured(self) -> list[pa.Field]:
        objective = _field(
            _OBJECTIVE, pa.float64(), f"of {self.objective}", "what the search optimises: last finite value"
        )
        as_reported = ("as reported", "metric of the training function: last report in trials")
        return [
            objective,
            *(
                _field(column, pa.float64(), *_METRICS.get(name, as_reported), metric=name)
                for name, column in self.metric_columns.items()
            ),
        ]


def parameter_column(name: str) -> str:
    """Return the column of the parameter ``name``: the name itself, or ``config.NAME`` where another column has it."""
    return _escaped(name, "config.", _RESERVED | _METRICS.keys())


def metrics_in(schema: pa.Schema) -> list[str]:
    """Return the names of the metrics that a table was written with."""
    return [field.metadata[b"metric"].decode() for field in schema if b"metric" in (field.metadata or {})]


def _escaped(name: str, prefix: str, taken: frozenset[str]) -> str:
    # Names that look escaped are escaped as well, so no two names share a column.
    return f"{prefix}{name}" if name in taken or name.startswith(_PREFIXES) else name


def _free(name: str, taken: Set[str]) -> str:
    """Return ``name`` behind as many ``derived.`` as it takes to be no other column."""
    return name if name not in taken else _free(f"derived.{name}", taken)


def _fields(*columns: tuple[str, pa.DataType, str, str]) -> list[pa.Field]:
    return [_field(*column) for column in columns]


def _field(name: str, kind: pa.DataType, unit: str, meaning: str, **role: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "meaning": meaning, **role})
