"""Between the names of a search and those of its training function: rate and tau to learning rate and weight decay."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from hpsearch.contract import EPOCHS, Config
from hpsearch.space.coordinate_spec import CoordinateSpec, Role
from hpsearch.space.coordinates import Run, lr_of, tau_of, weight_decay_of
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number


@dataclass(frozen=True)
class Quantities:
    """The hyperparameters of one run, its coordinates, and what follows from them; None where it is not known.

    ``ratio``  lr / weight_decay, along which a scale-invariant network hardly changes (post 5 of the series)
    ``noise``  scale of the gradient noise under SGD, rate times examples (S. Smith and Q. Le 2018)
    Without weight decay, tau and ratio are infinite.
    """

    lr: float | None
    weight_decay: float | None
    batch_size: float | None
    momentum: float | None
    rate: float | None
    tau: float | None
    ratio: float | None
    noise: float | None


@dataclass(frozen=True)
class Translation:
    """Reads the configurations of a space, where ``spec`` says what their names mean and what else is known of a run.

    A role that a configuration does not have is taken from the reference. ``keep`` is what stays when a run is shorter
    than the full one: the time in which the decay forgets, as a share of the run, or the weight decay itself.
    """

    spec: CoordinateSpec
    keep: Literal["tau", "weight_decay"] = "tau"

    @classmethod
    def of(cls, space: Space) -> Self:
        """Return the translation of the configurations of ``space``."""
        spec, fidelity = space.coordinates, space.fidelity
        if fidelity is None:
            return cls(spec)
        full = spec.epochs or fidelity.full  # where nobody says how long a run is otherwise
        return cls(spec.model_copy(update={"epochs": full}), fidelity.keep)

    def for_function(self, config: Config, epochs: int | None = None) -> Config:
        """Return what the training function is given: learning rate and weight decay in the place of rate and tau.

        ``epochs`` is the length of the run where that is not the function's own: with ``keep`` tau, the weight decay is
        larger in a shorter run by as much as it is shorter. A ``config`` of a study that knows nothing of coordinates
        comes back as it is. Raises ValueError where the run is not known well enough, which ``coordinate_problems``
        finds before anything runs.
        """
        spec = self.spec
        if epochs is not None and spec.epochs is not None and self.keep == "tau":
            config = self._shortened(config, spec.epochs / epochs)
        if spec.optimizer is None or not config.keys() & {spec.rate, spec.tau}:
            return config
        found = self.quantities(config, epochs if self.keep == "tau" else None)
        if found.lr is None or (spec.tau in config and found.weight_decay is None):
            raise ValueError("too little is known of the run for rate and tau")
        raw = {spec.rate: (spec.lr, found.lr), spec.tau: (spec.weight_decay, found.weight_decay or 0.0)}
        return dict(raw.get(name, (name, value)) for name, value in config.items())

    def _shortened(self, config: Config, factor: float) -> Config:
        """Return ``config`` with the weight decay of a run that is shorter by ``factor``, if it has that."""
        decay = self._role("weight_decay", config)
        if self.spec.tau in config or decay is None or factor == 1:
            return config
        return {**config, self.spec.weight_decay: decay * factor}

    def quantities(self, config: Config, epochs: int | None = None) -> Quantities:
        """Return what is known of a run with ``config``, of ``epochs`` epochs where that is given."""
        run = self.run(config, epochs)
        batch_size, momentum = self._role("batch_size", config), self._role("momentum", config)
        lr, rate = self._lr_and_rate(config, self._lr_per_rate(batch_size, momentum))
        decay, tau = self._decay_and_tau(config, rate, batch_size, run)
        ratio = None if lr is None or decay is None else _divided(lr, decay)
        noise = None if rate is None or run.examples is None or run.optimizer == "adamw" else rate * run.examples
        return Quantities(lr, decay, batch_size, momentum, rate, tau, ratio, noise)

    def run(self, config: Config, epochs: int | None = None) -> Run:
        """Return what is known of the run of ``config``, of ``epochs`` epochs where that is given."""
        own = _number(config, EPOCHS) if epochs is None else epochs
        return self.spec.run if own is None else replace(self.spec.run, epochs=own)

    def _role(self, role: Role, config: Config) -> float | None:
        name: str = getattr(self.spec, role)
        return _number(config, name) if name in config else self.spec.reference.get(role)

    def _lr_per_rate(self, batch_size: float | None, momentum: float | None) -> float | None:
        """Return lr / rate, None where that is not known or there is none."""
        if self.spec.optimizer is None or batch_size is None or batch_size <= 0:
            return None
        if self.spec.optimizer == "adamw":
            return lr_of(1.0, batch_size, 0.0, self.spec.run)  # whatever the momentum is
        return None if momentum is None or momentum >= 1 else lr_of(1.0, batch_size, momentum, self.spec.run)

    def _lr_and_rate(self, config: Config, lr_per_rate: float | None) -> tuple[float | None, float | None]:
        rate = _number(config, self.spec.rate)
        if rate is not None:
            return (None if lr_per_rate is None else rate * lr_per_rate), rate
        lr = self._role("lr", config)
        return lr, (None if lr is None or lr_per_rate is None else lr / lr_per_rate)

    def _decay_and_tau(
        self, config: Config, rate: float | None, batch_size: float | None, run: Run
    ) -> tuple[float | None, float | None]:
        tau, decay = _number(config, self.spec.tau), self._role("weight_decay", config)
        if rate is None or batch_size is None or run.seen is None:
            return (decay if tau is None else None), tau
        if tau is not None:
            return weight_decay_of(rate, tau, batch_size, run), tau
        return decay, (None if decay is None else float(tau_of(rate, decay, batch_size, run)))


def _number(config: Config, name: str | None) -> float | None:
    value = None if name is None else config.get(name)
    return float(value) if is_number(value) else None


def _divided(lr: float, decay: float) -> float:
    return lr / decay if decay else math.inf
