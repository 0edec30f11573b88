"""What a sampler is: finished and pending trials in, one configuration out."""

from collections.abc import Sequence
from typing import Protocol

from hpsearch.contract import Config
from hpsearch.trial import FinishedTrial, PendingTrial


class Sampler(Protocol):
    """Proposes configurations.

    A suggestion depends on the space and its seed, which the sampler was made with, and on the arguments; not on their
    order, the clock, or earlier calls. So resuming a search is searching with a history.
    """

    def suggest(self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], number: int) -> Config:
        """Return the configuration of trial ``number`` (from 0), which is in neither list.

        A sampler that does not learn uses ``number`` only, so its trials are the same however they are scheduled.
        """

    def is_whole(self, number: int) -> bool:
        """Whether the first ``number`` suggestions are enough for a design that says little before it is complete."""
        return True

    def grade(self, history: Sequence[FinishedTrial]) -> float | None:
        """Return how the prior fits these trials (``FinishedTrial.prior_grade``), None where there is none to grade."""
        return None
