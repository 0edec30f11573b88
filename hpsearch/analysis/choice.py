"""The setting of a study to go on with."""

from hpsearch.analysis.repeats import Repeated, by_stability
from hpsearch.analysis.tied import Tied, not_known
from hpsearch.errors import Problem, StudyError
from hpsearch.store.reader import Study


def choose(study: Study, found: Tied | None, cheapest: bool = False) -> Repeated:
    """Return the setting with the best expectation, or the ``cheapest`` of those that are tied with it.

    Where nothing was run twice (``found`` is None), the best setting is the one that looks best, if possible of those
    of which no run diverged. Raises StudyError where no full run has come to its end, and where nobody knows what is
    tied.
    """
    stable, unstable = by_stability(study)
    if not (stable or unstable):
        what, hint = "no trial of full length has run to its end yet", f"see `hpsearch show {study.name}`"
        raise StudyError(Problem(what, file=study.folder, hint=hint))
    if found is None and cheapest:
        raise not_known(study, "--cheapest")
    if found is None:
        return (stable or unstable)[0]
    return (found.cheapest if cheapest else found.best).setting
