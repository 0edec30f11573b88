"""study.json says where the results come from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpsearch.store import provenance
from hpsearch.store.writer import StudyWriter

from .examples import make_space


def test_a_run_is_described_in_strict_json() -> None:
    run = provenance.collect(["hpsearch", "run"])
    assert json.loads(json.dumps(run, allow_nan=False)) == run
    assert run["command"] == ["hpsearch", "run"]
    assert run["versions"]["numpy"] == np.__version__
    assert run["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert run["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert run["hardware"]["memory_bytes"] > 2**28


def test_the_revision_is_that_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert provenance.collect([])["git"] is None
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], check=True)
    state = provenance.collect([])["git"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert state == {"commit": head, "dirty": False}
    (tmp_path / "file").write_text("2")
    assert provenance.git_state(tmp_path) == {"commit": head, "dirty": True}


def test_what_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    run = provenance.collect([])
    assert run["git"] is None
    assert run["versions"]["no-such-package"] is None
    assert run["hardware"]["gpus"] == []


def test_gpus_are_named_as_the_driver_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Tesla V100-SXM2-16GB, 16384 MiB, 550.54'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert provenance.hardware()["gpus"] == ["Tesla V100-SXM2-16GB, 16384 MiB, 550.54"]


def test_collecting_imports_no_heavy_package() -> None:
    code = (
        "import sys; from hpsearch.store import provenance; provenance.collect([]);"
        "print({'torch', 'ray', 'optuna'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_record_and_its_sessions_are_kept(tmp_path: Path) -> None:
    with StudyWriter.create(tmp_path, "s", make_space(), {"function": "m:f", "seeds": {"study": 3}}) as writer:
        writer.begin_session(["hpsearch", "run"])
        writer.end_session("all trials done")
    with StudyWriter.open(tmp_path, "s") as writer:
        writer.begin_session(["hpsearch", "extend"])
        writer.update(space=make_space(budget={"trials": 9}).dump())
    record = json.loads((tmp_path / "s" / "study.json").read_text())
    assert list(record)[:4] == ["schema_version", "name", "created_at", "space"]
    assert (record["function"], record["seeds"]) == ("m:f", {"study": 3})
    assert record["space"]["budget"]["trials"] == 9
    first, second = record["sessions"]
    assert (first["command"], first["reason"]) == (["hpsearch", "run"], "all trials done")
    assert 0 <= first["seconds"] < 60
    assert second["finished_at"] is second["reason"] is second["seconds"] is None
