"""The figures of a run against simulated training with torch's optimisers, and what is found to be off."""

import math
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.analysis.advice import FEW_STEPS, LINEAR_STEPS, PUBLISHED, WEAK_TAU, advise
from hpsearch.analysis.run_figures import figures_of, rotation
from hpsearch.analysis.space_advice import advise_space
from hpsearch.space.coordinates import Raw, Run
from tests.store.examples import make_space

POST_4 = Raw(0.4, 5e-4, 512, 0.9), Run("sgd_nesterov", 50_000, 24)
DIMENSIONS = 2000


def optimiser(weight, raw, run):
    if run.optimizer == "adamw":
        return torch.optim.AdamW([weight], raw.lr, (raw.momentum, 0.999), weight_decay=raw.weight_decay)
    nesterov = run.optimizer == "sgd_nesterov"
    return torch.optim.SGD([weight], raw.lr, raw.momentum, weight_decay=raw.weight_decay, nesterov=nesterov)


def walk(raw, run, norm, steps):
    """Yield the weight after each step under random gradients of a loss that does not see the scale of the weight."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(DIMENSIONS, generator=generator)
    weight = torch.nn.Parameter(weight * norm / weight.norm())
    step = optimiser(weight, raw, run)
    for _ in range(steps):
        direction = torch.randn(DIMENSIONS, generator=generator)
        direction -= weight.data * (direction @ weight.data) / weight.data.square().sum()
        weight.grad = direction / direction.norm() / weight.data.norm()
        step.step()
        yield weight.data.clone()


def angles(weights):
    units = [weight / weight.norm() for weight in weights]
    return [2 * math.asin(float((b - a).norm()) / 2) for a, b in pairwise(units)]


@pytest.mark.parametrize(
    ("raw", "optimizer", "norm"),
    [
        (Raw(0.1, 0.02, 1, 0.9), "sgd", 2.236),
        (Raw(0.1, 0.02, 1, 0.0), "sgd", 1.257),
        (Raw(0.1, 0.02, 1, 0.9), "sgd_nesterov", 2.236),
        (Raw(0.1, 0.02, 1, 0.5), "sgd_nesterov", 1.495),
        (Raw(0.01, 1.0, 1, 0.9), "adamw", 3.162),
    ],
)
def test_the_rotation_is_that_of_a_random_walk(raw, optimizer, norm):
    run = Run(optimizer)
    weights = [*walk(raw, run, norm, 1200)][600:]
    measured = math.sqrt(sum(angle**2 for angle in angles(weights)) / (len(weights) - 1))
    assert rotation(raw, run) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("optimizer", ["sgd", "sgd_nesterov", "adamw"])
def test_the_memory_is_the_time_in_which_an_undriven_weight_shrinks_by_e(optimizer):
    raw, run = Raw(0.1, 0.02, 10, 0.9), Run(optimizer, 1000, 10)
    weight = torch.nn.Parameter(torch.ones(3))
    step = optimiser(weight, raw, run)
    weight.grad = torch.zeros(3)
    figures = figures_of(raw, run, 0.5)
    for _ in range(round(figures.memory)):
        step.step()
    assert float(weight.data[0]) == pytest.approx(math.exp(-1), rel=0.2 if optimizer != "adamw" else 0.01)
    assert figures.memory == pytest.approx(figures.tau * figures.steps)


@pytest.mark.parametrize(
    ("raw", "optimizer", "norm", "power"),
    [(Raw(0.1, 0.002, 1, 0.9), "sgd", 3.976, 4), (Raw(0.001, 2.0, 1, 0.0), "adamw", 0.7071, 2)],
)
def test_in_the_relaxation_time_the_norm_comes_e_times_nearer_to_equilibrium(raw, optimizer, norm, power):
    run = Run(optimizer, 1000, 1)
    relaxation = figures_of(raw, run, 0.5).relaxation
    *_, last = walk(raw, run, 1.5 * norm, round(relaxation))
    excess = ((float(last.norm()) / norm) ** power - 1) / (1.5**power - 1)
    assert excess == pytest.approx(math.exp(-1), rel=0.15)


def test_without_decay_the_effective_learning_rate_falls_as_the_root_of_the_steps():
    raw, run = Raw(0.5, 0.0, 1, 0.0), Run("sgd", 1000, 1)
    weights = [*walk(raw, run, 0.5, 1600)]
    effective = [raw.lr / float(weights[steps - 1].norm()) ** 2 for steps in (400, 1600)]
    assert effective[0] / effective[1] == pytest.approx(2, rel=0.05)
    (finding,) = advise(raw, run).findings
    assert finding.quantity == "weight decay" and "root of the steps" in finding.meaning


@pytest.mark.parametrize(
    ("raw", "run", "name"),
    [(*POST_4, "post 4"), (Raw(0.1, 5e-4, 128, 0.9), Run("sgd", 50_000, 200), "ResNet-18 for 200 epochs")],
)
def test_published_recipes_have_the_tau_that_is_said_and_nothing_off(raw, run, name):
    advice = advise(raw, run, warmup_epochs=5)
    assert advice.figures.tau == pytest.approx(PUBLISHED[name], rel=0.02)
    assert advice.findings == ()


def test_the_figures_of_post_4():
    figures = advise(*POST_4, schedule_mean=0.5).figures
    assert figures.steps == pytest.approx(2343.75) and figures.tau_mean == pytest.approx(0.43, abs=0.01)
    assert figures.memory == pytest.approx(500) and figures.epochs(figures.memory) == pytest.approx(5.12)
    assert figures.relaxation == pytest.approx(125) and figures.momentum == pytest.approx(10)
    assert figures.noise == pytest.approx(0.4 * 50_000 / 512 / 0.1)
    assert advise(POST_4[0], Run("adamw", 50_000, 24)).figures.noise is None


@pytest.mark.parametrize(
    ("change", "warmup", "expected"),
    [
        ({"weight_decay": 2e-5}, 5, ("tau", "above 3")),
        ({"weight_decay": 5e-3}, 5, ("tau", "below 0.05, with a memory below 4 epochs")),
        ({"weight_decay": 0.0}, 5, ("weight decay", "absent")),
        ({"batch_size": 8192, "lr": 6.4}, 5, ("steps", "below 200")),
        ({"batch_size": 4096, "lr": 3.2}, 5, ("steps", "below 400")),
        ({}, 1, ("warm-up steps", "shorter than the relaxation time of 125")),
        ({"momentum": 0.999, "lr": 0.004}, 5, ("memory of the momentum", "longer than the warm-up of 488 steps")),
        ({"momentum": 0.998, "lr": 0.008}, None, ("memory of the momentum", "above 10% of the steps")),
    ],
)
def test_what_is_off_is_found_and_only_that(change, warmup, expected):
    advice = advise(replace(POST_4[0], **change), POST_4[1], warmup_epochs=warmup)
    found = {(finding.quantity, finding.limit) for finding in advice.findings}
    assert found == {expected}
    assert all(finding.source and finding.meaning for finding in advice.findings)


@given(st.floats(1e-4, 10), st.floats(1e-6, 0.1), st.integers(1, 4096), st.floats(0, 0.99), st.integers(1, 300))
def test_a_finding_says_what_is_true(lr, decay, batch_size, momentum, epochs):
    advice = advise(Raw(lr, decay, batch_size, momentum), Run("sgd", 50_000, epochs))
    found = {(finding.quantity, finding.limit): finding.value for finding in advice.findings}
    figures = advice.figures
    assert (("tau", f"above {WEAK_TAU:g}") in found) == (figures.tau > WEAK_TAU)
    assert (("steps", f"below {FEW_STEPS}") in found) == (figures.steps < FEW_STEPS)
    assert (("steps", f"below {LINEAR_STEPS}") in found) == (FEW_STEPS <= figures.steps < LINEAR_STEPS)
    assert all(value in (figures.tau, figures.steps, figures.momentum) for value in found.values())


def test_the_figures_need_the_length_of_the_run():
    with pytest.raises(ValueError, match="number of training examples and of epochs"):
        advise(POST_4[0], Run("sgd", None, 24))


PARAMETERS = {
    "lr": {"type": "constant", "value": 0.4},
    "weight_decay": {"type": "real", "low": 5e-6, "high": 5e-4, "scale": "log"},
    "batch_size": {"type": "constant", "value": 512},
    "momentum": {"type": "constant", "value": 0.9},
}
KNOWN = {"optimizer": "sgd_nesterov", "examples": 50_000, "epochs": 24}


def test_a_space_is_told_the_share_of_it_that_is_off():
    """The decay at which tau is 3 lies at this share of its range, on a log scale."""
    advice = advise_space(make_space(PARAMETERS, coordinates=KNOWN, start_with=[{"weight_decay": 5e-4}]))
    assert advice is not None and advice.start is not None and advice.start.findings == ()
    ((finding, share),) = advice.shares
    assert (finding.quantity, finding.limit) == ("tau", "above 3")
    at_three = 5e-4 * advice.start.figures.tau / 3
    assert share == pytest.approx(math.log(at_three / 5e-6) / math.log(100), abs=0.01)


def test_the_first_setting_is_completed_by_the_reference():
    lr = {"lr": {"type": "real", "low": 0.1, "high": 1.0, "scale": "log"}}
    reference = {"lr": 0.4, "weight_decay": 5e-4, "batch_size": 512, "momentum": 0.9}
    advice = advise_space(make_space(lr, coordinates={**KNOWN, "reference": reference}))
    assert advice is not None and advice.start is not None
    assert asdict(advice.start.figures) == pytest.approx(asdict(advise(*POST_4).figures)) and advice.shares == ()


@pytest.mark.parametrize("unknown", ["optimizer", "examples", "epochs"])
def test_nothing_is_said_of_a_space_of_which_too_little_is_known(unknown):
    known = {key: value for key, value in KNOWN.items() if key != unknown}
    assert advise_space(make_space(PARAMETERS, coordinates=known)) is None


def test_nothing_is_said_where_a_hyperparameter_is_not_known():
    parameters = {name: one for name, one in PARAMETERS.items() if name != "momentum"}
    assert advise_space(make_space(parameters, coordinates=KNOWN)) is None
