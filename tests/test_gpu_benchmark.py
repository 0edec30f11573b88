"""The GPU check, tiny and on a CPU: that all of it runs, what it needs, and that its checks can fail."""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import gpu, gpu_formats, gpu_recipes, gpu_step
from benchmarks.gpu_bench import RECIPES, TINY, Bench, attempt, good, summary
from trainer import loop
from trainer.data import Dataset
from trainer.optim.update import Update

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def bench() -> Bench:
    """Noise in the place of images, and all the time in the world."""
    rng = np.random.default_rng(0)
    sizes = {"train": TINY["train"], "test": TINY["test"]}
    images = {f"{split}_images": rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for split, n in sizes.items()}
    labels = {f"{split}_labels": rng.integers(0, 10, n) for split, n in sizes.items()}
    dataset = Dataset(**images, **labels, classes=tuple("0123456789"))
    made = Bench(dataset, CPU, tiny=True, end=time.perf_counter() + 3600)
    made.begin(1.0)
    return made


@pytest.fixture(scope="module")
def report(cifar_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole check; networks are traced by the compiler but not compiled, which takes minutes on a CPU."""
    file = tmp_path_factory.mktemp("check") / "check.json"
    compiler, threads = torch.compile, torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda network: compiler(network, backend="eager"))
        arguments = ["--data", str(cifar_folder), "--device", "cpu", "--tiny", "--json", str(file)]
        code = gpu.main(arguments)
    torch.set_num_threads(threads)
    found: dict[str, Any] = json.loads(file.read_text())
    errors = {name: part["traceback"] for name, part in found["parts"].items() if "traceback" in part}
    assert (code, errors) == (0, {})
    assert list(file.parent.iterdir()) == [file]
    return found


def test_the_file_says_where_its_figures_come_from(report: dict[str, Any]) -> None:
    assert report["versions"]["torch"] == torch.__version__
    assert report["hardware"]["cores"] >= 1
    assert (report["device"], report["tiny"], report["data"]) == ("cpu", True, "cifar10-jpeg75")
    assert list(report["parts"]) == ["formats", "recipes", "step", "packing"]
    assert all(part["seconds"] > 0 for part in report["parts"].values())


def test_formats_agree_and_what_a_cpu_has_not_is_named(report: dict[str, Any]) -> None:
    part = report["parts"]["formats"]
    assert part["formats"]["fp32"]["most_apart"] == 0
    assert part["formats"]["fp32"]["direction"] == pytest.approx(1)
    assert {line.split(",")[0] for line in part["left_out"]} >= {"fp16", "fp16_whole"}
    assert set(part["updates"]) == set(part["augmentation"]) == set(RECIPES)
    assert [one["weights_apart"] for one in part["same_seed_twice"].values()] == [0, 0, 0]


def test_recipes_are_run_in_turns_and_summed_up(report: dict[str, Any]) -> None:
    for one in report["parts"]["recipes"]["recipes"].values():
        seconds = [run["seconds"] for run in one["runs"]]
        assert one["n"] == len(seconds) == gpu_recipes.TINY_ROUNDS
        assert one["seconds"]["mean"] == pytest.approx(np.mean(seconds))
        assert one["seconds"]["std"] == pytest.approx(np.std(seconds, ddof=1))
        assert one["seconds"]["median"] == pytest.approx(np.median(seconds))
        speeds = [run["petaflop"] * 1e15 / run["seconds"] for run in one["runs"]]
        assert one["share_of_peak"] == pytest.approx(np.median(speeds) / one["peak_flops_per_second"])


def test_steps_are_compared_and_profiled(report: dict[str, Any]) -> None:
    part = report["parts"]["step"]
    assert "synchronisations, which only a GPU has" in part["left_out"]
    for one in part["recipes"].values():
        ways = one["steps"]["ways"]
        ratio = ways["plain_fp32"]["median_s"] / ways["ours"]["median_s"]
        assert one["steps"]["ratio_to_ours"]["plain_fp32"] == pytest.approx(ratio)
        assert {len(taken["all_s"]) for taken in ways.values()} == {gpu_step.ROUNDS}
        shares = [row["share"] for row in one["profile"]["top"]]
        assert shares == sorted(shares, reverse=True)
        assert len(shares) == gpu_step.ROWS
        assert 0 < sum(shares) <= 1
    assert part["recipes"][RECIPES[0]]["compiled"]["ratio"] > 0


def test_trials_side_by_side_are_counted(report: dict[str, Any]) -> None:
    part = report["parts"]["packing"]
    for k, one in part["side_by_side"].items():
        assert one["trials_per_minute"] == pytest.approx(60 * int(k) * part["trials_each"] / one["seconds"])
    assert list(part["side_by_side"]) == ["1", "2"]


def test_a_rule_that_does_nothing_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert good(gpu_formats.formats(bench))
    monkeypatch.setattr(Update, "step", lambda *_: None)
    result = gpu_formats.formats(bench)
    assert not good(result)
    assert len(result["updates"]["speed"]["unmoved"]) > 5


def test_crops_that_differ_are_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    right = gpu_formats.crop_and_flip_epoch
    monkeypatch.setattr(gpu_formats, "crop_and_flip_epoch", lambda *given: right(*given).roll(1, 0))
    found = gpu_formats.formats(bench)["augmentation"]
    assert not any(one["ok"] for one in found.values())


def test_a_format_far_from_fp32_is_found() -> None:
    first = torch.tensor([1.0, 0.0])
    reference = gpu_formats.Steps([2.3, 2.2], first, True, [])
    cases = {
        "equal": (reference, True),
        "first loss": (gpu_formats.Steps([2.33, 2.2], first, True, []), False),
        "later loss": (gpu_formats.Steps([2.3, 2.31], first, True, []), False),
        "direction": (gpu_formats.Steps([2.3, 2.2], torch.tensor([1.0, 0.5]), True, []), False),
        "infinite": (gpu_formats.Steps([2.3, 2.2], first, False, []), False),
        "unmoved": (gpu_formats.Steps([2.3, 2.2], first, True, ["head"]), False),
        "no number": (gpu_formats.Steps([2.3, float("nan")], first, True, []), False),
    }
    assert {name: gpu_formats._compared(steps, reference)["ok"] for name, (steps, _) in cases.items()} == {
        name: ok for name, (_, ok) in cases.items()
    }


def test_without_time_things_are_left_out(bench: Bench) -> None:
    bench.end = bench.until = time.perf_counter()
    result = gpu_step.step(bench)
    assert result == {"recipes": {}}
    assert {f"the steps of {name}" for name in RECIPES} <= set(bench.left_out)


def test_a_wait_in_every_step_is_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch warns of on a GPU, warned of here by hand: once an epoch it is let pass, once a step it is not."""
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda _: None)
    order, step = loop.shuffled, loop.train_step

    def waiting(work: Callable[..., Any]) -> Callable[..., Any]:
        def wait(*given: Any) -> Any:
            warnings.warn(gpu_step.SYNC, stacklevel=2)
            return work(*given)

        return wait

    monkeypatch.setattr(loop, "shuffled", waiting(order))
    found = gpu_step._synchronisations(bench, "speed", bench.split())
    assert (found["per_step"], found["epoch_of_2"], found["epoch_of_4"], found["ok"]) == (0, 1, 1, True)
    monkeypatch.setattr(loop, "train_step", waiting(step))
    found = gpu_step._synchronisations(bench, "speed", bench.split())
    assert (found["per_step"], found["epoch_of_2"], found["epoch_of_4"], found["ok"]) == (1, 3, 5, False)
    assert {Path(place.rpartition(":")[0]).name for place in found["places"]} == {"loop.py"}


def test_a_part_that_fails_is_recorded_and_the_others_go_on(
    cifar_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Bench) -> dict[str, Any]:
        raise ValueError("broken")

    parts = {"first": (broken, 0.5), "second": (lambda _: {"value": float("nan")}, 0.5)}
    monkeypatch.setattr(gpu, "PARTS", parts)
    file = tmp_path / "check.json"
    assert gpu.main(["--data", str(cifar_folder), "--device", "cpu", "--tiny", "--json", str(file)]) == 1
    found = json.loads(file.read_text())["parts"]
    assert found["first"]["error"] == "ValueError: broken"
    assert found["second"]["value"] is None


def test_a_run_that_does_not_fit_is_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds go on while a whole one fits; the first one may take more than the part's share, not more than is left."""
    monkeypatch.setattr(gpu_recipes, "ceiling", lambda *_: 1e12)
    monkeypatch.setattr(gpu_recipes, "_warm_up", lambda _, name: 5000.0 if name == "speed" else 1.0)
    made = {name: bench.recipe(name) for name in RECIPES}
    monkeypatch.setattr(bench, "recipe", made.__getitem__)
    bench.tiny, bench.until = False, time.perf_counter()
    found = gpu_recipes.recipes(bench)["recipes"]
    assert {name: one["n"] for name, one in found.items()} == {"post4_resnet9": 1, "post8_09_flip_test": 1}
    assert [line.split(":")[0] for line in bench.left_out] == ["speed"]


def test_good_looks_into_everything() -> None:
    assert good({"a": {"ok": True, "b": 1}, "c": [1]})
    assert not good({"a": {"b": {"ok": False}}})
    assert not good({"a": attempt(lambda: 1 // 0)})  # type: ignore[arg-type, return-value]


def test_one_value_has_no_deviation() -> None:
    assert summary([2.0]) == {"mean": 2.0, "std": None, "median": 2.0}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--device cpu" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "/nowhere"], "does not exist"),
        (["--data", "{data}", "--json", "/nowhere/check.json"], "--json"),
        (["--minutes", "0"], "positive"),
        (["--minutes", "nan"], "positive"),
    ],
)
def test_wrong_input_is_a_message(
    arguments: list[str], said: str, cifar_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(data=cifar_folder) for word in arguments]
    try:
        code = gpu.main(["--device", "cpu", "--tiny", *words])
    except SystemExit as refused:  # by argparse
        code = int(refused.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err


def test_it_needs_no_packages_of_the_search() -> None:
    blocked = ("ray", "optuna", "typer", "pandas", "scipy", "matplotlib", "sklearn", "rich")
    script = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({blocked!r}))
sys.argv = ["gpu", "--device", "cpu", "--tiny", "--data", "/nowhere"]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
