"""The trials of a study as places on four logarithmic axes, in octaves (factors of two).

The axes are log2 of learning rate, weight decay, batch size and 1 - momentum. In logarithms rate and tau are sums of
these, so one quadratic surface serves both (log rate, log tau, log batch size, log(1 - momentum)) and the raw values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.repeats import by_setting, varying
from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError, listed
from hpsearch.space.axes import Floats
from hpsearch.space.coordinates import Coordinates, Optimizer, Raw, Run, to_coordinates, to_raw
from hpsearch.space.parameters import Choice, Constant, Parameter
from hpsearch.space.translation import Quantities, Translation
from hpsearch.store.reader import Study

AXES = ("lr", "weight_decay", "batch_size", "1 - momentum")

LEAST_FREEDOM = 3
"""So many trials more than coefficients: fewer say too little about the residuals."""


@dataclass(frozen=True)
class Places:
    """The trials with a result: ``z`` (n, 4) in octaves from their ``centre`` (4,), and what they lost (n,).

    ``levels``  how many values each axis has; none where it is not known
    ``others``  names of the parameters beside the axes that vary, ``kind`` (n,) numbers their combinations
    ``off``     trials left out because a value has no logarithm, a weight decay of 0 say
    """

    z: Floats
    losses: Floats
    centre: Floats
    levels: tuple[int, ...]
    others: tuple[str, ...]
    kind: npt.NDArray[np.intp]
    off: int

    @classmethod
    def of(cls, study: Study) -> "Places":
        """Read the trials of ``study``; an axis that is not known stays at 0. Raises StudyError for too few trials."""
        ended = [(trial.config, trial.final) for trial in study.history if trial.final is not None]
        quantities = Translation.of(study.space).quantities
        logs = np.array([_logs(quantities(config)) for config, _ in ended]).reshape(-1, len(AXES))
        known = np.isfinite(logs).any(axis=0)
        kept = np.isfinite(logs[:, known]).all(axis=1)
        logs = np.where(known, logs, 0.0)[kept]
        levels = tuple(len(np.unique(axis)) * int(there) for axis, there in zip(logs.T, known, strict=True))
        _check_enough(study, len(logs), len(kept) - len(logs), levels)
        configs = [config for (config, _), keep in zip(ended, kept, strict=True) if keep]
        others = _others(study)
        losses = [study.space.objective.loss(final) for _, final in ended]
        centre = logs.mean(axis=0)
        return cls(
            z=logs - centre,
            losses=np.array(losses)[kept],
            centre=centre,
            levels=levels,
            others=others,
            kind=_kinds(configs, others),
            off=len(kept) - len(logs),
        )

    def values(self, place: Floats) -> dict[str, float]:
        """Return what the known axes are at a place (4,), momentum and not 1 - momentum."""
        raw = dict(zip(AXES, 2 ** (place + self.centre), strict=True))
        named = {name: float(value) for (name, value), n in zip(raw.items(), self.levels, strict=True) if n}
        flipped = named.pop("1 - momentum", None)
        return named if flipped is None else {**named, "momentum": 1 - flipped}


def coordinate_directions(optimizer: Optimizer) -> dict[str, Floats]:
    """Return how the axes move, (4,) in octaves, where one coordinate doubles and the others are held."""
    run, raw = Run(optimizer, examples=1, epochs=1), Raw(1.0, 1.0, 1.0, 0.5)
    here, found = to_coordinates(raw, run), {}
    for name in (field.name for field in fields(Coordinates)):
        values = {field.name: getattr(here, field.name) for field in fields(Coordinates)}
        values[name] = 0.0 if name == "momentum" else 2 * values[name]  # 1 - momentum doubles
        moved = to_raw(Coordinates(**values), run)
        logs = [moved.lr, moved.weight_decay, moved.batch_size, (1 - moved.momentum) / (1 - raw.momentum)]
        found["1 - momentum" if name == "momentum" else name] = np.log2(logs)
    return found


def coefficients(levels: Sequence[int]) -> int:
    """Return how many coefficients of a quadratic such axes determine: one with two values has no square."""
    k = sum(n > 1 for n in levels)
    return 1 + k + k * (k - 1) // 2 + sum(n > 2 for n in levels)


def _logs(of: Quantities) -> list[float]:
    room = None if of.momentum is None else 1 - of.momentum
    values = [np.nan if value is None else value for value in (of.lr, of.weight_decay, of.batch_size, room)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return [float(value) for value in np.log2(values)]


def _others(study: Study) -> tuple[str, ...]:
    spec = study.space.coordinates
    own = {spec.lr, spec.weight_decay, spec.batch_size, spec.momentum, spec.rate, spec.tau}
    return tuple(name for name in varying(by_setting(study)) if name not in own)


def _kinds(configs: Sequence[Config], others: Sequence[str]) -> npt.NDArray[np.intp]:
    rows = [tuple((name in config, config.get(name)) for name in others) for config in configs]
    numbers = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    return np.array([numbers[row] for row in rows], dtype=np.intp)


def _check_enough(study: Study, n: int, off: int, levels: Sequence[int]) -> None:
    if n < LEAST_FREEDOM:  # they do not show yet what varies
        levels = _searched(study)
    needed = coefficients(levels) + LEAST_FREEDOM
    if n >= needed:
        return
    moving = listed([name for name, count in zip(AXES, levels, strict=True) if count > 1])
    allowed = f"at least {needed}" + (f" for a quadratic in {moving}" if moving else "")
    got = f"{n} of the {len(study.history)} trials that ended" + (f", {off} with a value of 0" if off else "")
    what = "too few full runs have ended with a result to fit a surface to them"
    raise StudyError(Problem(what, file=study.folder, got=got, allowed=allowed, hint=next_step(study)))


def _searched(study: Study) -> tuple[int, ...]:
    """Return how many values each axis can take by the space, 3 standing for any more."""
    spec, parameters = study.space.coordinates, study.space.parameters
    names = ((spec.lr, spec.rate), (spec.weight_decay, spec.tau), (spec.batch_size,), (spec.momentum,))
    return tuple(max((_values(parameters[name]) for name in axis if name in parameters), default=1) for axis in names)


def _values(parameter: Parameter) -> int:
    if isinstance(parameter, Constant):
        return 1
    return len(parameter.values) if isinstance(parameter, Choice) else 3
