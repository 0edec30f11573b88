"""A prior and its grade in words: what is believed before the first trial, and what the results make of that."""

from collections.abc import Sequence
from textwrap import shorten

from hpsearch.cli import console
from hpsearch.contract import Config
from hpsearch.space.axes import scale_of
from hpsearch.space.beliefs import prior_of, settings_of
from hpsearch.space.coordinate_spec import ROLES
from hpsearch.space.prior_spec import Learnt
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation
from hpsearch.space.values import is_number
from hpsearch.trial import FinishedTrial

DECIDED, STRONG = 1.0, 3.0
"""Log Bayes factors (nat) from which results speak, and speak strongly, for one of two hypotheses: R. Kass and
A. Raftery, 1995, whose scale is twice the logarithm (2 and 6)."""

NAMED = 3
"""So many problems of a learnt prior are named; of more, what it says of itself, in so many characters:"""
ABOUT = 80


def believed(space: Space) -> str | None:
    """Return what the prior of ``space`` believes, None where its sampler has no place for one."""
    belief = space.belief
    if not space.sampler.takes_prior:
        return None
    if belief.name == "uniform":
        return "uniform: nothing is known beforehand"
    if not prior_of(space).informed:
        return "says nothing about what is searched here: the same as uniform"
    if belief.name == "heuristic":
        return f"heuristic: {_around(space, settings_of(space)[0])}"
    if isinstance(belief.learnt, Learnt):
        return f"learnt from {_problems(belief.learnt)}"
    return f"normal: {', '.join(_normal(space))}"


def verdict(grade: float, space: Space) -> str:
    """Return what the results say of the prior of ``space``, by its log Bayes factor (nat) against a uniform one."""
    number = f"(log Bayes factor {grade:+.1f})"
    if abs(grade) < DECIDED:
        return f"the results are undecided about it {number}"
    strongly = " strongly" if abs(grade) >= STRONG else ""
    if grade > 0:
        return f"the results speak{strongly} for it {number}"
    remedy = "its weight falls" if space.sampler.name == "hpsearch" else "`prior: uniform` may do better"
    return f"the results speak{strongly} against it {number}: {remedy}"


def latest_grade(history: Sequence[FinishedTrial]) -> float | None:
    """Return the grade that the prior has by now, None where there is none or nothing to grade it by."""
    graded = [trial for trial in history if trial.prior_grade is not None]
    return max(graded, key=lambda trial: trial.finished_at).prior_grade if graded else None


def _around(space: Space, centre: Config) -> str:
    """Return the centre of the rules: what is searched of the four hyperparameters, at those that are not."""
    known = Translation.of(space).quantities(centre)
    names = {getattr(space.coordinates, role): getattr(known, role) for role in ROLES}
    coordinates = {space.coordinates.rate or "rate": known.rate, space.coordinates.tau or "tau": known.tau}
    searched = {name: centre[name] for name in space.searched if name in names.keys() | coordinates.keys()}
    rest = {name: value for name, value in names.items() if value is not None and name in space.parameters}
    fixed = {name: value for name, value in rest.items() if name not in searched}
    derived = {name: value for name, value in coordinates.items() if value is not None and name not in searched}
    at = f" at {_listed(fixed)}" if fixed else ""
    beside = f" ({_listed(derived)})" if derived else ""
    return f"around {_listed(searched)}{at}{beside}"


def _listed(values: Config) -> str:
    return ", ".join(f"{name} {console.number(value) if is_number(value) else value}" for name, value in values.items())


def _problems(learnt: Learnt) -> str:
    if len(learnt.problems) <= NAMED:
        return ", ".join(learnt.problems)
    return f"{len(learnt.problems)} problems ({shorten(learnt.about, ABOUT, placeholder=' ...')})"


def _normal(space: Space) -> list[str]:
    words = []
    for name, belief in (space.belief.normal or {}).items():
        linear = scale_of(name, space.parameters.get(name), space.coordinates) == "linear"
        within = "+-" if linear else "within a factor of"
        words.append(f"{name} {console.number(belief.centre)} {within} {console.number(belief.spread)}")
    return words
