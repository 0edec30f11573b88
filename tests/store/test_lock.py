"""One driver per study, across processes."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.errors import StudyError
from hpsearch.store.lock import is_locked
from hpsearch.store.reader import list_studies, open_study
from hpsearch.store.writer import StudyWriter

from .examples import make_space

HOLD = """
import sys, time
from pathlib import Path
from hpsearch.store.writer import StudyWriter
with StudyWriter.open(Path(sys.argv[1]), "s"):
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_second_driver_is_told_who_the_first_is_until_that_is_gone(tmp_path: Path) -> None:
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()
    assert not is_locked(tmp_path / "s")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StudyError) as raised:
            StudyWriter.open(tmp_path, "s")
        assert f"in use by process {other.pid} on {platform.node()}" in str(raised.value)
        assert open_study(tmp_path, "s").running  # reading needs no lock
        assert list_studies(tmp_path)[0].running
        other.send_signal(signal.SIGKILL)
    assert not open_study(tmp_path, "s").running
    StudyWriter.open(tmp_path, "s").close()


def test_the_same_process_cannot_open_a_study_twice_either(tmp_path: Path) -> None:
    first = StudyWriter.create(tmp_path, "s", make_space(), {})
    with first, pytest.raises(StudyError, match=f"process {os.getpid()}"):
        StudyWriter.open(tmp_path, "s")
    StudyWriter.open(tmp_path, "s").close()


def test_a_damaged_study_is_not_left_locked(tmp_path: Path) -> None:
    StudyWriter.create(tmp_path, "s", make_space(), {}).close()
    (tmp_path / "s" / "pending.json").write_text("{")
    with pytest.raises(StudyError):
        StudyWriter.open(tmp_path, "s")
    assert not is_locked(tmp_path / "s")
