"""Every form of the ``prior:`` block, as a density and as the settings that it would try first."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hpsearch.errors import SpaceError
from hpsearch.space.beliefs import centre, prior_of, settings_of
from hpsearch.space.coordinates import Raw, Run, to_coordinates, to_raw
from hpsearch.space.spec import Space
from tests.space.examples import make_space


def log(low: float, high: float) -> dict[str, Any]:
    return {"type": "real", "low": low, "high": high, "scale": "log"}


RAW = {"lr": log(1e-4, 100.0), "weight_decay": log(1e-7, 1.0), "batch_size": log(16, 2048)}
NAMED = {"rate": log(1e-6, 1.0), "tau": log(1e-3, 100.0), "batch_size": log(16, 2048)}
REFERENCE = {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 512, "momentum": 0.9}
KNOWN = {"optimizer": "sgd", "examples": 50000, "epochs": 10}
RUN = Run("sgd", 50000, 10)
TOY = {"about": "a toy", "made_by": "a test"}


def space_of(parameters: dict[str, Any], prior: Any = None, **blocks: Any) -> Space:
    return make_space(parameters, **({} if prior is None else {"prior": prior}), **blocks)


def coordinates_of(config: Any, momentum: float = 0.9) -> tuple[float, float]:
    point = to_coordinates(Raw(config["lr"], config["weight_decay"], config["batch_size"], momentum), RUN)
    return point.rate, point.tau


@pytest.mark.parametrize("sampler", ["hpsearch", "random", "sobol", "doubling"])
def test_the_heuristic_prior_is_the_one_of_samplers_that_take_one(sampler: str) -> None:
    assert prior_of(space_of(RAW, sampler={"name": sampler})).informed
    assert prior_of(space_of(RAW, "heuristic", sampler={"name": sampler})).informed


@pytest.mark.parametrize("sampler", ["tpe", "gp", "factorial", "grid"])
def test_other_samplers_have_none(sampler: str) -> None:
    two = {name: {"type": "choice", "values": [0.1, 0.2]} for name in RAW}
    assert not prior_of(space_of(two, sampler={"name": sampler})).informed
    for prior in ("heuristic", {"normal": {"lr": {"centre": 0.1, "spread": 2}}}, {"study": "earlier"}):
        with pytest.raises(SpaceError, match=f"the sampler {sampler} makes no use of a prior"):
            space_of(two, prior, sampler={"name": sampler})


def test_the_centre_of_the_heuristic_prior_is_the_reference() -> None:
    space = space_of(RAW, coordinates={**KNOWN, "reference": REFERENCE})
    (config,) = settings_of(space)
    assert config == pytest.approx({name: REFERENCE[name] for name in RAW}, rel=1e-3)
    assert centre(space) == config


@pytest.mark.parametrize("batch", [64, 256, 2048])
def test_it_holds_rate_and_tau_for_another_batch_size_however_the_space_names_them(batch: int) -> None:
    fixed = {"batch_size": {"type": "constant", "value": batch}}
    blocks = {"coordinates": {**KNOWN, "reference": REFERENCE}}
    raw, named = (centre(space_of({**one, **fixed}, **blocks)) for one in (RAW, NAMED))
    expected = to_coordinates(Raw(**REFERENCE), RUN)
    assert raw["lr"] == pytest.approx(0.4 * batch / 512, rel=1e-3), "the linear rule"
    assert coordinates_of(raw) == pytest.approx((expected.rate, expected.tau), rel=1e-3)
    assert (named["rate"], named["tau"]) == pytest.approx((expected.rate, expected.tau), rel=1e-3)


def test_for_adamw_it_is_the_square_root_rule() -> None:
    reference = {"lr": 1e-3, "batch_size": 128}
    lrs = [
        centre(space_of({"lr": log(1e-5, 1), "batch_size": {"type": "constant", "value": batch}},
                        coordinates={"optimizer": "adamw", "reference": reference}))["lr"]
        for batch in (128, 2048)
    ]  # fmt: skip
    assert lrs == pytest.approx([1e-3, 4e-3], rel=1e-3)


@pytest.mark.parametrize("reference", [{"momentum": 1.0}, {"momentum": -1}, {"lr": 0}, {"batch_size": 0},
                                       {"weight_decay": 0}, {"lr": -0.1, "momentum": 0}])  # fmt: skip
def test_a_reference_that_cannot_be_used_is_no_harm(reference: dict[str, float]) -> None:
    space = space_of({"lr": RAW["lr"], "weight_decay": RAW["weight_decay"]},
                     coordinates={**KNOWN, "reference": {**REFERENCE, **reference}})  # fmt: skip
    prior = prior_of(space)
    assert np.isfinite(prior.log_density(np.random.default_rng(0).random((50, 2)))).all()
    assert all(math.isfinite(float(value)) for value in centre(space).values())


def test_a_normal_prior_is_centred_where_it_says() -> None:
    beliefs = {"lr": {"centre": 0.03, "spread": 2}, "momentum": {"centre": 0.95, "spread": 2},
               "depth": {"centre": 6, "spread": 2}, "batch_size": {"centre": 256, "spread": 2}}  # fmt: skip
    parameters = {"lr": RAW["lr"], "momentum": {"type": "real", "low": 0.0, "high": 0.99},
                  "depth": {"type": "integer", "low": 2, "high": 20, "step": 2},
                  "batch_size": {"type": "choice", "values": [64, 128, 256, 512]}}  # fmt: skip
    config = centre(space_of(parameters, {"normal": beliefs}))
    assert config == {"lr": pytest.approx(0.03, rel=1e-3), "momentum": pytest.approx(0.95, rel=1e-3),
                      "depth": 6, "batch_size": 256}  # fmt: skip


def test_the_spread_of_a_normal_prior_is_that_factor() -> None:
    """Of a t distribution with 2 degrees of freedom, 57.7% lie within one spread."""
    space = space_of({"lr": log(1e-12, 1e6)}, {"normal": {"lr": {"centre": 1e-3, "spread": 4}}})
    prior = replace(prior_of(space), weights=np.array([0.0, 1.0]))
    lrs = 1e-12 * 1e18 ** prior.quantile(np.random.default_rng(0).random((20_000, 1)))[:, 0]
    assert np.mean(np.abs(np.log(lrs / 1e-3)) < math.log(4)) == pytest.approx(1 / math.sqrt(3), abs=0.015)


def test_a_belief_about_rate_and_tau_says_what_lr_and_weight_decay_are() -> None:
    beliefs = {"rate": {"centre": 0.01, "spread": 2}, "tau": {"centre": 0.2, "spread": 2}}
    config = centre(space_of(RAW, {"normal": beliefs}, coordinates=KNOWN))
    assert coordinates_of(config) == pytest.approx((0.01, 0.2), rel=1e-3)


def test_learnt_settings_in_coordinates_come_out_as_raw_ones() -> None:
    settings = [{"rate": 0.004, "tau": 0.3, "batch_size": 64}, {"rate": 0.02, "tau": 0.1, "batch_size": 512},
                {"rate": 0.004, "tau": 0.3, "batch_size": 64}]  # fmt: skip
    learnt = {**TOY, "settings": settings, "problems": {"a": {"rate": {"centre": 0.01, "spread": 2}}}}
    found = settings_of(space_of(RAW, {"learnt": learnt}, coordinates=KNOWN))
    assert len(found) == 2, "none twice"
    for config, setting in zip(found, settings[:2], strict=True):
        assert coordinates_of(config) == pytest.approx((setting["rate"], setting["tau"]), rel=1e-3)
        assert config["batch_size"] == pytest.approx(setting["batch_size"], rel=1e-3)
        back = to_raw(to_coordinates(Raw(config["lr"], config["weight_decay"], config["batch_size"], 0.9), RUN), RUN)
        assert back.lr == pytest.approx(config["lr"])


def test_a_learnt_prior_has_a_component_for_each_problem() -> None:
    problems = {"a": {"lr": {"centre": 0.01, "spread": 2}}, "b": {"lr": {"centre": 1.0, "spread": 2}},
                "c": {"other": {"centre": 1.0, "spread": 2}}}  # fmt: skip
    settings = [{"lr": 0.02, "norm": "layer"}, {"lr": 1e9, "norm": "none"}]
    parameters = {"lr": RAW["lr"], "norm": {"type": "choice", "values": ["batch", "layer"]}}
    space = space_of(parameters, {"learnt": {**TOY, "settings": settings, "problems": problems}})
    prior = prior_of(space)
    assert len(prior.components) == 2
    assert [1e-4 * 1e6 ** prior.centre(one)[0] for one in (0, 1)] == pytest.approx([0.01, 1.0], rel=1e-3)
    first, second = settings_of(space)
    assert first == {"lr": 0.02, "norm": "layer"}
    assert second["lr"] == pytest.approx(100.0) and second["norm"] in ("batch", "layer")


def test_a_uniform_prior_names_no_setting_and_has_the_middle_as_its_centre() -> None:
    space = space_of({"lr": log(0.01, 1.0), "depth": {"type": "integer", "low": 1, "high": 3}}, "uniform")
    assert not prior_of(space).informed and settings_of(space) == []
    assert centre(space) == {"lr": pytest.approx(0.1), "depth": 2}


def test_a_space_of_which_the_rules_know_nothing_is_uniform() -> None:
    assert not prior_of(space_of({"width": log(1, 64)})).informed
    assert settings_of(space_of({"width": log(1, 64)})) == []
