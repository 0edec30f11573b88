"""How often tied sets hold the best setting, and what is said of the recommended one: 2,000 simulated studies each.

A share of 2,000 that is 95% has a standard error of 0.5 points: sets that hold the best with 95% fail the bound of 93%
once in 50,000 times. The seeds are fixed.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import stdtrit

from benchmarks.noise import Case, Place, holds, measured, race, simulate, uniform

STUDIES = 2000
MANY = [pytest.param(n, marks=pytest.mark.slow) for n in (80, 200)]


class Found(NamedTuple):
    """What tied sets hold and say.

    ``holds``   share of the sets that hold the best setting
    ``within``  share of the 95% intervals of the recommended setting that hold its truth
    ``bias``    mean error of its adjusted loss, in units of the mean stated one
    """

    holds: float
    within: float
    bias: float


def over_studies(case: Case, place: Place, studies: int = STUDIES) -> Found:
    held, within, off, errors = [], [], [], []
    for seed in range(studies):
        study = simulate(case, place, np.random.default_rng([seed, case.n]))
        found = measured(study)
        held.append(holds(found, study))
        off.append(found.best.adjusted - study.gaps[found.best.index])
        errors.append(found.best.standard_error)
        within.append(abs(off[-1]) <= stdtrit(found.noise.freedom, 0.975) * errors[-1])
    return Found(float(np.mean(held)), float(np.mean(within)), float(np.mean(off) / np.mean(errors)))


@pytest.mark.parametrize("n", [5, 20, *MANY])
@pytest.mark.parametrize("name", ["equal", "halves"])
def test_sets_hold_the_best_as_often_as_stated(name: str, n: int) -> None:
    """Repeats spread without a look at the results; several are best, and others far off with three times the noise."""
    assert over_studies(Case(name, n), uniform).holds == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("bowl", 5),
        ("near", 20),
        *(pytest.param(name, n, marks=pytest.mark.slow) for name in ("near", "bowl") for n in (80, 200)),
    ],
)
def test_what_is_said_after_a_race_is_so(name: str, n: int) -> None:
    found = over_studies(Case(name, n), race)
    assert found.holds >= 0.93
    assert found.within >= 0.92
    assert abs(found.bias) <= 1


@pytest.mark.parametrize("n", [5, *MANY])
def test_after_a_race_of_equal_settings_the_best_is_flattered_a_little(n: int) -> None:
    """The hierarchy takes some of the luck for merit, so that of 200 the intervals hold the truth 90% of the time."""
    found = over_studies(Case("equal", n), race)
    assert found.holds >= 0.93
    assert found.within >= 0.88
    assert -1.4 <= found.bias <= 0


def test_noise_with_heavy_tails_does_no_harm() -> None:
    found = over_studies(Case("near", 20, heavy=True), race, studies=500)
    assert found.holds >= 0.93 - 0.03, "of 500, three standard errors"
