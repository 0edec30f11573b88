"""The ceiling of the device."""

import math
import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer import peak
from trainer.peak import bandwidth, convolution_flop, matmul_flop, measure

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_SIDE", {"cpu": 256})
    monkeypatch.setattr(peak, "_IMAGES", {"cpu": 2})
    measure.cache_clear()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_ceiling_is_a_speed(precision: peak.Precision) -> None:
    found = measure(CPU, precision)
    for speed in (found.matmul, found.convolution):
        assert 1e7 < speed < 1e15
        assert math.isfinite(speed)
    assert found.flops_per_second == max(found.matmul, found.convolution)


def test_no_work_of_the_same_kind_is_faster() -> None:
    """A product of known size, timed here, is not far above the ceiling; the slack is for other work on the machine."""
    a = torch.randn(256, 256)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    assert matmul_flop(256) / sorted(times)[10] < 20 * measure(CPU, "fp32").flops_per_second


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(CPU, "fp32")
    monkeypatch.setattr(peak, "_matmul", None)
    assert measure(CPU, "fp32") is found


def test_the_arithmetic_is_what_torch_counts() -> None:
    with FlopCounterMode(display=False) as counter:
        torch.mm(torch.randn(20, 20), torch.randn(20, 20))
    assert counter.get_total_flops() == matmul_flop(20)
    seen = []
    with FlopCounterMode(display=False) as counter, pytest.MonkeyPatch.context() as patch:
        patch.setattr(peak, "_least_seconds", lambda work, _: seen.append(work()) or 1.0)
        assert peak._convolution(CPU, torch.float32, 3) == convolution_flop(3)
    assert counter.get_total_flops() == convolution_flop(3)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_fastest_repeat_counts_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.01, 0.3, 0.2, 0.4, 9.0])
    monkeypatch.setattr(peak, "_timed", lambda *_: next(times))
    assert peak._least_seconds(lambda: None, CPU) == 0.2
    assert next(times) == 9.0  # 0.9 s are spent: no further repeat


def test_the_bandwidth_is_a_speed_and_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_COPIED", {"cpu": 2**22})
    bandwidth.cache_clear()
    found = bandwidth(CPU)
    assert 1e8 < found < 1e13
    monkeypatch.setattr(peak, "_least_seconds", None)
    assert bandwidth(CPU) == found
    bandwidth.cache_clear()


def test_the_bandwidth_counts_what_is_read_and_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_COPIED", {"cpu": 1000})
    copies = []
    monkeypatch.setattr(peak, "_least_seconds", lambda work, _: copies.append(work()) or 0.5)
    bandwidth.cache_clear()
    assert bandwidth(CPU) == 2 * 1000 / 0.5
    assert copies[0].eq(1).all()
    bandwidth.cache_clear()
