"""The map between hyperparameters and coordinates: exact both ways, its volume, and what theory says of it."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.space.coordinates import (
    Coordinates,
    Optimizer,
    Raw,
    Run,
    log_jacobian,
    lr_of,
    rate_of,
    tau_of,
    to_coordinates,
    to_raw,
    weight_decay_of,
)

POST_4 = Raw(lr=0.4, weight_decay=5e-4, batch_size=512, momentum=0.9)
DAY = Run("sgd_nesterov", examples=50_000, epochs=24)

optimizers: st.SearchStrategy[Optimizer] = st.sampled_from(["sgd", "sgd_nesterov", "adamw"])
runs = st.builds(Run, optimizers, st.integers(1, 10**7), st.floats(0.1, 1000))


def over(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers that are spread over decades."""
    return st.floats(math.log(low), math.log(high)).map(math.exp)


momenta = over(1e-6, 1).map(lambda distance: 1 - distance)
raws = st.builds(Raw, over(1e-6, 1e0), over(1e-7, 1e-1), st.integers(1, 10**6).map(float), momenta)


@given(raws, runs)
def test_there_and_back_again(raw: Raw, run: Run) -> None:
    assert astuple(to_raw(to_coordinates(raw, run), run)) == pytest.approx(astuple(raw), rel=1e-12)


@given(raws, runs)
def test_back_and_there_again(raw: Raw, run: Run) -> None:
    point = Coordinates(raw.lr, raw.weight_decay, raw.batch_size, raw.momentum)  # any positive numbers will do
    assert astuple(to_coordinates(to_raw(point, run), run)) == pytest.approx(astuple(point), rel=1e-12)


@given(raws, runs)
def test_the_jacobian_is_the_volume_by_finite_differences(raw: Raw, run: Run) -> None:
    point, widths = np.array(astuple(raw)), 1e-4 * sizes(raw)
    ahead = [to_coordinates(Raw(*(point + shift)), run) for shift in np.diag(widths)]
    behind = [to_coordinates(Raw(*(point - shift)), run) for shift in np.diag(widths)]
    changes = np.array([np.subtract(astuple(a), astuple(b)) / 2 for a, b in zip(ahead, behind, strict=True)])
    units = 1e-4 * sizes(to_coordinates(raw, run))  # in which the matrix is well conditioned
    _, log_volume = np.linalg.slogdet(changes / units)
    found = log_volume + np.log(units / widths).sum()
    assert found == pytest.approx(log_jacobian(raw, run), abs=1e-4)


def sizes(point: Raw | Coordinates) -> np.ndarray:
    first, second, batch_size, momentum = astuple(point)
    return np.array([first, second, batch_size, 1 - momentum])


def test_the_recipes_that_are_known_by_their_tau() -> None:
    """Decay time at the peak learning rate as a share of the run: 500 steps, or 5.1 epochs, of 24."""
    point = to_coordinates(POST_4, DAY)
    steps = 50_000 * 24 / 512
    assert point.tau == pytest.approx(500 / steps)
    assert round(point.tau, 2) == 0.21
    assert point.rate == pytest.approx(0.4 / (0.1 * 512))
    cifar = Raw(lr=0.1, weight_decay=5e-4, batch_size=128, momentum=0.9)
    assert round(to_coordinates(cifar, Run("sgd", 50_000, 200)).tau, 3) == 0.026


@given(raws, runs, st.floats(0.1, 10))
def test_the_linear_rule_holds_both_coordinates_of_sgd(raw: Raw, run: Run, factor: float) -> None:
    run = replace(run, optimizer="sgd")
    moved = replace(raw, lr=raw.lr * factor, batch_size=raw.batch_size * factor)
    before, after = to_coordinates(raw, run), to_coordinates(moved, run)
    assert (after.rate, after.tau) == pytest.approx((before.rate, before.tau), rel=1e-9)


@given(raws, runs, st.floats(0.1, 10))
def test_the_square_root_rule_holds_both_coordinates_of_adamw(raw: Raw, run: Run, factor: float) -> None:
    run = replace(run, optimizer="adamw")
    moved = Raw(raw.lr * factor, raw.weight_decay * factor, raw.batch_size * factor**2, raw.momentum)
    before, after = to_coordinates(raw, run), to_coordinates(moved, run)
    assert (after.rate, after.tau) == pytest.approx((before.rate, before.tau), rel=1e-9)


@given(raws, st.integers(1, 10**7), st.floats(0.1, 1000))
def test_tau_is_the_decay_time_by_its_definition(raw: Raw, examples: int, epochs: float) -> None:
    steps = examples * epochs / raw.batch_size
    sgd = (1 - raw.momentum) / (raw.lr * raw.weight_decay)
    adamw = 1 / (raw.lr * raw.weight_decay)
    assert to_coordinates(raw, Run("sgd", examples, epochs)).tau == pytest.approx(sgd / steps, rel=1e-9)
    assert to_coordinates(raw, Run("adamw", examples, epochs)).tau == pytest.approx(adamw / steps, rel=1e-9)


def test_without_decay_tau_is_infinite_and_without_a_length_there_is_none() -> None:
    assert to_coordinates(replace(POST_4, weight_decay=0.0), DAY).tau == math.inf
    for run in (Run("sgd", 50_000), Run("sgd", epochs=24)):
        assert rate_of(0.4, 512, 0.9, run) > 0
        with pytest.raises(ValueError, match="tau needs"):
            to_coordinates(POST_4, run)


def test_arrays_broadcast() -> None:
    sizes, lrs = np.array([[64.0], [128.0]]), np.array([0.1, 0.2, 0.4])
    rates = rate_of(lrs, sizes, 0.9, DAY)
    assert rates.shape == (2, 3)
    assert np.allclose(lr_of(rates, sizes, 0.9, DAY), np.broadcast_to(lrs, (2, 3)))
    taus = tau_of(rates, np.array([0.0, 1e-4, 1e-3]), sizes, DAY)
    assert np.isinf(taus[:, 0]).all() and np.isfinite(taus[:, 1:]).all()
    assert np.allclose(weight_decay_of(rates, taus, sizes, DAY)[:, 1:], [[1e-4, 1e-3]] * 2)
