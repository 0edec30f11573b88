"""The blocks of a space file beside its parameters: what is trained and measured, how, and for how long."""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from hpsearch.space.values import as_tuple
from hpsearch.typed_yaml import Typed, wrong


class Train(Typed):
    """What runs a trial; every key beside ``function`` is passed on to it as a setting."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    function: str = "trainer.objective:train"
    """``module:name`` or ``path/file.py:name``."""

    @property
    def settings(self) -> dict[str, Any]:
        """The other keys of the block, as they stand there."""
        return dict(self.model_extra or {})


class Objective(Typed):
    """The metric that is searched for, and its direction."""

    metric: str = Field(min_length=1)
    mode: Literal["min", "max"]
    target: FiniteFloat | None = None
    """The search ends when a trial reaches this."""
    bound: FiniteFloat | None = None
    """A trial past this counts as diverged."""

    @field_validator("metric")
    @classmethod
    def _held_out(cls, metric: str) -> str:
        if metric == "test" or metric.startswith("test_"):
            raise wrong(
                "a search must not look at test data: its best value would then say nothing about new data",
                got=metric,
                hint=f"val{metric.removeprefix('test')}, computed on a held-out part of the training data",
            )
        return metric

    def loss(self, value: float) -> float:
        """Return ``value`` as something to be minimised, whatever the mode."""
        return value if self.mode == "min" else -value

    def better(self, value: float, than: float | None) -> bool:
        """Whether ``value`` is better than another, or the first there is."""
        return than is None or self.loss(value) < self.loss(than)

    def past_bound(self, value: float) -> bool:
        """Whether ``value`` is on the wrong side of the bound, where there is one."""
        return self.bound is not None and self.loss(value) > self.loss(self.bound)

    def reached_by(self, value: float) -> bool:
        """Whether ``value`` is as good as the target, where there is one."""
        return self.target is not None and self.loss(value) <= self.loss(self.target)


class SamplerSpec(Typed):
    """Who proposes the next setting."""

    name: Literal["hpsearch", "doubling", "random", "sobol", "tpe", "gp", "grid", "factorial"] = "hpsearch"
    startup_trials: int | None = Field(default=None, ge=1)
    """Random trials before the model is used (tpe, gp)."""
    runs: Literal[8, 16, 32, 64, 128] | None = None
    """Runs of the design (factorial), 32 if it is not said."""

    @property
    def takes_prior(self) -> bool:
        """Whether the sampler makes use of a prior; Optuna's have no place for one, and a design is what it is."""
        return self.name in ("hpsearch", "doubling", "random", "sobol")

    @property
    def design_runs(self) -> int:
        """The runs of a factorial design."""
        return self.runs or 32

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.startup_trials is not None and self.name not in ("tpe", "gp"):
            raise wrong(f"{self.name} has no model to start up", "startup_trials", hint="leave it out, or tpe, gp")
        if self.runs is not None and self.name != "factorial":
            raise wrong(f"{self.name} has no design", "runs", hint="leave it out, or factorial")
        return self


class Stopping(Typed):
    """Which trials end early; never before the share ``grace`` of their schedule."""

    rule: Literal["none", "median", "halving"] = "none"
    grace: float = Field(default=0.5, gt=0, le=1)


class Fidelity(Typed):
    """Complete shorter runs before full ones: each anneals its own learning rate, the better ones are run longer."""

    epochs: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
    """Lengths of the schedules, increasing; the last is that of a full run."""
    keep: Literal["tau", "weight_decay"] = "tau"
    """What a setting means in a shorter run: the decay forgets in the same share of it, or the weight decay stays."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(one >= next_one for one, next_one in pairwise(self.epochs)):
            increasing = sorted(set(self.epochs))
            raise wrong("the lengths must increase", "epochs", got=list(self.epochs), hint=f"epochs: {increasing}")
        return self

    @property
    def full(self) -> int:
        """The epochs of a full run."""
        return self.epochs[-1]

    @property
    def shorter(self) -> tuple[int, ...]:
        """The lengths below that."""
        return self.epochs[:-1]


AUTO = 3
"""One of so many trials is a repeat where the space leaves the number open."""


class Budget(Typed):
    """When no more trials are started: whichever comes first."""

    trials: int = Field(ge=1)
    hours: FiniteFloat | None = Field(default=None, gt=0)
    repeats: Literal["auto"] | Annotated[int, Field(ge=0)] = 0
    """How many of the trials run a setting again, to tell the best settings apart; auto is a third of them."""

    def repeats_of(self, trials: int) -> int:
        """Return how many of so many trials are repeats."""
        return trials // AUTO if self.repeats == "auto" else self.repeats

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.repeats != "auto" and self.repeats >= self.trials:
            what = "there is nothing to repeat where every trial is a repeat"
            raise wrong(what, "repeats", got=self.repeats, allowed=f"auto, or below the {self.trials} trials")
        return self


class Resources(Typed):
    """What one trial occupies; ``gpus: auto`` is one GPU where there is one."""

    cpus: int = Field(default=1, ge=1)
    gpus: Literal["auto"] | Annotated[FiniteFloat, Field(ge=0)] = "auto"
