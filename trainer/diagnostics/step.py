"""A step of training in pieces, so that a profile can name each of them and an ablation leave one out."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from trainer.diagnostics.step_parts import AUGMENTATION, LOSS, OPTIMISER, Named


@dataclass(frozen=True)
class Step:
    """How a network is trained by one batch; steps are numbered from 0.

    ``device``  where all of it is computed
    ``network``  what is trained
    ``begin``  what is done once an epoch, before its steps
    ``batch``  number of the step -> inputs and labels, augmented and normalised
    ``clear``  number -> None: forgets the gradients
    ``predict``  inputs -> outputs of the network, in the number format of the training
    ``loss``  outputs and labels -> the scalar whose gradient is taken
    ``update``  number -> None: moves the parameters
    ``epoch_steps``  steps of an epoch
    ``period``  steps in which everything has happened equally often, such as an average of every fifth step
    """

    device: torch.device
    network: nn.Module
    begin: Callable[[], None]
    batch: Callable[[int], tuple[Tensor, Tensor]]
    clear: Callable[[int], None]
    predict: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    update: Callable[[int], None]
    epoch_steps: int = 1
    period: int = 1

    def take(self, number: int, named: Named = nullcontext) -> None:
        """Train on one batch; ``named`` is told of the phases."""
        with named(AUGMENTATION):
            inputs, labels = self.batch(number)
        self.clear(number)
        outputs = self.predict(inputs)
        with named(LOSS):
            loss = self.loss(outputs, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        with named(OPTIMISER):
            self.update(number)


def seconds(step: Step, steps: int) -> float:
    """Return the time of a step with its share of an epoch's beginning, taken over ``steps`` after one more.

    On a CPU it is the median over periods, which a busy moment of the machine leaves alone. A GPU is not waited for
    before the last step, for training does not wait either.
    """
    step.take(0)
    stretch = step.period if step.device.type == "cpu" else steps
    taken = median(_mean_seconds(step, range(at, at + stretch)) for at in range(0, steps, stretch))
    return taken + seconds_of_beginning(step)


def _mean_seconds(step: Step, numbers: range) -> float:
    began = clock(step.device)
    for number in numbers:
        step.take(number)
    return (clock(step.device) - began) / len(numbers)


def seconds_of_beginning(step: Step) -> float:
    """Return the time of what is done once an epoch, divided among its steps."""
    began = clock(step.device)
    step.begin()
    return (clock(step.device) - began) / step.epoch_steps


def clock_name(device: torch.device) -> str:
    """Return what tells the time of a step on ``device``.

    ``processor``  processor time, where one thread of a CPU computes: other work on the machine leaves it alone
    ``wall``  wall time, where several do, for some of them wait for others
    ``device``  wall time until a GPU has done all it was given
    """
    if device.type != "cpu":
        return "device"
    return "processor" if torch.get_num_threads() == 1 else "wall"


def clock(device: torch.device) -> float:
    """Return the time by ``clock_name``, in seconds since some moment."""
    name = clock_name(device)
    if name == "device":
        torch.cuda.synchronize(device)
    return time.process_time() if name == "processor" else time.perf_counter()
