"""What can be wrong with the lengths of shorter runs, found before anything runs."""

from collections.abc import Iterator

from hpsearch.contract import Description
from hpsearch.errors import Problem
from hpsearch.space.spec import Space
from hpsearch.typed_yaml import Document


def fidelity_problems(space: Space, document: Document, description: Description) -> Iterator[Problem]:
    """Yield why the runs of ``space``, its coordinates resolved, cannot be shortened as it says."""
    fidelity = space.fidelity
    if fidelity is None:
        return
    longest = description.get("epochs")
    if longest is not None and fidelity.full > longest:
        what, allowed = "longer than a full run of the training function", f"at most its {longest} epochs"
        yield document.problem(what, ("fidelity", "epochs"), got=str(fidelity.full), allowed=allowed)
    spec, own = space.coordinates, description.get("parameters")
    decay, path = spec.weight_decay, ("fidelity", "keep")
    known = {*space.parameters} & {decay, spec.tau} or "weight_decay" in spec.reference
    if fidelity.keep == "tau" and not known:
        what = f"tau cannot be kept: it is not known which {decay} a run has"
        hint = "keep: weight_decay, which leaves it alone"
        if own is None or decay in own:
            hint = f"{hint}; or set it in the space, parameters: {{{decay}: {{type: constant, value: ...}}}}"
        yield document.problem(what, path, got="tau", hint=hint)
