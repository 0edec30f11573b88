import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hpsearch.errors import DataError
from tests.data import making
from trainer.data.download import PrintedProgress, Remote, fetch

CONTENT = bytes(range(256)) * 10_000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path.startswith("/cut"):
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:-1])
        elif self.path.startswith("/endless"):
            self.end_headers()
            try:
                while True:
                    self.wfile.write(CONTENT)
            except OSError:  # the client hung up
                pass
        else:
            self.end_headers()
            self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def remote(server: str, path: str = "/file.bin") -> Remote:
    return making.remote(CONTENT, server + path)


def test_file_arrives_whole_with_progress(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    file = fetch(remote(server), tmp_path / "new" / "cache", lambda done, total: seen.append((done, total)))
    assert file == tmp_path / "new" / "cache" / "file.bin"
    assert file.read_bytes() == CONTENT
    assert [other.name for other in file.parent.iterdir()] == ["file.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen) and len(seen) > 1


def test_wrong_digest_keeps_nothing(server: str, tmp_path: Path) -> None:
    wrong = Remote(f"{server}/file.bin", "0" * 64, len(CONTENT))
    with pytest.raises(DataError, match="SHA-256 is wrong") as refused:
        fetch(wrong, tmp_path, lambda *_: None)
    assert making.remote(CONTENT).sha256 in str(refused.value) and "0" * 64 in str(refused.value)
    assert "--data" in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["/cut/file.bin", "/endless/file.bin", "/missing/file.bin"])
def test_bad_answers_keep_nothing(server: str, tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError) as refused:
        fetch(remote(server, path), tmp_path, lambda *_: None)
    assert f"{server}{path}" in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_no_server_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot download") as refused:
        fetch(Remote("http://127.0.0.1:9/file.bin", "0" * 64, 1), tmp_path)
    assert "refused" in str(refused.value) and "HPSEARCH_DATA" in str(refused.value)


def test_folder_that_cannot_be_made_is_an_error(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot download"):
        fetch(remote(server), tmp_path / "file" / "cache")


def test_interruption_keeps_nothing(server: str, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote(server), tmp_path, interrupt)
    assert not list(tmp_path.iterdir())


def test_two_downloads_at_once_both_succeed(server: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: fetch(remote(server), tmp_path, lambda *_: None), range(4)))
    assert {file.read_bytes() for file in files} == {CONTENT}
    assert [file.name for file in tmp_path.iterdir()] == ["file.bin"]


def test_progress_off_a_terminal_is_a_line_per_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PrintedProgress("file.bin")
    for done in range(0, 1_000_001, 1_000):
        progress(done * 170, 170_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"file.bin: {percent}% of 170 MB" for percent in range(0, 101, 10)]


def test_progress_in_a_terminal_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = PrintedProgress("file.bin")
    for done in range(201):
        progress(done, 200)
    text = capsys.readouterr().err
    assert text.count("\r") == 100 and text.endswith("100% of 0 MB\n")
