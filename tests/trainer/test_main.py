import subprocess
import sys
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.final import load_model

QUICK = ["--recipe", "digits_quickstart", "--epochs", "2", "--device", "cpu", "--threads", "1"]


def test_prints_a_line_per_epoch(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    assert main([*QUICK, "--seed", "3", "--set", "lr=0.1", "--set", "augment.flip=true", "--save", str(file)]) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[1].startswith("data: digits")
    assert output[2] == "device: cpu"
    assert [line.split()[1] for line in output[3:]] == ["1/2", "2/2"]
    assert "val_accuracy" in output[3]
    assert "test_accuracy" not in output[3]
    assert "test_accuracy" in output[4]
    saved = load_model(file).recipe
    assert (saved.schedule.lr.peak, saved.augment.flip, saved.epochs) == (0.1, True, 2)


def test_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--full"]) == 0
    assert "val_" not in capsys.readouterr().out


def test_divergence_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--set", "lr=1e25"]) == 1
    assert "diverged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "digit_quickstart"], "did you mean 'digits_quickstart'"),
        ([*QUICK, "--set", "lr"], "KEY=VALUE"),
        ([*QUICK, "--set", "lr=fast"], "'fast'"),
        ([*QUICK, "--epochs", "0"], "epochs"),
        (["--recipe", "post4_resnet9", "--data", "nowhere"], "nowhere"),
        ([*QUICK, "--save", "no-folder/model.pt"], "no-folder/model.pt"),
        ([*QUICK, "--threads", "0"], "threads"),
        ([*QUICK, "--seed", "-1"], "seed"),
    ],
)
def test_wrong_input_is_a_message(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as refused:  # by argparse
        code = int(refused.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err


def test_runs_as_a_module_and_needs_no_search_packages() -> None:
    """The whole training works in a process in which the packages of the search cannot be imported."""
    blocked = ("ray", "optuna", "typer", "rich", "hpsearch.runners", "hpsearch.cli", "hpsearch.store")
    script = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({blocked!r}))
import trainer.objective
sys.argv = ["trainer", *{QUICK!r}, "--epochs", "1"]
runpy.run_module("trainer", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    assert "epoch 1/1" in done.stdout
