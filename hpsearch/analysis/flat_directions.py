"""Whether the flat directions of post 5 are flat in a study (``flat_claims``), and the curvatures of its surface."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hpsearch.analysis.flat_axes import AXES, Places, coordinate_directions
from hpsearch.analysis.flat_claims import LAWS, Claim, claim_of
from hpsearch.analysis.flat_window import WINDOW, Neighbourhood
from hpsearch.analysis.quadratic import Estimate, curvature
from hpsearch.store.reader import Study
from hpsearch.trial import FinishedTrial, Status


@dataclass(frozen=True)
class Flatness:
    """The verdicts on a study.

    ``places`` are its trials with a result, ``left_out`` counts the others by what they are; ``near`` is the surface
    around the best settings; ``curvatures`` of raw values and of coordinates are per square octave.
    """

    study: str
    metric: str
    left_out: Mapping[str, int]
    places: Places
    near: Neighbourhood
    claims: tuple[Claim, ...]
    curvatures: Mapping[str, Mapping[str, Estimate | None]]

    @property
    def best(self) -> dict[str, float] | None:
        """The middle of the best settings by the surface; None where that has no optimum there."""
        optimum = all(claim.optimum for claim in self.claims)
        return self.places.values(self.near.best) if optimum else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        surface, places = self.near.surface, self.places
        return {
            "study": self.study,
            "metric": self.metric,
            "trials": len(places.losses),
            "left_out": {**self.left_out, "without a logarithm": places.off},
            "fitted": len(self.near.z),
            "residual_std": surface.residual_std,
            "freedom": surface.freedom,
            "explained": surface.explained,
            "others": list(places.others),
            "best": self.best,
            "claims": [claim.to_json() for claim in self.claims],
            "curvatures": {
                system: {name: one and asdict(one) for name, one in found.items()}
                for system, found in self.curvatures.items()
            },
        }


def flatness(study: Study, window: float = WINDOW) -> Flatness:
    """Return the verdicts on ``study``, by the share ``window`` of its trials, in the units of its objective.

    Trials that diverged, failed or were stopped have no loss of a whole run and are left out. Raises StudyError where
    the others are too few.
    """
    places = Places.of(study)
    near = Neighbourhood.of(places, window)
    optimizer = study.space.coordinates.optimizer
    systems = {"raw": dict(zip(AXES, np.eye(len(AXES)), strict=True))}
    systems |= {} if optimizer is None else {"coordinates": coordinate_directions(optimizer)}
    return Flatness(
        study=study.name,
        metric=study.space.objective.metric,
        left_out=Counter(_missing(trial) for trial in study.history if trial.final is None),
        places=places,
        near=near,
        claims=tuple(claim_of(law, places, near) for law in LAWS),
        curvatures={
            system: {name: near.surface.estimate(curvature(direction)) for name, direction in directions.items()}
            for system, directions in systems.items()
        },
    )


def _missing(trial: FinishedTrial) -> str:
    """Say why a trial has no result of a full run."""
    if trial.schedule is not None:
        return "shorter runs"
    return "without a result" if trial.status is Status.COMPLETED else str(trial.status)
