"""Which setting is run again."""

import time

import numpy as np
import pytest

from hpsearch.statistics.racing import next_repeat

Groups = list[list[float]]


def idle(groups: Groups, **running: int) -> list[int]:
    return [running.get(f"setting{i}", 0) for i in range(len(groups))]


def test_it_starts_with_the_leader() -> None:
    groups = [[0.5], [0.3], [0.4]]
    assert next_repeat(groups, idle(groups)) == 1


def test_beside_the_leader_the_next_best_is_run() -> None:
    groups = [[0.5], [0.3], [0.4]]
    assert next_repeat(groups, idle(groups, setting1=1)) == 2
    assert next_repeat(groups, idle(groups, setting1=1, setting2=1)) == 1


def test_of_leader_and_rival_the_one_with_fewer_runs_is_next() -> None:
    groups = [[0.30, 0.34, 0.29], [0.35, 0.33], [0.9]]
    assert next_repeat(groups, idle(groups)) == 1
    assert next_repeat(groups, idle(groups, setting1=1)) == 0, "a run under way counts"


def test_a_single_run_close_behind_goes_before_a_setting_known_to_be_worse() -> None:
    known = [0.30, 0.34, 0.26, 0.29, 0.31]
    groups = [known, [loss + 0.06 for loss in known], [0.37]]
    assert next_repeat(groups, idle(groups)) == 2


def test_it_ends_when_one_stands_alone_and_was_run_three_times() -> None:
    groups = [[0.30, 0.31], [9.0, 9.01], [8.0, 8.01]]
    assert next_repeat(groups, idle(groups)) == 0, "two runs are too few"
    groups[0].append(0.305)
    assert next_repeat(groups, idle(groups)) is None
    groups[1:] = [[0.3], [0.31]]
    assert next_repeat(groups, idle(groups)) == 1


@pytest.mark.parametrize("under_way", [0, 1])
def test_a_lone_setting_is_run_three_times(under_way: int) -> None:
    runs = [[0.2]]
    while len(runs[0]) + under_way < 3:
        assert next_repeat(runs, [under_way]) == 0
        runs[0].append(0.21)
    assert next_repeat(runs, [under_way]) is None


def test_settings_without_noise_end_with_the_best_of_them() -> None:
    assert next_repeat([[1.0, 1.0, 1.0], [2.0, 2.0]], [0, 0]) is None
    assert next_repeat([[1.0, 1.0, 1.0], [1.0, 1.0]], [0, 0]) == 1


def test_a_race_spends_its_repeats_near_the_best_and_finds_it() -> None:
    rng = np.random.default_rng(0)
    truth = np.linspace(0, 10, 40)
    groups = [[float(loss + rng.normal())] for loss in truth]
    for _ in range(40):
        i = next_repeat(groups, [0] * 40)
        assert i is not None
        groups[i].append(float(truth[i] + rng.normal()))
    repeats = np.array([len(group) - 1 for group in groups])
    assert repeats @ truth / repeats.sum() < 2
    assert truth[int(repeats.argmax())] < 2


def test_a_decision_takes_a_moment_with_two_hundred_settings() -> None:
    rng = np.random.default_rng(0)
    for spread in (0.0, 1.0, 30.0):
        groups = [(spread * i / 200 + rng.normal(size=1 + 3 * (i < 20))).tolist() for i in range(200)]
        start = time.process_time()
        for _ in range(10):
            next_repeat(groups, [0] * 200)
        assert (time.process_time() - start) / 10 < 0.02
