import pytest
import torch

from hpsearch.devices import check_kernels
from hpsearch.errors import DeviceError
from trainer.precision import autocast, choose, cpu_precisions, find_device, gpu_precisions
from trainer.recipe import Precision

CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
CUDA_12_6 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]


@pytest.mark.parametrize(
    ("wanted", "flags", "chosen"),
    [
        ("fp32", {"avx512_bf16"}, "fp32"),
        ("bf16", {"avx512_bf16"}, "bf16"),
        ("fp16", {"avx512_bf16"}, "bf16"),
        ("fp16", {"amx_bf16", "avx2"}, "bf16"),
        ("bf16", {"avx2", "avx512f"}, "fp32"),
        ("fp16", set(), "fp32"),
    ],
)
def test_on_a_cpu(wanted: Precision, flags: set[str], chosen: str) -> None:
    precision, note = choose(wanted, cpu_precisions(frozenset(flags)), "cpu")
    assert precision == chosen
    assert (note is None) == (wanted == chosen)
    assert note is None or (wanted in note and chosen in note and "cpu" in note)


@pytest.mark.parametrize(
    ("wanted", "capability", "chosen"),
    [
        ("fp16", (7, 0), "fp16"),
        ("bf16", (7, 0), "fp16"),
        ("fp16", (9, 0), "fp16"),
        ("bf16", (9, 0), "bf16"),
        ("fp16", (5, 2), "fp32"),
    ],
)
def test_on_a_gpu(wanted: Precision, capability: tuple[int, int], chosen: str) -> None:
    assert choose(wanted, gpu_precisions(capability), "gpu")[0] == chosen


@pytest.mark.parametrize(
    ("capability", "architectures"),
    [
        ((7, 0), CUDA_12_6),
        ((8, 9), CUDA_13),  # machine code for 8.6 runs on 8.9
        ((9, 0), [*CUDA_13[:3], "sm_90a"]),
        ((12, 0), ["sm_80", "compute_80"]),  # compiled when it is first used
    ],
)
def test_a_gpu_with_kernels(capability: tuple[int, int], architectures: list[str]) -> None:
    check_kernels("GPU", capability, architectures)


@pytest.mark.parametrize(
    ("capability", "architectures"),
    [
        ((7, 0), CUDA_13),
        ((8, 0), ["sm_86"]),
        ((9, 0), ["sm_80", "sm_100"]),
        ((10, 0), ["sm_90a"]),
        ((7, 0), ["compute_80"]),
    ],
)
def test_a_gpu_without_kernels(capability: tuple[int, int], architectures: list[str]) -> None:
    with pytest.raises(DeviceError) as refusal:
        check_kernels("Tesla V100", capability, architectures)
    text = str(refusal.value)
    assert "no kernels for Tesla V100" in text
    assert f"{capability[0]}.{capability[1]}" in text
    assert "https://download.pytorch.org/whl/cu126" in text
    assert "docs/gpu.md" in text


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match="finds no GPU"):
        find_device("cuda")


def test_a_gpu_is_checked_when_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: CUDA_13)
    assert find_device("cpu") == torch.device("cpu")
    for name in ("auto", "cuda"):
        with pytest.raises(DeviceError, match="V100"):
            find_device(name)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_computes_in_the_precision(precision: Precision, dtype: torch.dtype) -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast(torch.device("cpu"), precision):
        assert layer(torch.ones(1, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32
