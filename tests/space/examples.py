"""Spaces that the tests of this folder and of the samplers share."""

from typing import Any

from hypothesis import strategies as st

from hpsearch.space.numeric import RealScale
from hpsearch.space.parameters import Choice, Constant, Integer, Parameter, Real
from hpsearch.space.spec import Space

LR = {"type": "real", "low": 1e-3, "high": 1.0, "scale": "log"}


def make_space(parameters: dict[str, Any] | None = None, **blocks: Any) -> Space:
    """Build a space from plain data; what is not given is as simple as can be."""
    data: dict[str, Any] = {
        "parameters": parameters or {"lr": LR},
        "objective": {"metric": "val_loss", "mode": "min"},
        "budget": {"trials": 8},
    }
    return Space.restore(data | blocks)


CONDITIONAL = {
    "momentum": {"type": "real", "low": 0.0, "high": 0.99, "when": {"optimizer": "sgd"}},
    "nesterov": {"type": "choice", "values": [True, False], "when": {"optimizer": ["sgd"]}},
    "optimizer": {"type": "choice", "values": ["sgd", "adam", "lamb"]},
    "beta": {"type": "real", "low": 0.9, "high": 0.999, "when": {"optimizer": ["adam", "lamb"]}},
    "damping": {"type": "real", "low": 0.0, "high": 0.5, "step": 0.1, "when": {"nesterov": False}},
    "layers": {"type": "integer", "low": 1, "high": 64, "scale": "log"},
    "width": {"type": "constant", "value": 8},
}
"""One of each kind of parameter, declared before what their conditions name, and a condition on a conditional one."""

finite = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-9, 1e6)
below_one = st.floats(0, 1 - 1e-9)


@st.composite
def reals(draw: st.DrawFn) -> Real:
    scales: dict[RealScale, st.SearchStrategy[float]] = {"linear": finite, "log": positive, "log1m": below_one}
    scale = draw(st.sampled_from(list(scales)))
    low, high = sorted(draw(st.tuples(*[scales[scale]] * 2)))
    return Real(low=low, high=high, scale=scale)


@st.composite
def stepped_reals(draw: st.DrawFn) -> Real:
    """Steps that people write: a few decimals."""
    decimals = draw(st.integers(0, 4))
    low, step, steps = draw(st.integers(-50, 50)), draw(st.integers(1, 20)), draw(st.integers(0, 30))
    scale = 10**decimals
    return Real(low=low / scale, high=(low + step * steps) / scale, step=step / scale)


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(*[st.integers(1, 5000)] * 2)))
        return Integer(low=low, high=high, scale="log")
    low, step, steps = draw(st.integers(-1000, 1000)), draw(st.integers(1, 9)), draw(st.integers(0, 50))
    return Integer(low=low, high=low + step * steps, step=step)


scalars = st.booleans() | st.integers(-9, 9) | finite | st.text(max_size=4)
choices = st.lists(scalars, min_size=1, max_size=6, unique=True).map(lambda values: Choice(values=tuple(values)))
constants = scalars.map(lambda value: Constant(value=value))
parameters: st.SearchStrategy[Parameter] = reals() | stepped_reals() | integers() | choices | constants
units = st.floats(0, 1, exclude_max=True)
