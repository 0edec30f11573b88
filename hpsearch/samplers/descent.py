"""Post 5's search: double or halve one parameter at a time while it pays, then the next one, round and round.

From a starting point: one parameter is doubled as long as the result gets better, or halved if the first doubling is no
better; then the next parameter, learning rate and weight decay first. A round that brings nothing halves the steps (a
factor of sqrt 2, ...), down to ``FINEST``. The state is not kept: the search is played again, from the start, over the
results there are, so it depends on these alone. A setting without a result is where it stands; while that one runs,
the settings that it could need next, whatever the outcome, are proposed.
"""

import math
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from hpsearch.contract import Config
from hpsearch.samplers.steps import Point, directions, moved
from hpsearch.space.spec import Objective, Space
from hpsearch.trial import FinishedTrial, Key, key

FINEST = 2**-6
"""The smallest step, as a share of a doubling: about 1%."""

Move = tuple[str, int]
"""Name of a parameter and direction of its step."""


def losses(history: Iterable[FinishedTrial], objective: Objective) -> dict[Key, float]:
    """Return the mean loss of every setting that ended, infinite where a trial did not run to its end."""
    found = defaultdict(list)
    for trial in history:
        final = trial.final
        finite = final is not None and math.isfinite(final)
        found[trial.key].append(objective.loss(final) if final is not None and finite else math.inf)
    return {setting: fmean(values) for setting, values in found.items()}


@dataclass(frozen=True)
class Descent:
    """Where a line search stands.

    ``point``, ``loss``  the best so far
    ``cycle``, ``turn``  the moves of one round, and the one whose turn it is
    ``size``             of the steps, 1 for a doubling
    ``streak``           steps that paid in this direction
    ``idle``             settings tried since the last one that paid
    ``gained``           whether any step of this round has paid
    """

    space: Space
    point: Point
    loss: float
    cycle: tuple[Move, ...]
    turn: int = 0
    size: float = 1.0
    streak: int = 0
    idle: int = 0
    gained: bool = False

    @classmethod
    def start(cls, space: Space, config: Config, loss: float) -> "Descent":
        """Return the search that begins at ``config``."""
        point = {name: config.get(name, one.from_unit(0.5)) for name, one in space.parameters.items()}
        spec = space.coordinates
        first = (spec.rate, spec.lr, spec.tau, spec.weight_decay)
        names = sorted(space.searched, key=lambda name: first.index(name) if name in first else len(first))
        cycle = tuple((name, way) for name in names for way in directions(space.parameters[name]))
        return cls(space, point, loss, cycle)

    @property
    def config(self) -> Config:
        """The best setting so far."""
        return self._config(self.point)

    @property
    def place(self) -> tuple[object, ...]:
        """What tells one state of the search from another."""
        return key(self.point), self.loss, self.turn, self.size, self.streak > 0, self.gained

    def along(self, values: Mapping[Key, float]) -> tuple["Descent", Config | None]:
        """Follow the search as far as ``values`` are known; also return the setting it needs, None at its end."""
        state = self
        while state.cycle and state.size >= FINEST:
            config = state._config(state._target)
            found = key(config)
            if found == key(state.config):
                state = state._turned()
            elif found in values:
                state = state.after(values[found])
            else:
                return state, config
        return state, None

    def after(self, loss: float) -> "Descent":
        """Return the search after the setting whose turn it is gave ``loss``: on in its direction if that is better."""
        if loss < self.loss:
            return replace(self, point=self._target, loss=loss, streak=self.streak + 1, idle=0, gained=True)
        return replace(self._turned(), idle=self.idle + 1)

    def _turned(self) -> "Descent":
        """Return the search at its next move: of another parameter, where a step of this one has paid."""
        name, turn = self.cycle[self.turn][0], self.turn + 1
        while self.streak and turn < len(self.cycle) and self.cycle[turn][0] == name:
            turn += 1
        if turn < len(self.cycle):
            return replace(self, turn=turn, streak=0)
        return replace(self, turn=0, streak=0, gained=False, size=self.size if self.gained else self.size / 2)

    @property
    def _target(self) -> Point:
        return moved(self.space, self.point, *self.cycle[self.turn], self.size)

    def _config(self, point: Point) -> Config:
        return self.space.config(lambda name, _: point[name])


def descend(space: Space, starts: Sequence[Config], values: Mapping[Key, float]) -> Descent:
    """Return where the search stands that begins at the best of ``starts``, given the losses of some settings."""
    known = [config for config in starts if key(config) in values]
    start = min(known, key=lambda config: values[key(config)], default=starts[0])
    return Descent.start(space, start, values.get(key(start), math.inf)).along(values)[0]


def moves(
    space: Space, starts: Sequence[Config], values: Mapping[Key, float], taken: Collection[Key]
) -> Iterator[Config]:
    """Yield settings to try next, the most useful first: ``starts``, then what the search needs, or may need.

    ``values`` are the losses of settings that ended, ``taken`` the settings that run. None of them is yielded, nor any
    setting twice. What follows a setting that runs: first as if it were no better, then as if it were.
    """
    seen = {*values, *taken}
    for config in starts:
        if key(config) not in seen:
            seen.add(key(config))
            yield config
    states, places = deque([descend(space, starts, values)]), set()
    while states:
        state, needed = states.popleft().along(values)
        if needed is None or state.place in places:
            continue
        places.add(state.place)
        if key(needed) not in seen:
            seen.add(key(needed))
            yield needed
        states.extend([state.after(math.inf), state.after(-math.inf)])
