"""Whether the length of the initial weights is forgotten: runs that share all settings but ``model.weight_scale``.

Each scale-invariant tensor comes to the length at which decay and gradients balance, whatever length it began with:
from far above it in ln(|w| / balance) / delta steps, from far below in about 1 / (4 delta) (D. Page, "How to Train Your
ResNet 6", 2018). ``merging_layers.py`` says when lengths count as merged, and what is predicted of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from hpsearch.analysis.means import Moments, moments, standard_error
from hpsearch.analysis.merging_layers import COLUMNS, Layer, layer
from hpsearch.analysis.traced_trials import alike, invariant_rows, result, result_metric, traced_trials
from hpsearch.contract import Config
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial

SCALE = "model.weight_scale"
"""The parameter; where a trial has none its weights begin as they are, which is 1."""

_OF_LAYER = ("name", "measured", "predicted", "closed_form", "effective", "relaxation")
_OF_ALL = ("measured", "predicted", "closed_form", "ratio", "closed_form_ratio")


@dataclass(frozen=True)
class Merging:
    """Runs of one setting from initial weights of several scales; ``config`` is the rest of it.

    ``results`` maps each scale to the ``metric`` at the end. A median over the layers is None where half of them have
    none.
    """

    config: Config
    metric: str
    results: Mapping[float, Moments]
    layers: tuple[Layer, ...]

    @property
    def measured(self) -> float | None:
        """The median over the tensors of the step at which they merged; one that never does counts as last."""
        return _median([layer.measured for layer in self.layers])

    @property
    def predicted(self) -> float | None:
        """The same of the paths of theory."""
        return _median([layer.predicted for layer in self.layers])

    @property
    def closed_form(self) -> float | None:
        """The same by the closed form."""
        return _median([layer.closed_form for layer in self.layers])

    @property
    def ratio(self) -> float | None:
        """The median over the tensors of measured over predicted steps, where that is known of most."""
        return _ratio((layer.measured, layer.predicted) for layer in self.layers if layer.has_theory)

    @property
    def closed_form_ratio(self) -> float | None:
        """The same for the closed form."""
        return _ratio((layer.measured, layer.closed_form) for layer in self.layers if layer.closed_form is not None)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON, without the paths."""
        layers = [{name: _finite(getattr(layer, name)) for name in _OF_LAYER} for layer in self.layers]
        results = {
            f"{scale:g}": {"n": of.n, "mean": of.mean, "standard_error": standard_error(of)}
            for scale, of in self.results.items()
        }
        return {
            "config": dict(self.config),
            "metric": self.metric,
            "results": results,
            **{name: getattr(self, name) for name in _OF_ALL},
            "layers": layers,
        }


@dataclass(frozen=True)
class Mergings:
    """All such settings of a study; ``left_out`` counts the trials that are not compared, by the reason."""

    settings: tuple[Merging, ...]
    left_out: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return {"settings": [one.to_json() for one in self.settings], "left_out": dict(self.left_out)}


def merging(study: Study) -> Mergings:
    """Compare the traced full runs of ``study`` by the scale of their initial weights, where it has several.

    Raises StudyError where no trial, or no scale-invariant tensor, was traced.
    """
    chosen = traced_trials(study)
    metric = result_metric(study, chosen.trials)
    groups = [(setting, _by_scale(trials)) for setting, trials in alike(chosen.trials, SCALE)]
    groups = [(setting, scales) for setting, scales in groups if len(scales) > 1]
    if not groups:
        return Mergings((), chosen.left_out)
    used = [trial for _, scales in groups for trials in scales.values() for trial in trials]
    rows = invariant_rows(study, used, COLUMNS)
    found = [_merging(setting, metric, scales, rows) for setting, scales in groups]
    return Mergings(tuple(one for one in found if one.layers), chosen.left_out)


def _by_scale(trials: Sequence[FinishedTrial]) -> dict[float, list[FinishedTrial]]:
    """Return the trials of each scale, smallest first; those that name none have the weights as they are."""
    found: dict[float, list[FinishedTrial]] = {}
    for trial in trials:
        found.setdefault(float(trial.config.get(SCALE, 1.0)), []).append(trial)
    return dict(sorted(found.items()))


def _merging(
    config: Config, metric: str, scales: Mapping[float, Sequence[FinishedTrial]], rows: pd.DataFrame
) -> Merging:
    results = {scale: moments([result(trial, metric) for trial in trials]) for scale, trials in scales.items()}
    names = {scale: [trial.trial_id for trial in trials] for scale, trials in scales.items()}
    own = rows[rows["trial_id"].isin([name for some in names.values() for name in some])]
    runs = sum(map(len, names.values()))
    layers = tuple(
        layer(str(name), names, of_layer)
        for name, of_layer in own.groupby("layer", sort=False)
        if of_layer["trial_id"].nunique() == runs  # found to be scale invariant in all of them
    )
    return Merging(config, metric, results, layers)


def _median(steps: Iterable[float | None]) -> float | None:
    known = [math.inf if step is None else step for step in steps]
    found = median(known) if known else math.inf
    return found if math.isfinite(found) else None


def _ratio(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    """Return the median of measured over predicted steps; None is never, and never over never is not known."""
    steps = [tuple(math.inf if step is None else step for step in pair) for pair in pairs]
    known = [measured / predicted for measured, predicted in steps if predicted and min(measured, predicted) < math.inf]
    return _median(known) if 2 * len(known) > len(steps) else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
