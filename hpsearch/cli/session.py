"""One driver at work on one study: ``run``, ``resume`` and ``extend`` are this, with another beginning."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from hpsearch.cli import console
from hpsearch.cli.effects import keep_effects
from hpsearch.cli.plan import Plan, provenance, record
from hpsearch.cli.watch import watching
from hpsearch.runners.budget import Budget
from hpsearch.runners.engine import Engine, inline, on_ray
from hpsearch.runners.search import Search
from hpsearch.runners.work import Arrays, prepare
from hpsearch.samplers.by_name import make_sampler
from hpsearch.store.names import check_free
from hpsearch.store.sessions import FINISHED
from hpsearch.store.writer import StudyWriter

ABORTED = 1

Close = Callable[[Path, Search], None]
"""Prints what there is to say of a finished search in a folder."""


@contextmanager
def engine_for(plan: Plan, run_inline: bool, address: str | None, max_concurrent: int | None) -> Iterator[Engine]:
    """Give the engine that runs trials as the command line asks."""
    resources = plan.space.resources
    if not run_inline:
        console.waiting("starting Ray" if address is None else f"joining Ray at {address}")
    with inline(resources) if run_inline else on_ray(resources, address, max_concurrent) as engine:
        yield engine


def ready(plan: Plan) -> Arrays:
    """Load what the trials share."""
    console.waiting("loading the data")
    return prepare(plan.functions, plan.space.train.settings)


def new_study(
    plan: Plan,
    file: Path | None,
    results: Path,
    study: str,
    run_inline: bool,
    address: str | None,
    max_concurrent: int | None,
    close: Close = console.closing,
) -> None:
    """Make the study ``study`` in ``results``, from a space ``file`` or none, and conduct its search.

    Raises StudyError where its name is taken, before anything is started.
    """
    check_free(results, study)
    with engine_for(plan, run_inline, address, max_concurrent) as engine:
        shared = ready(plan)
        with StudyWriter.create(results, study, plan.space, record(plan, file)) as store:
            conduct(store, plan, engine, shared, plan.space.budget.hours, close)


def conduct(
    store: StudyWriter,
    plan: Plan,
    engine: Engine,
    shared: Arrays,
    hours: float | None,
    close: Close = console.closing,
) -> None:
    """Run the search of an open study until its budget is spent, and let ``close`` say what came out.

    Exits with 130 after Ctrl-C (SIGTERM 143, SIGHUP 129) and with 1 where the training function turned out to
    be broken; either way what was finished is kept.
    """
    work = plan.work(store.folder.name, store.folder / "work", engine.device, engine.gpus)
    sampler = make_sampler(plan.space)  # what it imports takes seconds, which are not the budget's
    budget = Budget(plan.space.budget.trials, hours)
    watch = watching(plan, budget, store.history)
    sinks = [store, watch, *engine.sinks(work, store.history)]
    search = Search(
        plan.space,
        sampler,
        budget,
        sinks,
        store.history,
        store.pending,
        plan.description.get("epochs"),
    )
    console.opening(store.folder, plan, engine, store.pending)
    with _session(store, search, hours), watch:
        engine.run(search, work, shared)
    if search.error is not None:
        console.aborted(store.folder, search.error)
        raise typer.Exit(ABORTED)
    keep_effects(store.folder)
    close(store.folder, search)


@contextmanager
def _session(store: StudyWriter, search: Search, hours: float | None) -> Iterator[None]:
    """Keep the beginning and the end of a driver's work in study.json."""
    here = provenance()
    store.begin_session(here["command"], hours, **{key: here[key] for key in ("versions", "git", "hardware")})
    received: list[int] = []  # kept apart: whoever catches the interrupt on its way may raise one of its own

    def stop(number: int, _: FrameType | None) -> None:
        """End like Ctrl-C: batch systems and lost connections send SIGTERM and SIGHUP."""
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second one must not break the clean-up
        store.end_session("interrupted")
        console.interrupted(store.folder)
        raise typer.Exit(128 + next(iter(received), signal.SIGINT)) from None
    except BaseException:
        store.end_session("error")
        raise
    store.end_session("aborted" if search.error is not None else FINISHED)
    for number, handler in before.items():
        signal.signal(number, handler)  # the process may go on with other work
