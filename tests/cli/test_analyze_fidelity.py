"""``hpsearch analyze fidelity``: what it prints, draws and refuses."""

import json
import re

import pytest

from hpsearch.analysis.rungs import full_runs, rungs
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Origin, Status
from tests.analysis.tied_studies import trial
from tests.store.examples import make_space

SHORT = [trial(n, n, 1 + 0.1 * n, schedule=2, epochs=2, train_seconds=1.0) for n in range(9)]
DIVERGED = [trial(9, 9, None, schedule=2, epochs=1, train_seconds=0.5, status=Status.DIVERGED)]
WELL = [0.30, 0.45, 0.40, 0.55, 0.60]


def longer(losses):
    """Full runs of the first settings."""
    kind = {"epochs": 8, "train_seconds": 4.0, "origin": Origin.PROMOTION}
    return [trial(20 + n, n, loss, **kind) for n, loss in enumerate(losses)]


@pytest.fixture
def analyze(tmp_path, in_process):
    """Write a study of these trials and analyse it."""

    def run(trials, *options, fidelity=(2, 8)):
        blocks = {"fidelity": {"epochs": list(fidelity)}} if fidelity else {}
        with StudyWriter.create(
            tmp_path, "s", make_space({"lr": {"type": "real", "low": 0, "high": 99}}, **blocks), {}
        ) as writer:
            for one in trials:
                writer.finished(one)
        return in_process("analyze", "fidelity", "s", "--results", tmp_path, *options)

    return run


def test_it_says_how_many_went_on_and_how_well_the_shorter_runs_rank(analyze, tmp_path):
    done = analyze([*SHORT, *DIVERGED, *longer(WELL)])
    assert done.returncode == 0, done.stderr
    assert "10, for the epochs of 7.38 full runs" in done.stdout  # (9 * 2 + 1 + 5 * 8) / 8
    assert re.search(r"^new ones +begin with 2 epochs$", done.stdout, re.M)
    found = rungs(open_study(tmp_path, "s"))[0].agreement
    row = re.search(r"^2 +9 +9 +1 +5 +1 +9\.5 s +(\S+) +(\S+) to (\S+) +5 settings", done.stdout, re.M)
    assert [float(text) for text in row.groups()] == pytest.approx([found.value, found.low, found.high], abs=0.005)
    assert re.search(r"^8 +5 +5 +0 +0 +0.3 +20 s *$", done.stdout, re.M)


def test_a_length_that_misleads_is_named(analyze):
    done = analyze([*SHORT, *longer([0.9 - 0.1 * n for n in range(8)])])
    assert "begin with 8 epochs; what 2 epochs say misleads: the interval lies below 0.5" in done.stdout


def test_before_enough_went_on_nothing_is_known(analyze):
    assert "not known before 4 settings have gone on" in analyze([*SHORT, *longer(WELL[:2])]).stdout


def test_json_has_the_same(analyze, tmp_path):
    data = json.loads(analyze([*SHORT, *longer(WELL)], "--json").stdout)
    study = open_study(tmp_path, "s")
    assert data["rungs"] == [rung.to_json() for rung in rungs(study)]
    assert data["full_runs"] == full_runs(study)


def test_it_draws_a_picture(analyze, tmp_path):
    done = analyze([*SHORT, *longer(WELL)], "--plot", tmp_path / "fidelity.svg")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "fidelity.svg").read_text()


@pytest.mark.parametrize(
    ("trials", "fidelity", "options", "says"),
    [
        (longer(WELL), None, [], ["all runs of the study are of full length", "fidelity: {epochs:"]),
        ([*SHORT[:2], *DIVERGED], (2, 8), [], ["too few runs have ended", "at least 3", "hpsearch resume s --results"]),
        (SHORT, (2, 8), ["--plot", "rungs.png"], ["no setting has a result at two lengths", "--plot"]),
        (SHORT, (2, 8), ["--plot", "rungs.jpg"], ["PNG or SVG", "rungs.jpg"]),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_remedy(analyze, trials, fidelity, options, says):
    done = analyze(trials, *options, fidelity=fidelity)
    assert done.returncode == 2
    for text in says:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
