"""A tuned setting moved to another batch size, momentum or length of the run, by the rules that hold rate and tau.

For SGD the rate is lr / ((1 - momentum) batch size), for AdamW lr / sqrt(batch size); tau is the time scale of the
decay as a share of the run (``space.coordinates`` has the sources).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from hpsearch.analysis.advice import Finding, advise
from hpsearch.analysis.space_advice import hyperparameters
from hpsearch.analysis.summary import Edge, edges
from hpsearch.analysis.transfer_costs import BATCH_SIZE, MOMENTUM, Cost, nearest_cost
from hpsearch.contract import Config
from hpsearch.errors import Problem, StudyError, listed
from hpsearch.space.coordinate_spec import ROLES
from hpsearch.space.coordinates import Raw, Run, to_coordinates, to_raw
from hpsearch.space.parameters import ends
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation

FAR = 4.0
"""A batch size so many times outside the searched range is far from all that was tried."""


@dataclass(frozen=True)
class Target:
    """What the new run has; None leaves it as it was."""

    batch_size: int | None = None
    momentum: float | None = None
    epochs: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Change:
    """One thing that is changed (None: not known before), the rule that the others follow, its cost where measured."""

    name: str
    before: float | None
    after: float
    rule: str
    cost: Cost | None = None


@dataclass(frozen=True)
class Transfer:
    """A setting in its run, and what it becomes in another.

    ``warnings`` say why the rules may not hold, ``findings`` what is off about the new setting and was not before.
    """

    before: Raw
    run: Run
    after: Raw
    new_run: Run
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON."""
        return asdict(self)


def transfer(space: Space, config: Config, target: Target) -> Transfer:
    """Move the setting ``config`` of ``space`` to ``target``.

    Raises StudyError where nothing would change, or too little is known of what the space trains.
    """
    raw, run = _known(space, config, target)
    new_run = replace(run, examples=target.images or run.examples, epochs=target.epochs or run.epochs)
    after = moved(raw, run, new_run, target)
    changes = tuple(_changes(raw, run, target))
    if not changes:
        raise StudyError(Problem("nothing changes: the setting has all these values already"))
    warnings = (*_edge_warnings(space, config, raw, after), *_far_warnings(space, target), *_cost_warnings(changes))
    return Transfer(raw, run, after, new_run, changes, warnings, _new_findings(raw, run, after, new_run))


def moved(raw: Raw, run: Run, new_run: Run, target: Target) -> Raw:
    """Return the setting of ``new_run`` with the rate and tau that ``raw`` has in ``run``.

    A length that is known of neither run is taken to be the same.
    """
    point = to_coordinates(raw, _complete(run))
    batch_size = point.batch_size if target.batch_size is None else float(target.batch_size)
    momentum = point.momentum if target.momentum is None else target.momentum
    return to_raw(replace(point, batch_size=batch_size, momentum=momentum), _complete(new_run))


def _complete(run: Run) -> Run:
    return replace(run, examples=run.examples or 1, epochs=run.epochs or 1.0)


def _known(space: Space, config: Config, target: Target) -> tuple[Raw, Run]:
    translation, raw = Translation.of(space), hyperparameters(space, config)
    found, run = translation.quantities(config), translation.run(config)
    missing: list[str] = [role for role in ROLES if getattr(found, role) is None]
    missing += [] if space.coordinates.optimizer else ["optimizer"]
    missing += ["epochs"] if target.epochs and run.epochs is None else []
    missing += ["examples"] if target.images and run.examples is None else []
    if raw is None or missing:
        hint = "say it under coordinates: in the space file, or in describe() of the training function"
        what = f"the study does not say what this is in its runs: {listed(missing)}"
        raise StudyError(Problem(what, key="coordinates", hint=hint))
    return raw, run


def _changes(raw: Raw, run: Run, target: Target) -> Iterator[Change]:
    """Yield what differs from ``raw`` in ``run``; measured are the rules for SGD."""
    sgd, tau = run.optimizer != "adamw", "tau held"
    if target.batch_size is not None and target.batch_size != raw.batch_size:
        factor = target.batch_size / raw.batch_size
        rule = f"lr / batch_size and {tau}" if sgd else f"lr / sqrt(batch_size) and {tau}"
        cost = nearest_cost(BATCH_SIZE, factor) if sgd else None
        yield Change("batch_size", raw.batch_size, target.batch_size, rule, cost)
    if target.momentum is not None and target.momentum != raw.momentum:
        factor = (1 - target.momentum) / (1 - raw.momentum)
        rule = f"lr / (1 - momentum) and {tau}" if sgd else "lr and weight_decay kept: no factor of AdamW's steps"
        yield Change("momentum", raw.momentum, target.momentum, rule, nearest_cost(MOMENTUM, factor) if sgd else None)
    for name, before, after in (("epochs", run.epochs, target.epochs), ("examples", run.examples, target.images)):
        if after is not None and after != before:
            yield Change(name, before, after, f"lr kept and {tau}: weight_decay goes as one over epochs x examples")


def _edge_warnings(space: Space, config: Config, raw: Raw, after: Raw) -> Iterator[str]:
    spec = space.coordinates
    step_size = (spec.lr, spec.rate)
    for edge in edges(space.parameters, config):
        if edge.parameter in step_size and edge.end == "high" and after.lr < raw.lr:
            yield f"{_at(edge)}, and the move lowers lr: the best one may lie higher, so keep it rather than lower it"
        elif edge.parameter in (*step_size, spec.weight_decay, spec.tau, spec.batch_size, spec.momentum):
            yield f"{_at(edge)}: the setting may not be tuned, and the rules move what is tuned"


def _at(edge: Edge) -> str:
    return f"{edge.parameter} {edge.value:.4g} sat at the {edge.end} end of its range {edge.low:g} .. {edge.high:g}"


def _far_warnings(space: Space, target: Target) -> Iterator[str]:
    parameter = space.parameters.get(space.coordinates.batch_size)
    tried = [] if parameter is None else [value for value in ends(parameter) if isinstance(value, int | float)]
    if target.batch_size is None or not tried:
        return
    low, high = min(tried), max(tried)
    if not low / FAR < target.batch_size < high * FAR:
        yield f"batch_size {target.batch_size} is far outside what was searched, {low:g} .. {high:g}"


def _cost_warnings(changes: tuple[Change, ...]) -> Iterator[str]:
    for change in changes:
        cost = change.cost
        if cost is not None and cost.by_rule >= cost.kept:
            yield (
                f"{change.name}: this way the rule gained nothing where it was measured ({cost.change}: "
                f"{cost.by_rule:g} by the rule, {cost.kept:g} with lr kept): try the old lr as well"
            )


def _new_findings(raw: Raw, run: Run, after: Raw, new_run: Run) -> tuple[Finding, ...]:
    if run.seen is None or new_run.seen is None:
        return ()
    known = {(finding.quantity, finding.limit) for finding in advise(raw, run).findings}
    found = advise(after, new_run).findings
    return tuple(finding for finding in found if (finding.quantity, finding.limit) not in known)
