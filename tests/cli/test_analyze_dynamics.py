"""``hpsearch analyze dynamics``: what it prints, draws and refuses."""

import json
import re
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.cli.analyze_dynamics import OF_ONE, Picture
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import PendingTrial, Status
from tests.analysis.traced_studies import Traced, write
from tests.cli.command import hpsearch, space_file
from tests.store.examples import make_reports, make_space, make_trial, run_trial

DECAYS, RATIOS = (0.003, 0.03), (10.0, 100.0, 1000.0)


def plane():
    """Runs over decay and ratio at a momentum of 0.9, two of each; one diverged and is not compared."""
    pairs = [(decay, ratio) for decay in DECAYS for ratio in RATIOS for _ in range(2)]
    rates = [((decay * ratio / 10) ** 0.5, (decay / ratio / 10) ** 0.5) for decay, ratio in pairs]
    done = [
        Traced({"lr": lr, "weight_decay": wd}, lr=lr, weight_decay=wd, accuracy=(0.5, 0.6 + 0.001 * place))
        for place, (lr, wd) in enumerate(rates)
    ]
    return [*done, Traced({"lr": 9.0, "weight_decay": 1.0}, status=Status.DIVERGED)]


def reset():
    scales = (0.25, 1.0, 4.0)
    return [Traced({"model.weight_scale": scale}, scale=scale, every=4, accuracy=(0.4, 0.5)) for scale in scales]


def lars():
    names = ("sgd_nesterov", "lars") * 3
    return [Traced({"optimizer.name": n}, rule=n, weight_decay=0.0 if n == "lars" else 5e-3, lr=0.03) for n in names]


@pytest.fixture
def analyze(tmp_path, in_process):
    """Write a study of these trials and analyse it."""

    def run(trials, *options):
        write(tmp_path, trials)
        return in_process("analyze", "dynamics", "s", "--results", tmp_path, *options)

    return run


def row(text, name):
    """The cells of a row in the first table that has it."""
    return re.findall(rf"^{re.escape(name)} .*$", text, re.M)[0].split()


def test_one_trial_tensor_by_tensor(analyze):
    done = analyze(reset(), "--trial", 1)
    assert done.returncode == 0, done.stderr
    assert "trial 00001 (completed, val_accuracy 0.5 at the end): model.weight_scale=1" in done.stdout
    norms, rotations = done.stdout.split("rotation per step")
    assert re.search(r"norms by theory \(steps; about (19|20)\d an epoch\)", norms)
    first, last, balance = map(float, row(norms, "block1.conv.weight")[1:4])
    assert first == 5.0 and last == pytest.approx(balance, rel=0.1)
    measured, predicted, ratio = map(float, row(rotations, "block1.conv.weight")[1:4])
    assert measured / predicted == pytest.approx(ratio, abs=0.02) and ratio == pytest.approx(1, abs=0.1)
    assert re.search(r"median ratio of 3 tensors: (0\.9|1\.0)\d \(.*\), as predicted \(0\.9 to 1\.1\)\n", done.stdout)
    assert "head.weight" not in norms and "not in the tables, as theory says nothing of them:\n  1 " in done.stdout
    assert "between trials" not in done.stdout and "initial weights" not in done.stdout


def test_without_a_trial_it_is_the_best_one_and_then_all(analyze):
    done = analyze(plane())
    assert done.returncode == 0, done.stderr
    assert "traced  13 trials of 13" in done.stdout
    assert "trial 00011 (completed, val_accuracy 0.611 at the end)" in done.stdout
    assert "00011, the best of them; --trial ID shows another" in done.stdout
    assert "12 full runs of sgd_nesterov with weight decay; left out: 1 diverged" in done.stdout
    shares = row(done.stdout, "effective lr")[2:]
    alone, adds = int(shares[0].rstrip("%")), int(shares[2].rstrip("%"))
    assert alone > 90 and adds < 10
    assert "ratios up to 2.0 decades apart" in done.stdout


def test_lars_and_sgd_side_by_side(analyze):
    done = analyze(lars())
    assert re.search(r"val_accuracy at the end \(runs\): lars 0\.6 \(3\), sgd_nesterov 0\.6 \(3\)", done.stdout)
    assert "agree within the noise" in done.stdout
    assert "rotation per step in the last third (rms): lars / sgd_nesterov " in done.stdout
    assert "3 full runs of sgd_nesterov with weight decay; left out: 3 without weight decay" in done.stdout


def test_all_rules_of_the_compared_trials_are_named(analyze):
    trials = [replace(one, rule=rule) for one, rule in zip(plane(), ("sgd", "sgdw") * 6, strict=False)]
    assert "12 full runs of sgd, sgdw with weight decay\n" in analyze(trials).stdout


@pytest.mark.parametrize(
    ("factor", "words"), [(1.3, "more than predicted (above 1.1)"), (0.8, "less than predicted (below 0.9)")]
)
def test_the_verdict_names_the_band_that_rotations_are_out_of(analyze, in_process, tmp_path, factor, words):
    analyze(reset())
    file = tmp_path / "s" / "dynamics" / "trial-00001.parquet"
    table = pq.read_table(file)
    place = table.schema.get_field_index("rotation")
    turned = pa.array(factor * table["rotation"].to_numpy(), pa.float32())
    pq.write_table(table.set_column(place, table.schema.field(place), turned), file)
    done = in_process("analyze", "dynamics", "s", "--results", tmp_path, "--trial", 1)
    assert re.search(rf"median ratio of 3 tensors: {factor}\d .*, {re.escape(words)}\n", done.stdout)


def test_while_a_study_runs_those_under_way_are_counted(in_process, tmp_path):
    write(tmp_path, [Traced({"lr": 0.2})])
    options = ("analyze", "dynamics", "s", "--results", tmp_path)
    with StudyWriter.open(tmp_path, "s") as writer:
        assert "traced  1 trial of 1\n" in in_process(*options).stdout
        for number in (1, 2):
            writer.started(PendingTrial(number, {"lr": 0.1}, number))
        assert "traced  1 trial of 1 that ended; 2 under way\n" in in_process(*options).stdout
    assert "traced  1 trial of 1\n" in in_process(*options).stdout, "they were interrupted"


def test_when_lengths_have_merged(analyze):
    done = analyze(reset())
    measured, predicted, ratio = map(float, row(done.stdout.split("initial weights")[1], "block2.conv.weight")[1:4])
    assert measured / predicted == pytest.approx(ratio, abs=0.01)
    assert ratio == pytest.approx(1, abs=0.05)
    assert "val_accuracy at the end: x0.25: 0.5 (1), x1: 0.5 (1), x4: 0.5 (1)" in done.stdout


def test_the_same_as_json(analyze, in_process, tmp_path):
    found = json.loads(analyze(reset(), "--json").stdout)
    assert found.keys() == {"study", "trial", "collapse", "lars", "merging"}
    assert [layer["name"] for layer in found["merging"]["settings"][0]["layers"]] == [
        "prep.conv.weight", "block1.conv.weight", "block2.conv.weight",
    ]  # fmt: skip
    alone = json.loads(
        in_process("analyze", "dynamics", "s", "--results", tmp_path, "--json", "--trial", "00002").stdout
    )
    assert alone.keys() == {"study", "trial"} and alone["trial"]["trial_id"] == "00002"


@pytest.mark.parametrize(
    ("picture", "trials"),
    [("norms", reset), ("rotation", reset), ("merging", reset), ("collapse", plane), ("plane", plane), ("lars", lars)],
)
def test_every_picture(analyze, tmp_path, picture, trials):
    done = analyze(trials(), "--picture", picture, "--plot", tmp_path / "one.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert f"picture in {tmp_path / 'one.png'}" in done.stderr.replace("\n", "")


def test_each_picture_has_a_test():
    (mark,) = test_every_picture.pytestmark
    assert {name for name, _ in mark.args[1]} == {picture.value for picture in Picture}


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("merging", "several scales"),
        ("lars", "under LARS without weight decay and under SGD with it"),
        ("colapse", "'collapse'"),
    ],
)
def test_a_picture_of_what_is_not_there_is_refused(analyze, tmp_path, picture, words):
    done = analyze([reset()[0]], "--picture", picture, "--plot", tmp_path / "one.png")
    assert done.returncode == 2
    assert words in done.stderr and "--picture" in done.stderr
    assert done.stdout == "", "nothing but what is wrong"
    assert not (tmp_path / "one.png").exists()


@pytest.mark.parametrize("picture", ["collapse", "plane", "rotation"])
def test_where_there_is_no_picture_it_is_the_option_that_is_wrong(analyze, tmp_path, picture):
    done = analyze([Traced({"lr": 0.2}, weight_decay=0.0)], "--picture", picture, "--plot", tmp_path / "one.png")
    assert done.returncode == 2 and done.stdout == ""
    assert "there is no picture" in done.stderr and "key      --picture" in done.stderr


def test_a_picture_without_a_file_is_refused(analyze):
    done = analyze(reset(), "--picture", "norms")
    assert done.returncode == 2 and done.stdout == ""
    assert "--picture" in done.stderr and "add --plot FILE" in done.stderr


@pytest.mark.parametrize("picture", sorted({*Picture} - {*OF_ONE}))
def test_a_picture_of_all_trials_is_not_one_of_one(analyze, tmp_path, picture):
    done = analyze(reset(), "--trial", 1, "--picture", picture, "--plot", tmp_path / "one.png")
    assert done.returncode == 2 and done.stdout == ""
    assert "this picture is of all trials" in done.stderr and "norms, rotation" in done.stderr


@pytest.mark.parametrize("options", [(), ("--picture", "rotation")])
def test_one_trial_is_drawn_where_it_is_asked_for(analyze, tmp_path, options):
    done = analyze(reset(), "--trial", 1, *options, "--plot", tmp_path / "one.svg")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.svg").exists()


def test_an_untraced_study_says_how_to_trace(in_process, tmp_path):
    with StudyWriter.create(tmp_path, "s", make_space(), {}) as writer:
        reports = make_reports([1.0])
        run_trial(writer, make_trial(0, reports), reports)
    done = in_process("analyze", "dynamics", "s", "--results", tmp_path)
    assert done.returncode == 2
    assert "no trial of the study was traced" in done.stderr
    assert "trace: {every: 10, layers: all}" in done.stderr


def test_an_unknown_trial_is_refused(analyze):
    done = analyze(reset(), "--trial", 7)
    assert done.returncode == 2
    assert "no traced trial of the study has this id" in done.stderr and "00000, 00001, 00002" in done.stderr


def test_a_trial_that_diverged_is_told_apart_from_what_came_before(analyze):
    done = analyze([Traced({"lr": 0.2}, status=Status.DIVERGED), Traced({"lr": 0.2})], "--trial", 0)
    assert done.returncode == 0, done.stderr
    assert "trial 00000 (diverged)" in done.stdout


def test_only_trials_that_diverged(analyze):
    done = analyze([Traced({"lr": 0.2}, status=Status.DIVERGED)])
    assert done.returncode == 0, done.stderr
    assert "trial   00000, the first one; --trial ID shows another" in done.stdout
    assert "trial 00000 (diverged)" in done.stdout
    assert "nothing to compare: no traced trial of the study came to the end of a full run" in done.stderr


def test_a_table_of_another_version_is_refused_even_where_only_other_trials_have_it(analyze, in_process, tmp_path):
    analyze(reset())
    file = tmp_path / "s" / "dynamics" / "trial-00002.parquet"
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"table_version": b"99"}), file)
    options = ("analyze", "dynamics", "s", "--results", tmp_path)
    for more in ((), ("--json",), ("--picture", "merging", "--plot", tmp_path / "one.png")):
        done = in_process(*options, *more)
        assert done.returncode == 2
        assert "written by another version of hpsearch" in done.stderr
    assert in_process(*options, "--trial", 1).returncode == 0


def test_the_best_is_a_full_run_where_there_is_one(in_process, tmp_path):
    short = Traced({"lr": 0.2}, schedule=2, steps=200, accuracy=(0.4, 0.9))
    write(tmp_path, [short, Traced({"lr": 0.2})], fidelity={"epochs": [2, 4]})
    assert "00001, the best of them" in in_process("analyze", "dynamics", "s", "--results", tmp_path).stdout


def test_without_theory_merging_is_measured_only(analyze):
    trials = [replace(one, rule="adam", walk=True) for one in reset()]
    cells = row(analyze(trials).stdout.split("initial weights")[1], "block2.conv.weight")
    assert cells[1].isdigit() and cells[2:] == ["-", "-", "-"]


@pytest.mark.parametrize("trials", [plane, reset, lars])
def test_all_fits_a_terminal_of_80_columns(analyze, trials):
    done = analyze(trials())
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("trial 0")]
    assert [line for line in lines if len(line) > 80] == []


def test_from_a_space_that_traces_to_its_dynamics(tmp_path):
    """The whole way in processes of their own: training, store, analysis."""
    train = "{recipe: digits_quickstart, data: digits, trace: {every: 5, layers: [stages.*, head.*]}}"
    parameters = "{epochs: {type: constant, value: 2}, optimizer.name: {type: choice, values: [sgd_nesterov, lars]}}"
    blocks = {"train": train, "parameters": parameters, "sampler": "{name: grid}", "budget": "{trials: 2}"}
    space = space_file(tmp_path, "traced.yaml", **blocks)
    done = hpsearch("run", "--space", space, "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hpsearch analyze dynamics traced" in done.stdout
    rows = pd.read_parquet(tmp_path / "results" / "traced" / "dynamics")
    assert set(rows["step"] % 5) == {0} and set(rows["rule"]) == {"sgd_nesterov", "lars"}
    assert all(name.startswith(("stages.", "head.")) for name in rows["layer"])
    done = hpsearch("analyze", "dynamics", "traced", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "LARS without decay against SGD with decay" in done.stdout
