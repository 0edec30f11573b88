"""What learning rate, weight decay, batch size and momentum amount to in one run: time scales, rotation, noise.

They hold for a weight tensor that is followed by a norm, so that its scale does not change the loss, while the learning
rate stays at its peak and gradients are uncorrelated; training departs from that. The theory is in ``weight_decay``.
"""

from dataclasses import dataclass

from hpsearch.analysis.weight_decay import equilibrium_rotation, relaxation_steps
from hpsearch.space.coordinates import Raw, Run, to_coordinates


@dataclass(frozen=True)
class Figures:
    """The figures of one run; time scales in steps, at the peak learning rate, infinite without weight decay.

    ``tau``        time in which the decay forgets, as a share of the run; ``tau_mean`` at the mean learning rate
    ``rotation``   radians per step by which a weight tensor turns in equilibrium
    ``memory``     steps in which its direction forgets a gradient
    ``relaxation``  steps in which its norm comes e times nearer to equilibrium
    ``momentum``   steps that the momentum averages over
    ``noise``      scale of the gradient noise, eta D / ((1 - rho) N) (S. Smith, Q. Le, 2018); None for AdamW
    """

    steps: float
    steps_per_epoch: float
    rate: float
    tau: float
    tau_mean: float
    rotation: float
    memory: float
    relaxation: float
    momentum: float
    noise: float | None

    def epochs(self, steps: float) -> float:
        """Return how many epochs so many ``steps`` are."""
        return steps / self.steps_per_epoch


def figures_of(raw: Raw, run: Run, schedule_mean: float) -> Figures:
    """Return the figures of a run whose mean learning rate is ``schedule_mean`` of its peak.

    Raises ValueError where the length of the run is not known.
    """
    if run.examples is None or run.epochs is None:
        raise ValueError("the figures need the number of training examples and of epochs")
    point, per_epoch = to_coordinates(raw, run), run.examples / raw.batch_size
    return Figures(
        steps=per_epoch * run.epochs,
        steps_per_epoch=per_epoch,
        rate=point.rate,
        tau=point.tau,
        tau_mean=point.tau / schedule_mean,
        rotation=rotation(raw, run),
        memory=point.tau * per_epoch * run.epochs,
        relaxation=float(relaxation_steps(run.optimizer, raw.lr, raw.weight_decay, raw.momentum)),
        momentum=1 / (1 - raw.momentum),
        noise=None if run.optimizer == "adamw" else point.rate * run.examples,
    )


def rotation(raw: Raw, run: Run) -> float:
    """Return the root mean square angle (radians) between a weight tensor before and after a step in equilibrium.

    0 without weight decay: the tensor turns ever less as it grows.
    """
    if raw.weight_decay == 0:
        return 0.0
    return float(equilibrium_rotation(run.optimizer, raw.lr, raw.weight_decay, raw.momentum))
