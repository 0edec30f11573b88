"""What is made of a stored profile, against numbers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.analysis.step_profile import HOST, Spread, step_profile
from tests.analysis.profile_studies import PROFILE, WHOLE, stored


@pytest.fixture
def found(tmp_path):
    return step_profile(stored(tmp_path))


def by_name(found):
    return {part.name: part for part in found.parts}


def test_the_parts_add_up_to_the_step_without_the_profiler(found):
    assert found.seconds == Spread(WHOLE, pytest.approx(0.9 * WHOLE), pytest.approx(1.3 * WHOLE), 3)
    assert sum(part.seconds for part in found.parts) == pytest.approx(WHOLE)
    assert sum(found.share(part) for part in found.parts) == pytest.approx(1)
    for name, seconds in PROFILE.items():
        assert by_name(found)[name].seconds == pytest.approx(seconds * WHOLE / sum(PROFILE.values()))
    assert found.profiled == pytest.approx(sum(PROFILE.values()))


def test_on_a_gpu_kernels_keep_their_time_and_the_host_has_the_rest(tmp_path):
    found = step_profile(stored(tmp_path, factors=(1.0,), clock="device"))
    parts = by_name(found)
    assert parts["convolution"].seconds == PROFILE["convolution"]
    assert parts[HOST].seconds == pytest.approx(WHOLE - (sum(PROFILE.values()) - PROFILE[HOST]))
    assert sum(part.seconds for part in found.parts) == pytest.approx(WHOLE)


def test_ablation_is_the_median_of_what_is_saved_side_by_side(found):
    saved = by_name(found)["convolution"].saved
    assert (saved.median, saved.low, saved.high) == pytest.approx((0.016, 0.9 * 0.016, 1.3 * 0.016))
    assert by_name(found)["optimiser"].saved is None


def test_the_ideal_is_the_slower_of_arithmetic_and_memory_for_each_operator(found):
    convolution = by_name(found)["convolution"]
    assert convolution.flop == pytest.approx(2 * 8e9 + 4 * 1e8)
    assert convolution.bytes == pytest.approx(6e7)
    assert convolution.ideal == pytest.approx(2 * 0.004 + 4 * 0.001)
    assert convolution.by_memory == pytest.approx(4 * 0.001)
    optimiser = by_name(found)["optimiser"]
    assert (optimiser.calls, optimiser.ideal, optimiser.by_memory) == pytest.approx((0.2, 0.0002, 0.0002))
    assert (by_name(found)[HOST].ideal, by_name(found)[HOST].calls) == (0, 0)


def test_efficiency_is_of_the_highest_speed_of_a_product(found):
    assert found.efficiency == pytest.approx(16.4e9 / WHOLE / 2e12)
    assert found.epoch_seconds == pytest.approx(50 * WHOLE)
    assert found.ideal_epoch_seconds == pytest.approx(50 * 16.4e9 / 2e12)
    assert found.ceilings.ridge == 200


def test_the_largest_losses_come_first(found):
    lost = found.losses(3)
    assert [part.name for part in lost] == ["norm", HOST, "convolution"]
    assert lost[0].lost == pytest.approx(0.0075 - 0.002)
    assert lost[2].lost == pytest.approx(0.015 - 0.012)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=6))
def test_the_parts_add_up_whatever_the_rounds_are_like(tmp_path_factory, factors):
    found = step_profile(stored(tmp_path_factory.mktemp("rounds"), factors))
    assert sum(part.seconds for part in found.parts) == pytest.approx(found.seconds.median)
    assert found.seconds.low <= found.seconds.median <= found.seconds.high
