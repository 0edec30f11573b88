import sys
from subprocess import CompletedProcess

import pytest

from hpsearch.cli.app import main


@pytest.fixture
def in_process(monkeypatch, capsys):
    """Run ``hpsearch`` in this process, which is quicker; the result is as that of ``command.hpsearch``."""

    def run(*arguments):
        words = ["hpsearch", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return CompletedProcess(words, ended.value.code or 0, captured.out, captured.err)

    return run
