"""The ``prior:`` block: where good settings are believed to lie before a trial has run."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hpsearch.space.values import FiniteValue, as_tuple
from hpsearch.typed_yaml import Typed, wrong


class Belief(Typed):
    """Where the good values of one parameter or coordinate lie.

    ``spread`` is the standard deviation: a factor (above 1) for what is on a log scale, as the four hyperparameters and
    the two coordinates always are (momentum as 1 - momentum), else in units of the parameter.
    """

    centre: FiniteFloat
    spread: FiniteFloat = Field(gt=0)


class Learnt(Typed):
    """What earlier searches found, as in a file of ``hpsearch/priors``.

    ``settings``  settings that did well, in the order in which to try them
    ``problems``  for each problem, where its good settings lie
    The keys are names of parameters, or rate and tau.
    """

    about: str
    made_by: str
    """The command that made the file."""
    settings: Annotated[tuple[dict[str, FiniteValue], ...], BeforeValidator(as_tuple)]
    problems: dict[str, dict[str, Belief]] = Field(min_length=1)


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else as_tuple(value)


class PriorSpec(Typed):
    """One of: ``heuristic``, ``uniform``, ``{normal: ...}``, ``{study: NAMES}``, ``{learnt: NAME or FILE}``."""

    name: Literal["heuristic", "uniform"] | None = None
    normal: dict[str, Belief] | None = Field(default=None, min_length=1)
    """Parameter -> belief."""
    study: Annotated[Annotated[tuple[str, ...], Field(min_length=1)] | None, BeforeValidator(_one_or_more)] = None
    """Finished studies, by name or folder."""
    learnt: str | Learnt | None = None
    """A shipped prior by name, a file, or the values themselves."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [key for key, value in self if value is not None]
        if len(given) != 1:
            raise wrong("a prior is one of these", got=given, allowed="name, normal, study, learnt: one of them")
        return self


def as_prior(value: object) -> object:
    """Let ``prior: heuristic`` stand for its long form."""
    return {"name": value} if isinstance(value, str) else value
