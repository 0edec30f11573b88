import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.early_stop import Progress, diverged, reason_to_stop
from trainer.evaluate import NO_SCORE, Score
from trainer.recipe import Stop

OFF = Stop(loss_bound=20.0, target_accuracy=None, patience=None, max_seconds=None)


def with_rule(**rules: float) -> Stop:
    return Stop.model_validate(OFF.model_dump() | rules)


@pytest.mark.parametrize(
    ("loss", "lost"),
    [(0.0, False), (20.0, False), (20.01, True), (math.inf, True), (math.nan, True), (-math.inf, False)],
)
def test_divergence(loss: float, lost: bool) -> None:
    assert diverged(loss, 20.0) is lost


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 5))
def test_no_progress_is_so_many_epochs_without_a_lower_loss(losses: list[float], patience: int) -> None:
    progress = Progress()
    for epoch, loss in enumerate(losses):
        progress.record(Score(loss, 0.5), seconds=1.0)
        best_so_far = losses.index(min(losses[: epoch + 1]))
        stopped = reason_to_stop(with_rule(patience=patience), progress, Score(loss, 0.5)) is not None
        assert stopped == (epoch - best_so_far >= patience)


def test_the_target_and_the_time() -> None:
    progress = Progress()
    progress.record(Score(1.0, 0.94), seconds=30.0)
    progress.record(Score(0.9, 0.94), seconds=31.0)
    score = Score(0.9, 0.94)
    assert reason_to_stop(OFF, progress, score) is None
    assert reason_to_stop(with_rule(target_accuracy=0.94), progress, score) == "target reached: accuracy 0.94"
    assert reason_to_stop(with_rule(target_accuracy=0.95), progress, score) is None
    assert reason_to_stop(with_rule(max_seconds=61), progress, score) == "out of time: 61 s"
    assert reason_to_stop(with_rule(max_seconds=62), progress, score) is None


def test_without_held_out_images_only_the_time_counts() -> None:
    progress = Progress()
    for _ in range(9):
        progress.record(NO_SCORE, seconds=1.0)
    assert reason_to_stop(with_rule(patience=1, target_accuracy=0.1), progress, NO_SCORE) is None
    assert reason_to_stop(with_rule(patience=1, max_seconds=9), progress, NO_SCORE) == "out of time: 9 s"
