"""The comparisons between the traced trials of a study, each made when it is asked for and then kept."""

from dataclasses import dataclass
from functools import cached_property

from hpsearch.analysis.collapse import Collapse, collapse
from hpsearch.analysis.lars_equivalence import Equivalences, lars_equivalence
from hpsearch.analysis.merging import Mergings, merging
from hpsearch.store.reader import Study


@dataclass(frozen=True)
class Comparisons:
    """Questions 3 to 5 of the theory of weight decay, for a table and a picture alike.

    Each raises NothingToCompareError where no trial, or no scale-invariant tensor, can be compared.
    """

    study: Study

    @cached_property
    def collapse(self) -> Collapse:
        """Whether the decay is all that matters, or its ratio to the learning rate too."""
        return collapse(self.study)

    @cached_property
    def lars(self) -> Equivalences:
        """Whether SGD with weight decay is LARS without it."""
        return lars_equivalence(self.study)

    @cached_property
    def merging(self) -> Mergings:
        """Whether the length of the initial weights is forgotten."""
        return merging(self.study)
