"""The ``coordinates:`` block: which parameters play the four roles that rate and tau are made of, and in which run."""

import math
from typing import Literal, Self, get_args

from pydantic import Field, FiniteFloat

from hpsearch.contract import Description, Optimizer
from hpsearch.space.coordinates import Run
from hpsearch.space.values import is_number
from hpsearch.typed_yaml import Typed

Role = Literal["lr", "weight_decay", "batch_size", "momentum"]

ROLES: tuple[Role, ...] = get_args(Role)


class CoordinateSpec(Typed):
    """What rate and tau are computed from. What is left out here, the training function may say (``describe``)."""

    lr: str = "lr"
    """Names of the parameters that play the four roles."""
    weight_decay: str = "weight_decay"
    batch_size: str = "batch_size"
    momentum: str = "momentum"
    rate: str | None = "rate"
    """Names of the parameters that are coordinates; null where the function has a parameter of its own called so."""
    tau: str | None = "tau"
    optimizer: Optimizer | None = None
    examples: int | None = Field(default=None, ge=1)
    """Training examples of an epoch."""
    epochs: FiniteFloat | None = Field(default=None, gt=0)
    """Length of a run; a parameter called ``epochs`` replaces it for its trial."""
    reference: dict[Role, FiniteFloat] = Field(default_factory=dict)
    """A setting known to work: the centre of the heuristic prior, and what a run has where it is not searched."""

    @property
    def run(self) -> Run:
        """What the coordinates need to know of a run; SGD where nobody says."""
        return Run(self.optimizer or "sgd", self.examples, self.epochs)

    def resolved(self, description: Description) -> Self:
        """Return the block with what it leaves out as the training function says; what is in the file wins."""
        own = description.get("parameters", {})
        defaults = {role: own.get(getattr(self, role)) for role in ROLES}
        known = {role: float(value) for role, value in defaults.items() if is_number(value) and math.isfinite(value)}
        found = {
            "rate": None if self.rate in own else self.rate,
            "tau": None if self.tau in own else self.tau,
            "optimizer": self.optimizer or description.get("optimizer"),
            "examples": self.examples or description.get("examples"),
            "epochs": self.epochs or description.get("epochs"),
            "reference": known | self.reference,
        }
        return self.model_validate({**self.model_dump(), **found})
