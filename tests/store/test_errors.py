"""Names that do not fit, files that are damaged, disks that are full: one clear StudyError each, nothing lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hpsearch.errors import StudyError
from hpsearch.store.names import check_name, default_name
from hpsearch.store.reader import list_studies, open_study
from hpsearch.store.writer import StudyWriter

from .examples import make_space, make_trial, run_trial


@pytest.fixture
def results(tmp_path: Path) -> Path:
    with StudyWriter.create(tmp_path, "wd_lr", make_space(), {}) as writer:
        run_trial(writer, make_trial(0))
    return tmp_path


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a\n", "\u00e9", "x" * 81])
def test_names_that_are_no_folder_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="--name"):
        StudyWriter.create(tmp_path, name, make_space(), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "wd_lr-2", "2025.03", "x" * 80, "_a", "-"])
def test_other_names_are_taken(tmp_path: Path, name: str) -> None:
    StudyWriter.create(tmp_path, name, make_space(), {}).close()
    assert open_study(tmp_path, name).name == name


def test_default_names_count_up_and_are_valid(tmp_path: Path) -> None:
    assert default_name(tmp_path, "wd_lr") == "wd_lr"
    (tmp_path / "wd_lr").mkdir()
    assert default_name(tmp_path, "wd_lr") == "wd_lr-2"
    (tmp_path / "wd_lr-2").mkdir()
    assert default_name(tmp_path, "wd_lr") == "wd_lr-3"
    for stem in ("my space", ".x", "..", "\u00e9", "y" * 200):
        check_name(default_name(tmp_path, stem))


def test_a_name_that_exists_is_refused_with_what_to_do(results: Path) -> None:
    with pytest.raises(StudyError, match=r"exists already(.|\n)*hpsearch resume wd_lr"):
        StudyWriter.create(results, "wd_lr", make_space(), {})
    assert len(open_study(results, "wd_lr").trials) == 1


@pytest.mark.parametrize("access", [open_study, StudyWriter.open])
def test_an_unknown_name_is_answered_with_the_names_there_are(
    results: Path, access: Callable[[Path, str], object]
) -> None:
    for name in ("wd_rl", "../wd_rl", ""):
        with pytest.raises(StudyError, match="allowed  wd_lr") as raised:
            access(results, name)
    with pytest.raises(StudyError, match="did you mean 'wd_lr'"):
        access(results, "wd_rl")
    with pytest.raises(StudyError, match="no studies yet") as raised:
        access(results / "absent", "x")
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("study.json", b""),
        ("study.json", b"[1]"),
        ("study.json", b"\xff\xfe"),
        ("study.json", b'{"schema_version": 1}'),
        ("study.json", b'{"schema_version": 1, "space": {"parameters": 3}}'),
        ("pending.json", b"{"),
        ("pending.json", b"[1]"),
        ("pending.json", b'{"a": 1}'),
        ("trials/part-00000.parquet", b""),
        ("trials/part-00000.parquet", b"PAR1 PAR1"),
        ("epochs/part-00000.parquet", b"PAR1 PAR1"),
    ],
)
def test_a_damaged_file_is_named(results: Path, file: str, content: bytes) -> None:
    path = results / "wd_lr" / file
    path.write_bytes(content)
    for access in (open_study, StudyWriter.open):
        with pytest.raises(StudyError) as raised:
            access(results, "wd_lr")
        assert raised.value.problems[0].file == path


@pytest.mark.parametrize("file", ["study.json", "pending.json", "trials/part-00000.parquet"])
def test_a_missing_file_is_named(results: Path, file: str) -> None:
    (results / "wd_lr" / file).unlink()
    with pytest.raises(StudyError) as raised:
        open_study(results, "wd_lr")
    assert raised.value.problems[0].file == results / "wd_lr" / file


def test_a_truncated_table_is_named_at_every_length(results: Path) -> None:
    path = results / "wd_lr" / "trials" / "part-00000.parquet"
    whole = path.read_bytes()
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        with pytest.raises(StudyError, match=r"part-00000\.parquet"):
            open_study(results, "wd_lr")


def test_another_version_is_refused(results: Path) -> None:
    file = results / "wd_lr" / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 2}))
    with pytest.raises(StudyError, match=r"another version(.|\n)*got      2\n  allowed  1"):
        StudyWriter.open(results, "wd_lr")


def test_the_list_goes_on_past_damaged_studies_and_other_folders(results: Path) -> None:
    StudyWriter.create(results, "broken", make_space(), {}).close()
    (results / "broken" / "study.json").write_text("{")
    StudyWriter.create(results, "headless", make_space(), {}).close()
    (results / "headless" / "study.json").unlink()
    (results / "notes").mkdir()
    (results / "README.md").write_text("text")
    entries = {entry.name: entry for entry in list_studies(results)}
    assert sorted(entries) == ["broken", "headless", "wd_lr"]
    assert entries["wd_lr"].problem is None
    assert entries["wd_lr"].counts == {"completed": 1}
    assert entries["wd_lr"].goal == "a goal"
    assert "study.json" in str(entries["broken"].problem)
    assert list_studies(results / "absent") == []


def test_results_that_are_a_file_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(StudyError, match="cannot be written"):
        StudyWriter.create(tmp_path / "results", "s", make_space(), {})


FULL = """
import resource, sys
from pathlib import Path
from hpsearch.errors import StudyError
from hpsearch.store.writer import StudyWriter
from hpsearch.trial import PendingTrial, FinishedTrial, Status
from datetime import datetime, UTC
now = datetime.now(UTC)
with StudyWriter.open(Path(sys.argv[1]), "wd_lr") as writer:
    pending = PendingTrial(1, {"lr": 0.1}, 7)
    writer.started(pending)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    try:
        writer.finished(FinishedTrial(1, {"lr": 0.1}, 7, Status.COMPLETED, 1.0, (), {}, 0, 0.0, now, now))
    except StudyError as error:
        print(error)
"""


def test_a_disk_that_is_full_is_a_clear_error_and_the_trial_stays_pending(results: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(results)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "the study cannot be written" in done.stdout
    assert "part-00000.parquet" in done.stdout
    with StudyWriter.open(results, "wd_lr") as writer:
        assert [trial.number for trial in writer.history] == [0]
        assert [trial.number for trial in writer.pending] == [1]


def test_numbers_that_json_does_not_know_are_refused_before_anything_is_written(results: Path) -> None:
    with StudyWriter.open(results, "wd_lr") as writer, pytest.raises(ValueError, match="JSON"):
        writer.update(best=float("nan"))
    assert "best" not in writer.record
    assert open_study(results, "wd_lr").name == "wd_lr"
