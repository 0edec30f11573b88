"""Piecewise-linear schedules in epochs, as small values."""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, Field

from hpsearch.typed_yaml import Typed, wrong
from trainer.blocks import NonNegative

_List = Field(strict=False, min_length=1)  # YAML has lists, a frozen value wants tuples


class Schedule(Typed):
    """Straight lines between knots, constant before the first and after the last.

    ``epochs``  ascending positions of the knots, the first at 0
    ``values``  one value for each knot
    """

    epochs: Annotated[tuple[NonNegative, ...], _List]
    values: Annotated[tuple[NonNegative, ...], _List]

    def model_post_init(self, _: Any) -> None:
        """Refuse knots that are not one value at each of some ascending positions."""
        if len(self.epochs) != len(self.values):
            got = f"{len(self.epochs)} positions, {len(self.values)} values"
            raise wrong("a schedule needs one value for each knot", "values", got=got)
        if self.epochs[0] != 0 or list(self.epochs) != sorted(set(self.epochs)):
            raise wrong("the knots must ascend from 0", "epochs", got=list(self.epochs))

    def at(self, epoch: float) -> float:
        """Return the value at a position in epochs."""
        return float(np.interp(epoch, self.epochs, self.values))

    @property
    def peak(self) -> float:
        """The highest value."""
        return max(self.values)

    @property
    def peak_epochs(self) -> float | None:
        """Position of the first highest knot, or None where it is at an end and cannot be moved."""
        position = self.values.index(self.peak)
        return self.epochs[position] if 0 < position < len(self.epochs) - 1 else None

    def with_peak(self, peak: float) -> Self:
        """Scale all values so that the highest is ``peak``; a schedule of zeros becomes constant."""
        return self._with(values=[value / self.peak * peak if self.peak else peak for value in self.values])

    def with_peak_at(self, epoch: float) -> Self:
        """Move the peak, which must be an inner knot, to ``epoch``, and the others in proportion on either side."""
        old, end = self.peak_epochs, self.epochs[-1]
        assert old is not None
        rise, fall = epoch / old, (end - epoch) / (end - old)
        moved = [knot * rise if knot < old else epoch + (knot - old) * fall for knot in self.epochs]
        return self._with(epochs=[*moved[:-1], end])

    def stretched(self, factor: float) -> Self:
        """Multiply the positions of all knots by ``factor``."""
        return self._with(epochs=[knot * factor for knot in self.epochs])

    def _with(self, **changed: list[float]) -> Self:
        return type(self).model_validate({"epochs": self.epochs, "values": self.values, **changed})


def _below_one(momentum: Schedule) -> Schedule:
    if momentum.peak >= 1:
        raise wrong("momentum must be below 1", "values", got=list(momentum.values))
    return momentum


def _not_zero(lr: Schedule) -> Schedule:
    if lr.peak == 0:
        raise wrong("a learning rate must rise above 0", "values", got=list(lr.values))
    return lr


class Schedules(Typed):
    """The three that the optimiser reads before every step."""

    lr: Annotated[Schedule, AfterValidator(_not_zero)]
    weight_decay: Schedule
    momentum: Annotated[Schedule, AfterValidator(_below_one)]

    def stretched(self, factor: float) -> Self:
        """Multiply the positions of all knots by ``factor``."""
        stretched = {name: getattr(self, name).stretched(factor) for name in type(self).model_fields}
        return self.model_copy(update=stretched)
