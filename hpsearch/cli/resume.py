"""``hpsearch resume`` and ``hpsearch extend``: going on with a study; the second only adds to its budget first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.cli import options
from hpsearch.cli.options import RESULTS

if TYPE_CHECKING:
    from hpsearch.cli.session import Close

Hours = Annotated[float | None, typer.Option("--hours", min=0.0001, help="Hours from now; then no new trial starts.")]


def resume(
    name: options.Name,
    hours: Hours = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run the failed trials again.")] = False,
    address: options.Address = None,
    results: options.Results = RESULTS,
    max_concurrent: options.MaxConcurrent = None,
    inline: options.Inline = False,
) -> None:
    """Go on with a study that was interrupted: finished trials are kept, unfinished ones run again."""
    go_on(name, 0, hours, retry_failed, address, results, max_concurrent, inline)


def extend(
    name: options.Name,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many more trials.")],
    hours: Hours = None,
    repeats: options.Repeats = None,
    address: options.Address = None,
    results: options.Results = RESULTS,
    max_concurrent: options.MaxConcurrent = None,
    inline: options.Inline = False,
) -> None:
    """Add trials to a study, finished or not: new settings, or (--repeats) the best ones again."""
    go_on(name, trials, hours, False, address, results, max_concurrent, inline, repeats)


def go_on(
    name: str,
    more: int,
    hours: float | None,
    retry_failed: bool,
    address: str | None,
    results: Path,
    max_concurrent: int | None,
    inline: bool,
    repeats: str | None = None,
    close: "Close | None" = None,
) -> None:
    """Open the study, add ``more`` to its trials, and let a session run what is not done."""
    from hpsearch.cli import console, going_on, session
    from hpsearch.cli.plan import plan_again, repeats_of
    from hpsearch.store.writer import StudyWriter

    with StudyWriter.open(results, name) as store:
        left = going_on.left(store, more, hours, retry_failed, repeats_of(repeats))
        if left.nothing is not None:
            console.say(left.nothing)
            return
        plan = plan_again(store.record, left.space)
        with session.engine_for(plan, inline, address, max_concurrent) as engine:
            shared = session.ready(plan)
            store.update(space=left.space.dump())
            store.forget(left.again)
            session.conduct(store, plan, engine, shared, left.hours, close or console.closing)
