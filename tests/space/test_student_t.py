"""The cut-off t distribution with two degrees of freedom: against SciPy's, and where SciPy's has no digits left."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpsearch.space.student_t import inverse, log_pdf

centres = st.floats(-3, 4)
spreads = st.floats(0.01, 10)
units = st.floats(0, 1)


def array(*values: float) -> np.ndarray:
    """One row."""
    return np.array([values])


@given(units, centres, spreads)
def test_the_density_is_that_of_a_t_distribution_cut_off_at_the_ends(u: float, centre: float, spread: float) -> None:
    t = stats.t(df=2, loc=centre, scale=spread)
    mass = t.cdf(1) - t.cdf(0) if centre < 0.5 else t.sf(0) - t.sf(1)
    found = log_pdf(array(u), array(centre), array(spread))[0, 0]
    assert found == pytest.approx(t.logpdf(u) - np.log(mass), abs=1e-6)


@pytest.mark.parametrize("centre", [-1e6, -1e3, -30.0, 31.0, 1e3, 1e6])
@pytest.mark.parametrize("spread", [1e-6, 1e-2, 1.0])
def test_a_centre_far_outside_still_has_a_density(centre: float, spread: float) -> None:
    """Both ends lie in the tail, whose distribution function is 0 or 1 to all digits."""
    with mpmath.workdps(60):
        c, s = mpmath.mpf(centre), mpmath.mpf(spread)
        below = lambda x: x / (2 * mpmath.sqrt(2 + x**2))  # noqa: E731
        mass = below((1 - c) / s) - below(-c / s)
        expected = float(mpmath.log((2 + ((mpmath.mpf("0.3") - c) / s) ** 2) ** mpmath.mpf("-1.5") / (s * mass)))
    assert log_pdf(array(0.3), array(centre), array(spread))[0, 0] == pytest.approx(expected, abs=1e-6)


@given(units, centres, spreads, st.floats(0, 1))
def test_the_inverse_of_a_mixture_undoes_its_distribution_function(
    place: float, centre: float, spread: float, flat: float
) -> None:
    t = stats.t(df=2, loc=centre, scale=spread)
    part = (t.cdf(place) - t.cdf(0)) / (t.cdf(1) - t.cdf(0))
    below = flat * place + (1 - flat) * part
    found = inverse(np.array([below]), array(flat, 1 - flat), array(centre), array(spread))[0]
    again = flat * found + (1 - flat) * (t.cdf(found) - t.cdf(0)) / (t.cdf(1) - t.cdf(0))
    assert again == pytest.approx(below, abs=1e-8)


@given(st.lists(units, min_size=2, max_size=2, unique=True), centres, spreads)
def test_the_inverse_never_falls(uniforms: list[float], centre: float, spread: float) -> None:
    low, high = inverse(np.array(sorted(uniforms)), *(np.repeat(one, 2, axis=0) for one in
                        (array(0.2, 0.8), array(centre), array(spread))))  # fmt: skip
    assert 0 <= low <= high <= 1


def test_an_infinite_spread_is_flat() -> None:
    flat = array(np.inf)
    assert log_pdf(array(0.3), array(0.7), flat)[0, 0] == 0
    assert inverse(np.array([0.3]), array(0.2, 0.8), array(0.7), flat)[0] == pytest.approx(0.3)
