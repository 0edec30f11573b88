"""The prior as a density: it integrates to 1, its draws follow it, and the rules tie its parameters together."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.stats import qmc

from hpsearch.space.axes import Floats
from hpsearch.space.coordinates import Raw, Run, to_coordinates
from hpsearch.space.parameters import Parameter
from hpsearch.space.priors import UNIFORM_SHARE, Place, Prior
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number
from tests.space.examples import make_space, parameters

FALSE_ALARM = 1e-6
KNOWN = {"examples": 50000, "epochs": 10, "optimizer": "sgd"}


def log(low: float, high: float) -> dict[str, Any]:
    return {"type": "real", "low": low, "high": high, "scale": "log"}


RAW = {
    "weight_decay": log(1e-6, 1e-1),
    "lr": log(1e-3, 10.0),
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "scale": "log1m"},
    "batch_size": log(16, 2048),
}
RATE = {"rate": Place(math.log(0.1 / (0.1 * 128)), math.log(3))}
TAU = {"tau": Place(math.log(0.2), math.log(5))}
ELSEWHERE = {"rate": Place(math.log(0.1), math.log(2)), "momentum": Place(math.log(0.02), math.log(2))}


def space_of(*names: str, **blocks: Any) -> Space:
    return make_space({name: RAW[name] for name in names}, coordinates=KNOWN, **blocks)


def uniforms(n: int, d: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random((n, d))


@pytest.mark.parametrize("names", [("lr", "momentum"), ("batch_size", "lr"), ("weight_decay", "lr")])
@pytest.mark.parametrize("components", [[RATE | TAU], [RATE | TAU, ELSEWHERE]])
def test_it_integrates_to_one_over_a_square(names: tuple[str, str], components: list[dict[str, Place]]) -> None:
    prior = Prior.of(space_of(*names), components)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    nodes, weights = (nodes + 1) / 2, weights / 2
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    total = np.exp(prior.log_density(grid)) @ np.outer(weights, weights).ravel()
    assert total == pytest.approx(1, abs=1e-3)  # tabulated scales have kinks


def test_it_integrates_to_one_over_all_four() -> None:
    prior = Prior.of(space_of(*RAW), [RATE | TAU, ELSEWHERE])
    densities = np.exp(prior.log_density(uniforms(200_000, 4)))
    error = densities.std() / math.sqrt(len(densities))
    assert error < 0.01
    assert densities.mean() == pytest.approx(1, abs=5 * error)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_every_point_keeps_the_share_of_the_uniform_component(point: list[float]) -> None:
    prior = Prior.of(space_of(*RAW), [{"rate": Place(-30.0, 0.01)}, {"momentum": Place(5.0, 0.01)}])
    assert np.exp(prior.log_density(np.array([point])))[0] >= UNIFORM_SHARE * (1 - 1e-12)


def test_draws_of_one_component_follow_its_t_distribution() -> None:
    space = space_of("lr")
    prior = replace(Prior.of(space, [{"lr": Place(math.log(0.03), math.log(3))}]), weights=np.array([0.0, 1.0]))
    drawn = np.log(1e-3) + prior.quantile(uniforms(5000, 1))[:, 0] * np.log(1e4)
    t = stats.t(df=2, loc=np.log(0.03), scale=np.log(3))
    low, high = t.cdf(np.log([1e-3, 10.0]))
    assert stats.kstest(drawn, lambda x: (t.cdf(x) - low) / (high - low)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("names", [("lr", "batch_size"), ("momentum", "lr"), ("lr", "weight_decay")])
@pytest.mark.parametrize("components", [[RATE | TAU], [RATE | TAU, ELSEWHERE]])
def test_draws_follow_the_density_in_two_dimensions(names: tuple[str, str], components: list[dict[str, Place]]) -> None:
    """Chi-square over 8 x 8 cells, whose probabilities are integrals of the density."""
    prior, n, cells, inner = Prior.of(space_of(*names), components), 20_000, 8, 16
    drawn = prior.quantile(uniforms(n, 2))
    counts, _, _ = np.histogram2d(*drawn.T, bins=cells, range=[[0, 1], [0, 1]])
    nodes = (np.arange(cells * inner) + 0.5) / (cells * inner)
    fine = np.exp(prior.log_density(np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)))
    masses = fine.reshape(cells, inner, cells, inner).mean(axis=(1, 3))
    expected = n * masses / masses.sum()
    assert expected.min() > 5
    assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > FALSE_ALARM


def test_the_quantile_map_is_one_to_one() -> None:
    prior = Prior.of(space_of(*RAW), [RATE | TAU, ELSEWHERE])
    points = uniforms(2, 4)
    for column in range(4):
        line = np.repeat(points[:1], 200, axis=0)
        line[:, column] = np.linspace(0.001, 0.999, 200)
        assert np.all(np.diff(prior.quantile(line)[:, column]) > 0)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_uniform_prior_changes_nothing(point: list[float]) -> None:
    prior = Prior.of(space_of(*RAW), [])
    assert not prior.informed
    np.testing.assert_array_equal(prior.quantile(np.array([point])), [point])
    assert prior.log_density(np.array([point])) == 0
    np.testing.assert_array_equal(prior.centre(), np.full(4, 0.5))


def test_it_is_the_density_of_the_quantile_map() -> None:
    """By the change of variables: the determinant of the map's derivative, from differences, is 1 / density."""
    prior, step = Prior.of(space_of("batch_size", "lr"), [RATE, ELSEWHERE]), 1e-4
    start = uniforms(50, 2) * 0.9 + 0.05
    columns = [(prior.quantile(start + step * e) - prior.quantile(start - step * e)) / (2 * step) for e in np.eye(2)]
    volume = np.abs(np.linalg.det(np.stack(columns, axis=-1)))
    np.testing.assert_allclose(-np.log(volume), prior.log_density(prior.quantile(start)), atol=0.05)


@pytest.mark.parametrize(("batch", "momentum"), [(64, 0.9), (512, 0.9), (64, 0.6), (1024, 0.98)])
def test_the_centre_holds_rate_and_tau(batch: int, momentum: float) -> None:
    """In raw parameters, and in the coordinates themselves."""
    fixed = {"batch_size": {"type": "constant", "value": batch}, "momentum": {"type": "constant", "value": momentum}}
    space = make_space({**fixed, "lr": log(1e-6, 1e3), "weight_decay": log(1e-9, 10)}, coordinates=KNOWN)
    config = centre_of(Prior.of(space, [RATE | TAU]))
    point = to_coordinates(Raw(config["lr"], config["weight_decay"], batch, momentum), Run("sgd", 50000, 10))
    assert (point.rate, point.tau) == pytest.approx((0.1 / (0.1 * 128), 0.2), rel=1e-3)
    assert config["lr"] == pytest.approx(0.1 * (1 - momentum) / 0.1 * batch / 128, rel=1e-3), "lr ~ N (1 - rho)"
    named = make_space({**fixed, "rate": log(1e-9, 1), "tau": log(1e-3, 10)}, coordinates=KNOWN)
    config = centre_of(Prior.of(named, [RATE | TAU]))
    assert (config["rate"], config["tau"]) == pytest.approx((0.1 / (0.1 * 128), 0.2), rel=1e-3)


@pytest.mark.parametrize(("batch", "momentum"), [(0.3, 0.2), (0.6, 0.6), (0.9, 0.4)])
def test_where_batch_size_and_momentum_are_searched_the_learning_rate_follows_them(
    batch: float, momentum: float
) -> None:
    """For each of them the density over the learning rate has its peak at the same rate."""
    prior = Prior.of(space_of("lr", "batch_size", "momentum"), [RATE])
    places = np.linspace(0, 1, 4001)
    line = np.column_stack([places, np.full_like(places, batch), np.full_like(places, momentum)])
    peak = 1e-3 * 1e4 ** places[prior.log_density(line).argmax()]
    assert peak / (16 * 128**batch * 0.5 * 0.02**momentum) == pytest.approx(0.1 / (0.1 * 128), rel=0.01)


def centre_of(prior: Prior) -> dict[str, float]:
    units = dict(zip(prior.space.searched, prior.centre().tolist(), strict=True))
    return {key: float(value) for key, value in prior.space.config_from_units(units).items()}


def test_what_does_not_exist_in_a_configuration_has_no_say() -> None:
    found = {"optimizer": {"type": "choice", "values": ["sgd", "adam"]},
             "momentum": {**RAW["momentum"], "when": {"optimizer": "sgd"}}}  # fmt: skip
    prior = Prior.of(make_space(found), [{"momentum": Place(math.log(0.1), math.log(2))}])
    absent, present = prior.log_density(np.array([[0.75, np.nan], [0.25, 0.99]]))
    assert absent == pytest.approx(0) and present < -0.5


def test_components_that_know_nothing_of_the_space_are_left_out() -> None:
    space = make_space({"lr": log(1e-3, 1)})
    prior = Prior.of(space, [{"width": Place(0.0, 1.0)}, {"lr": Place(-2.0, 1.0)}, TAU])
    assert prior.components == ({"lr": Place(-2.0, 1.0)},)
    np.testing.assert_allclose(prior.weights, [UNIFORM_SHARE, 1 - UNIFORM_SHARE])
    only_batch = make_space({"batch_size": log(16, 64)})
    assert not Prior.of(only_batch, [RATE]).informed, "lr is not searched, so a belief about the rate says nothing"


@pytest.mark.parametrize("momentum", [0.0, 1.0, -0.5, 7.0, "cosine", True])
@pytest.mark.parametrize("batch_size", [0, 128, "all"])
def test_a_constant_with_which_there_is_no_rate_is_replaced_by_a_textbook_one(momentum: Any, batch_size: Any) -> None:
    fixed = {"momentum": {"type": "constant", "value": momentum},
             "batch_size": {"type": "constant", "value": batch_size}}  # fmt: skip
    prior = Prior.of(make_space({**fixed, "lr": RAW["lr"]}, coordinates=KNOWN), [RATE | TAU])
    expected = 0.1 / (0.1 * 128) * 128 * (1.0 if momentum == 0.0 else 0.1)
    assert centre_of_lr(prior) == pytest.approx(expected, rel=1e-3)


def centre_of_lr(prior: Prior) -> float:
    return float(1e-3 * 1e4 ** prior.centre()[0])


@pytest.mark.parametrize("centre", [-400.0, -30.0, 30.0, 400.0])
def test_a_centre_far_outside_the_range_is_put_at_its_bound(centre: float) -> None:
    prior = Prior.of(space_of("lr", "weight_decay"), [{"rate": Place(centre, 0.01), **TAU}])
    drawn = prior.quantile(uniforms(100, 2))
    assert np.isfinite(prior.log_density(drawn)).all() and ((drawn >= 0) & (drawn <= 1)).all()
    assert prior.centre()[0] == (0 if centre < 0 else 1)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["lr", "tau", "momentum", "batch_size", "weight_decay", "a"]), parameters, min_size=1
    )
)
def test_any_space_has_a_density_and_draws(found: dict[str, Parameter]) -> None:
    space = space_of(*RAW).model_copy(update={"parameters": found})
    prior = Prior.of(space, [RATE | TAU, ELSEWHERE | {"a": Place(1.0, 0.5)}])
    d = len(space.searched)
    points = prior.quantile(qmc.Halton(d, rng=0).random(20) if d else np.zeros((20, 0)))
    assert ((points >= 0) & (points <= 1)).all()
    assert np.isfinite(prior.log_density(points)).all()
    assert ((prior.centre() >= 0) & (prior.centre() <= 1)).all()


def test_batch_sizes_on_a_linear_range_are_believed_on_a_log_scale() -> None:
    space = make_space({"batch_size": {"type": "integer", "low": 16, "high": 2048}})
    prior = replace(Prior.of(space, [{"batch_size": Place(math.log(64), math.log(2))}]), weights=np.array([0.0, 1.0]))
    assert space.config_from_units({"batch_size": prior.centre()[0]}) == {"batch_size": 64}
    sizes = np.array([space.config_from_units(prior.places(u))["batch_size"] for u in uniforms(2000, 1)])
    assert is_number(sizes[0].item())
    assert 0.3 < np.mean(sizes < 64) < 0.6


def test_quadrature_of_a_conditional_density() -> None:
    """For whatever batch size, the density over lr times that of the batch size integrates over lr to the latter."""
    space = space_of("batch_size", "lr")
    prior = Prior.of(space, [RATE | {"batch_size": Place(math.log(64), math.log(3))}])
    alone = Prior.of(space_of("batch_size"), [{"batch_size": Place(math.log(64), math.log(3))}])
    for u in (0.1, 0.5, 0.9):
        line, _ = integrate.quad(lambda y, u=u: math.exp(prior.log_density(np.array([[u, y]]))[0]), 0, 1, limit=200)
        assert line == pytest.approx(math.exp(alone.log_density(np.array([[u]]))[0]), rel=1e-3)
