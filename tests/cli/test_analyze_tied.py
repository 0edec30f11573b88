"""``hpsearch analyze tied``: what it prints, draws and refuses."""

import json
import re

import pytest

from hpsearch.analysis.tied import tied
from hpsearch.store.reader import open_study
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import Status
from tests.analysis.tied_studies import runs, trial
from tests.store.examples import make_space

RESULTS = [(1, 0.10), (2, 0.12), (3, 0.50), (1, 0.14), (2, 0.11), (4, 0.13), (3, 0.53)]
TRIALS = [*runs([*RESULTS, (5, 0.01)]), trial(8, 5, None, status=Status.DIVERGED)]


@pytest.fixture
def analyze(tmp_path, in_process):
    """Write a study of these trials and analyse it."""

    def run(trials, *options):
        space = make_space({"lr": {"type": "real", "low": 0, "high": 9}})
        with StudyWriter.create(tmp_path, "s", space, {}) as writer:
            for one in trials:
                writer.finished(one)
        return in_process("analyze", "tied", "s", "--results", tmp_path, *options)

    return run


def test_it_says_what_is_tied_and_what_is_no_choice(analyze, tmp_path):
    done = analyze(TRIALS)
    assert done.returncode == 0, done.stderr
    found = tied(open_study(tmp_path, "s"))
    best = f"{found.best.setting.config['lr']:g}"
    assert re.search(rf"^best +trial \d+, lr={best}: val_loss 0\.1\d+ \+- 0\.\d+ is to be expected", done.stdout, re.M)
    assert "3 settings, any of which may be the best; the other setting is shown to be worse (95%)" in done.stdout
    assert "lr=5: a run diverged, so it is no choice" in done.stdout
    marks = dict(re.findall(r"^(\d) .*(best|tied|diverged)", done.stdout, re.M))
    assert marks == {
        "5": "diverged",
        **{f"{one.setting.config['lr']:g}": "tied" for one in found.members},
        best: "best",
    }


def test_another_confidence_makes_another_set(analyze, in_process, tmp_path):
    surely = json.loads(analyze(TRIALS, "--json", "--confidence", 0.999).stdout)
    hardly = in_process("analyze", "tied", "s", "--results", tmp_path, "--json", "--confidence", 0.6)
    assert len(json.loads(hardly.stdout)["members"]) < len(surely["members"])
    assert surely["confidence"] == 0.999
    assert surely == json.loads(json.dumps(tied(open_study(tmp_path, "s"), 0.999).to_json()))


def test_it_draws_a_picture(analyze, tmp_path):
    done = analyze(TRIALS, "--plot", tmp_path / "tied.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tied.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("trials", "options", "says"),
    [
        (TRIALS[:2], [], ["too few full runs", "at least 3", "hpsearch resume s --results"]),
        (TRIALS[:3], [], ["none was run twice", "hpsearch resume s --results"]),
        (runs([(1, 0.1), (1, 0.2), (1, 0.3)]), [], ["fewer than two have a full run"]),
        (TRIALS, ["--confidence", 0.5], ["--confidence", "above 0.5, below 1"]),
        (TRIALS, ["--confidence", 95], ["--confidence", "above 0.5, below 1"]),
        (TRIALS, ["--plot", "tied.pdf"], ["--plot", "tied.pdf", ".png, .svg"]),
        (TRIALS, ["--plot", "no/such/folder/tied.png"], ["--plot", "cannot write the picture"]),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_remedy(analyze, trials, options, says):
    done = analyze(trials, *options)
    assert done.returncode == 2
    for text in says:
        assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelled_study_is_named(analyze, in_process, tmp_path):
    analyze(TRIALS)
    done = in_process("analyze", "tied", "ss", "--results", tmp_path)
    assert done.returncode == 2 and "did you mean 's'?" in done.stderr
