"""The profile of a step: its parts are all of its time, and the right ones."""

import time
from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import DeviceType

from tests.trainer.diagnostics_profile.plain_step import network, plain_step
from trainer.diagnostics.step import Step, clock
from trainer.diagnostics.step_parts import PARTS
from trainer.diagnostics.step_profile import divided, profile


@dataclass
class Kernel:
    duration: float


@dataclass
class Event:
    """An event of the profiler as far as it is looked at, in microseconds."""

    name: str
    self_cpu_time_total: float = 0.0
    cpu_parent: "Event | None" = None
    kernels: list[Kernel] = field(default_factory=list)
    device_type: DeviceType = DeviceType.CPU


def tree() -> list[Event]:
    step = Event("step: whole", 5.0)
    phase = Event("step: augmentation", 7.0, step)
    conv = Event("aten::conv2d", 1.0, step)
    cast = Event("aten::to", 2.0, conv)
    node = Event("autograd::engine::evaluate_function: NativeBatchNormBackward0", 3.0, step)
    return [
        step,
        phase,
        Event("aten::add", 11.0, phase),  # in a phase, whatever it is
        conv,
        cast,
        Event("aten::copy_", 13.0, cast, [Kernel(4.0)]),
        Event("aten::mkldnn_convolution", 17.0, Event("aten::convolution", 0.0, conv), [Kernel(100.0), Kernel(20.0)]),
        node,
        Event("aten::empty", 19.0, node),
        Event("aten::cat", 23.0, step, [Kernel(8.0)]),
        Event("a_kernel", 900.0, None, [], DeviceType.CUDA),
    ]


def test_time_goes_to_the_phase_or_to_the_nearest_caller_with_a_part() -> None:
    found = {part: round(1e6 * seconds) for part, seconds in divided(tree(), None).items() if seconds}
    expected = {"augmentation": 11, "convolution": 18, "casts": 15, "norm": 22, "other operators": 23, "host": 12}
    assert found == expected


def test_on_a_gpu_kernels_count_and_the_host_is_the_rest_of_the_wall() -> None:
    found = {part: round(1e6 * seconds) for part, seconds in divided(tree(), 200e-6).items() if seconds}
    assert found == {"convolution": 120, "casts": 4, "other operators": 8, "host": 68}


def test_the_parts_are_the_wall_time_of_a_step() -> None:
    step = plain_step(network())
    profile(step, 2)
    began = time.perf_counter()
    found = profile(step, 20)
    whole = time.perf_counter() - began
    assert list(found.parts) == list(PARTS)
    assert min(found.parts.values()) >= 0
    total = sum(found.parts.values())
    assert 0 < 20 * total <= whole
    wall = _wall(step)
    assert total > 0.2 * wall
    for part in ("convolution", "norm", "activation", "pooling", "linear", "loss", "optimiser", "augmentation", "host"):
        assert found.parts[part] > 0, part
    assert found.seconds > 0


def test_time_is_found_where_it_is_spent() -> None:
    """An operator that is made slow, and a pause outside of all operators, are seen where they are."""
    square = torch.randn(300, 300)

    def slow_loss(outputs: Tensor, labels: Tensor) -> Tensor:
        for _ in range(60):
            torch.mm(square, square)
        return F.cross_entropy(outputs, labels)

    def pausing(of: Step, number: int) -> None:
        time.sleep(0.02)
        of.network.zero_grad()

    plain = plain_step(network(), slow_loss)
    found = profile(Step(**{**vars(plain), "clear": lambda number: pausing(plain, number)}), 3).parts
    began = time.perf_counter()
    for _ in range(60):
        torch.mm(square, square)
    expected = time.perf_counter() - began
    assert found["loss"] > 0.2 * expected  # the machine may be busier at one time than at the other
    assert found["loss"] > 5 * max(found[part] for part in ("convolution", "linear", "norm"))
    assert 0.02 <= found["host"] < 0.2


def test_profiling_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    profile(plain_step(network()), 1)
    assert capfd.readouterr() == ("", "")


def _wall(step: Step) -> float:
    step.take(0)
    began = time.perf_counter()
    for number in range(20):
        step.take(number)
    clock(step.device)
    return (time.perf_counter() - began) / 20
