"""``hpsearch reproduce`` on digits, mostly in this process: what is stored, what is said, what is refused."""

import json
import signal
import sys
import threading

import pandas as pd
import pytest
import torch

from hpsearch.analysis.means import Published
from hpsearch.analysis.reproduction import summarise
from hpsearch.cli import app, reproduce_runs
from hpsearch.cli.reproduce_jobs import plan
from hpsearch.cli.reproduce_report import Report, facts, show
from hpsearch.store.recipe_runs import read
from tests.cli.command import start
from tests.store.recipe_run import make_run
from trainer import recipe
from trainer.peak import Peak

QUICK = ["digits_quickstart", "--epochs", 1, "--width", 16, "--device", "cpu", "--threads", 1]
FOLDER = "reproduce/digits_quickstart-w16-e1"
SCALE = "width 2 of 8, 1 of 8 epochs"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder, no measurement of the ceiling, torch's threads as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trainer.reproduce.measure", lambda *_: Peak(1e12, 2e12))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def hpsearch(monkeypatch, capsys):
    """Run a command in this process: exit code, output, errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hpsearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            app.main()
            sys.exit(0)
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_runs_are_stored_summarised_and_not_repeated(hpsearch, tmp_path):
    code, output, _ = hpsearch("reproduce", *QUICK, "--runs", 2)
    assert code == 0
    runs = read(tmp_path / "results" / FOLDER)
    assert [(run.seed, run.width, run.epochs, run.images, run.data) for run in runs] == [
        (0, 2, 1, 1437, "digits"),
        (1, 2, 1, 1437, "digits"),
    ]
    assert [run.share_of_peak for run in runs] == [run.flops_per_second / 2e12 for run in runs]
    assert runs[0].accuracy != runs[1].accuracy
    lines = output.splitlines()
    assert sum(line.startswith("  epoch 1/1") for line in lines) == 2
    for run in runs:
        assert any(f"seed {run.seed}: test accuracy {run.accuracy:.4f}" in line and SCALE in line for line in lines)
    assert f"scaled to {SCALE}" in output
    assert "not compared" in output

    code, output, _ = hpsearch("reproduce", *QUICK, "--runs", 3)
    assert "seeds 0, 1 are stored already" in output
    assert "run 1 of 1, seed 2" in output
    assert "runs        3" in output
    assert read(tmp_path / "results" / FOLDER)[:2] == runs


def test_again_repeats_and_counts_the_last(hpsearch, tmp_path):
    for _ in range(2):
        code, output, _ = hpsearch("reproduce", *QUICK, "--again", "--results", "elsewhere")
        assert code == 0
    first, second = read(tmp_path / "elsewhere" / FOLDER)
    assert (first.seed, first.accuracy) == (second.seed, second.accuracy)
    assert "runs        1;" in output


def test_another_recipe_of_the_same_name_is_another_recipe(hpsearch, tmp_path):
    own = recipe.load("digits_quickstart").to_yaml()
    (tmp_path / "own.yaml").write_text(own)
    options = ["own.yaml", *QUICK[1:]]
    assert hpsearch("reproduce", *options)[0] == 0
    (tmp_path / "own.yaml").write_text(own.replace("label_smoothing: 0.0", "label_smoothing: 0.1"))
    _, output, _ = hpsearch("reproduce", *options)
    assert "stored already" not in output
    assert "runs        1;" in output
    frame = pd.read_parquet(tmp_path / "results" / "reproduce" / "own-w16-e1" / "runs.parquet")
    assert frame["recipe"].nunique() == 2


@pytest.mark.parametrize("name", ["own", "own.recipe", "below/own.yaml", "./digits_quickstart"])
def test_runs_of_a_file_lie_among_the_results_whatever_its_name(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(recipe.load("digits_quickstart").to_yaml())
    for given in (name, str(file)):
        (job,) = plan([given], None, None, None, tmp_path / "results")
        assert job.folder == tmp_path / "results" / "reproduce" / file.stem
        assert job.folder.is_dir()


def test_runs_of_another_processor_are_not_those_of_this_one(hpsearch, tmp_path, monkeypatch):
    hpsearch("reproduce", *QUICK)
    elsewhere = {**reproduce_runs._provenance(), "cpu": "another"}
    monkeypatch.setattr(reproduce_runs, "_provenance", lambda: elsewhere)
    _, output, _ = hpsearch("reproduce", *QUICK)
    assert "stored already" not in output
    assert "runs        1;" in output
    assert len(read(tmp_path / "results" / FOLDER)) == 2


def test_json_is_all_that_is_printed(hpsearch, tmp_path):
    code, output, errors = hpsearch("reproduce", *QUICK, "--json")
    (summary,) = json.loads(output)
    assert json.loads((tmp_path / "results" / FOLDER / "summary.json").read_text()) == summary
    assert code == 0
    assert (summary["scale"], summary["n"], summary["published"]) == (SCALE, 1, None)
    assert summary["accuracy"]["std"] is None
    assert "epoch 1/1" in errors


def test_a_diverged_run_does_not_end_the_others(hpsearch, tmp_path):
    text = recipe.load("digits_quickstart").to_yaml()
    (tmp_path / "wild.yaml").write_text(text.replace("loss_bound: 20.0", "loss_bound: 1.0e-9"))
    code, output, _ = hpsearch("reproduce", "wild.yaml", *QUICK, "--runs", 2)
    assert code == 0
    assert [run.diverged for run in read(tmp_path / "results" / "reproduce" / "wild-w16-e1")] == [True, True]
    assert "seed 1: diverged" in output
    assert "none: all runs diverged" in output
    table = output[output.rindex("recipe  ") :]
    assert table.count(SCALE) == 2


def test_the_time_that_is_left_is_said_after_an_epoch():
    assert reproduce_runs.estimate_line(90.0, 0) == "this run takes about 1 min 30 s"
    assert reproduce_runs.estimate_line(90.0, 2) == "this run takes about 1 min 30 s, with the 2 after it 4 min 30 s"


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    process = start("reproduce", *QUICK[:3], "--runs", 1000, "--threads", 1, "--device", "cpu", cwd=tmp_path)
    watchdog = threading.Timer(240, process.kill)
    watchdog.start()
    for line in process.stdout:
        if "run 3 of 1000" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130
    assert "finished runs are kept" in rest
    assert "Traceback" not in rest
    seeds = [run.seed for run in read(tmp_path / "results" / "reproduce" / "digits_quickstart-e1")]
    assert len(seeds) >= 2
    assert seeds == [*range(len(seeds))]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["post4_resnet", "digit_quickstart"], ["did you mean 'post4_resnet9'?", "did you mean 'digits_quickstart'?"]),
        (["digits_quickstart", "--runs", 0], ["--runs"]),
        (["digits_quickstart", "--width", 0], ["--width"]),
        (["digits_quickstart", "--width", 65], ["--width"]),
        (["digits_quickstart", "--epochs", 0], ["--epochs"]),
        (["digits_quickstart", "--seed", -1], ["--seed"]),
        (["digits_quickstart", "post4_resnet9", "--data", "nowhere"], ["does not exist", "nowhere"]),
        (["large.yaml"], ["batch_size", "2000", "2 to 1437"]),
        (["digits_quickstart", "large.yaml"], ["batch_size"]),
        (["wrong.yaml"], ["wrong.yaml", "label_smoothing", "2.0"]),
    ],
)
def test_what_is_wrong_is_said_before_anything_trains(hpsearch, tmp_path, arguments, says):
    text = recipe.load("digits_quickstart").to_yaml()
    (tmp_path / "large.yaml").write_text(text.replace("batch_size: 64", "batch_size: 2000"))
    (tmp_path / "wrong.yaml").write_text(text.replace("label_smoothing: 0.0", "label_smoothing: 2.0"))
    code, output, errors = hpsearch("reproduce", *arguments)
    assert code == 2
    assert output == ""
    assert "Traceback" not in errors
    for words in says:
        assert words in errors, errors
    assert not (tmp_path / "results").exists()


def test_a_folder_that_cannot_be_written_is_known_before(hpsearch, tmp_path):
    (tmp_path / "results").write_text("a file")
    code, output, errors = hpsearch("reproduce", *QUICK)
    assert (code, output) == (2, "")
    assert "cannot be written" in errors


def published(**changes):
    return Published(**{"accuracy": 0.9408, "std": 0.0015, "runs": 10, **changes})


def test_full_runs_are_compared_with_the_source():
    runs = [make_run(seed, accuracy) for seed, accuracy in enumerate([0.941, 0.939, 0.940])]
    said = facts(Report.of(summarise(runs, 0.94), published(), None))
    assert said["recipe"] == "example"
    assert said["accuracy"] == "0.9400 +- 0.0010, standard error 0.0006, median 0.9400"
    assert said["at 0.94"].startswith("2 of 3 runs (95% interval 21% to 94%), in 101.0 s")
    assert said["published"].startswith("agrees within the noise (difference -0.0008")
    assert "only 3 runs" in said["published"]
    assert said["published"].endswith("published: 0.9408")


def test_a_cpu_has_its_seconds_beside_the_wall_time():
    rows = {device: facts(Report.of(summarise([make_run(0, device=device)]), None, "")) for device in ("cpu", "a GPU")}
    assert rows["cpu"]["seconds"] == "100.0; CPU seconds per thread 95.0"
    assert rows["cpu"]["arithmetic"] == "2.7 PFLOP; 12,632 images/s, 28% of the measured peak"
    assert rows["a GPU"]["seconds"] == "100.0"
    assert rows["a GPU"]["arithmetic"] == "2.7 PFLOP; 12,000 images/s, 27% of the measured peak"


def test_runs_on_lossy_copies_are_not_compared(cifar_folder, tmp_path):
    full, small, plain = (
        plan(["post4_resnet9"], data, width, None, tmp_path)[0]
        for data, width in ((cifar_folder, None), (cifar_folder, 8), (None, None))
    )
    assert full.alone == "not compared with the published 0.9408: these images are lossy copies (JPEG)"
    assert "width 8 of 64 and these images are lossy" in small.alone
    assert (full.target, full.published, small.target) == (None, None, None)
    assert (plain.target, plain.alone) == (0.94, None)
    rows = [make_run(0, 0.95)]  # stored with a target
    said = facts(Report.of(summarise(rows, full.target), full.published, full.alone))
    assert not [label for label in said if label.startswith("at ")]


def test_several_recipes_make_a_table(capsys):
    full = Report.of(summarise([make_run(0, 0.93), make_run(1, 0.931)], 0.94), published(), None)
    small = make_run(0, 0.61, name="small", width=8, target=None, reached=None)
    show([full, Report.of(summarise([small]), None, "not compared")], json=False)
    table = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    assert [row.split()[0] for row in table] == ["recipe", "example", "small,"]
    assert "0.9305 +- 0.0007  0.9408     0 of 2     100.5 +- 0.7  95.0 +- 0.0             2.7" in table[1]
    assert "small, scaled to width 8 of 64  1     0.6100" in table[2]
