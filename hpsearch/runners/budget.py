"""How much a search may spend: a number of trials, and hours after which no new trial starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Budget:
    """``trials`` counts those of the whole study, failed ones included; ``hours`` those of this driver's session.

    ``clock`` gives seconds; it starts when the budget is made.
    """

    trials: int
    hours: float | None = None
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.started = self.clock()

    def seconds_left(self) -> float | None:
        """Return the seconds until no new trial starts (never negative), or None where there is no limit."""
        if self.hours is None:
            return None
        return max(0.0, self.hours * 3600 - (self.clock() - self.started))

    def projected(self, number: int, ended: int) -> int:
        """Return how many trials the study will have that is about to start trial ``number``.

        Where the hours end before the trials do, that is by the pace at which ``ended`` trials did in this session.
        """
        left = self.seconds_left()
        if left is None or ended == 0:
            return self.trials
        pace = ended / (self.clock() - self.started)
        return min(self.trials, max(number + 1, number + round(pace * left)))

    @property
    def out_of_time(self) -> bool:
        """Whether the hours are over; running trials still finish."""
        return self.seconds_left() == 0.0
