"""The columns of a study's tables: names, types, units and meanings, which the Parquet files carry with them.

Column order of ``trials``: identity, parameters, objective, metrics, effort, provenance; of ``epochs``: identity,
objective, metrics. A metric that is first seen in the middle of a study widens both tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from hpsearch.space.spec import Space
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
_METRICS = {
    "val_loss": ("nat", "mean cross-entropy on the held-out split of the training set"),
    "val_accuracy": ("fraction", "accuracy on the held-out split of the training set"),
    "test_accuracy": ("fraction", "accuracy on the test set, computed once at the end; not used by the search"),
}
_OBJECTIVE = "objective"
_PREFIXES = ("config.", "metric.")
_RESERVED = frozenset(column[0] for column in (*_IDENTITY, _STATUS, *_EPOCH, *_EFFORT)) | {_OBJECTIVE}


@dataclass(frozen=True)
class StudySchema:
    """The columns of one study: its ``parameters`` are fixed, its ``metrics`` grow as the trials report them."""

    study: str
    objective: str
    parameters: tuple[ParameterColumn, ...]
    metrics: tuple[str, ...] = tuple(_METRICS)

    @classmethod
    def of(cls, study: str, space: Space) -> "StudySchema":
        """Return the columns of a study of ``space`` before the first report."""
        columns = tuple(
            ParameterColumn.of(name, parameter_column(name), parameter) for name, parameter in space.parameters.items()
        )
        return cls(study, f"{space.objective.metric} ({space.objective.mode})", columns)

    def with_metrics(self, names: Iterable[str]) -> "StudySchema":
        """Return this schema with the metrics ``names`` added behind those it has; itself when there is nothing new."""
        metrics = tuple(dict.fromkeys((*self.metrics, *names)))
        return self if metrics == self.metrics else replace(self, metrics=metrics)

    @cached_property
    def metric_columns(self) -> dict[str, str]:
        """Metric name -> column, in column order: the name itself, or ``metric.NAME`` where another column has it."""
        taken = _RESERVED | {parameter.column for parameter in self.parameters}
        return {name: _escaped(name, "metric.", taken) for name in self.metrics}

    @cached_property
    def trials(self) -> pa.Schema:
        """One row per trial that ended."""
        return self._schema([*_fields(*_IDENTITY, _STATUS), *self._parameters(), *self._measured(), *_fields(*_EFFORT)])

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


def _fields(*columns: tuple[str, pa.DataType, str, str]) -> list[pa.Field]:
    return [_field(*column) for column in columns]


def _field(name: str, kind: pa.DataType, unit: str, meaning: str, **role: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "meaning": meaning, **role})
