"""Rules that end a run before its schedule does: pure functions of what was measured."""

import math
from dataclasses import dataclass

from trainer.blocks import Stop
from trainer.evaluate import Score


@dataclass
class Progress:
    """How far a run is.

    ``epoch``  epochs finished
    ``seconds``  spent in them, over all the processes that worked on the run
    ``best_loss``, ``best_epoch``  lowest held-out loss so far and when it was reached
    """

    epoch: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = 0

    def record(self, val: Score, seconds: float) -> None:
        """Count an epoch of ``seconds`` that ended with ``val`` on the held-out images (NaN where there are none)."""
        self.epoch += 1
        self.seconds += seconds
        if val.loss < self.best_loss:
            self.best_loss, self.best_epoch = val.loss, self.epoch


def diverged(loss: float, bound: float) -> bool:
    """Tell whether a mean loss is not a number, infinite or above ``bound``."""
    return not loss <= bound


def reason_to_stop(stop: Stop, progress: Progress, val: Score) -> str | None:
    """Return why the run ends now, or None; without held-out images (NaN) only the time counts."""
    if stop.max_seconds is not None and progress.seconds >= stop.max_seconds:
        return f"out of time: {stop.max_seconds:g} s"
    if stop.target_accuracy is not None and val.accuracy >= stop.target_accuracy:
        return f"target reached: accuracy {stop.target_accuracy:g}"
    stale = progress.epoch - progress.best_epoch
    if stop.patience is not None and not math.isnan(val.loss) and stale >= stop.patience:
        return f"no progress: lowest loss {stale} epochs ago"
    return None
