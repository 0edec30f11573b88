"""Configurations of a space as points of the unit cube, one coordinate for each searched parameter."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hpsearch.contract import Config
from hpsearch.space.axes import Floats, axis, settled
from hpsearch.space.parameters import Choice, Parameter
from hpsearch.space.spec import Space


class Cube:
    """The unit cube of a space: n points are an array (n, d), in the order of ``space.searched``.

    A parameter that does not exist in a configuration is NaN.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = space.searched
        self._parameters = [space.parameters[name] for name in self.names]

    @cached_property
    def unordered(self) -> npt.NDArray[np.bool_]:
        """Which coordinates are choices without an order."""
        axes = (axis(name, self.space.parameters[name], self.space.coordinates) for name in self.names)
        pairs = zip(self._parameters, axes, strict=True)
        return np.array([isinstance(parameter, Choice) and found is None for parameter, found in pairs])

    def points(self, configs: Sequence[Config]) -> Floats:
        """Return the points of configurations."""
        rows = [
            [parameter.to_unit(config[name]) if name in config else np.nan for name, parameter in self._named]
            for config in configs
        ]
        return np.array(rows, dtype=np.float64).reshape(len(configs), len(self.names))

    def config(self, point: Floats) -> Config:
        """Return the configuration of a point; what is NaN there does not exist."""
        units = zip(self.names, np.nan_to_num(point, nan=0.5).tolist(), strict=True)
        return self.space.config_from_units(dict(units))

    def settled(self, points: Floats) -> Floats:
        """Return the points of the configurations at ``points``: discrete values, NaN where a parameter is absent."""
        found = points.copy()
        for column, parameter in enumerate(self._parameters):
            found[:, column] = settled(parameter, points[:, column])
        if any(parameter.when for parameter in self.space.parameters.values()):
            found[np.isnan(self.points([self.config(point) for point in points]))] = np.nan
        return found

    @property
    def _named(self) -> list[tuple[str, Parameter]]:
        return list(zip(self.names, self._parameters, strict=True))
