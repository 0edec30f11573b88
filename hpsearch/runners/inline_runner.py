"""One trial after the other in this process: exact, without Ray, the reference for every other runner."""

from hpsearch.runners.search import Search
from hpsearch.runners.work import Arrays, Work


def run_inline(search: Search, work: Work, shared: Arrays) -> None:
    """Run ``search`` to its end. A KeyboardInterrupt leaves the trial under way unfinished."""
    functions = work.load()
    while (trial := search.next()) is not None:
        drive = work.start(functions, trial, shared)
        try:
            while not search.take(trial.number, drive.step()):
                pass
        finally:
            drive.close()
