"""nbzero.release.reading: bounds that hold against files and servers that never end."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbzero.errors import ReleaseError
from nbzero.release import reading
from nbzero.release.manifest import Release


@pytest.mark.parametrize("most", [0, 1, 9, 10, 11, 1 << 22])
def test_a_file_is_read_to_one_byte_beyond_what_is_allowed(tmp_path: Path, most: int) -> None:
    path = tmp_path / "file"
    data = os.urandom(10)
    path.write_bytes(data)
    assert reading.read_file(path, most) == data[: most + 1]


def test_size_and_checksum_of_a_file_larger_than_a_piece(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * reading.CHUNK + 5))
    for most, size in ((1 << 30, 3 * reading.CHUNK + 5), (99, 100)):
        with reading.open_regular(path) as file:
            assert reading.size_and_sha256(file, most)[0] == size


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((ReleaseError, IsADirectoryError)):
        reading.read_file(path, 10)


@pytest.mark.parametrize("name", ["manifest.json", "archs/r1-mini.parquet"])
def test_a_release_whose_file_is_a_pipe_is_refused(release: Path, tmp_path: Path, name: str) -> None:
    for path in release.rglob("*"):
        if path.is_file():
            there = tmp_path / path.relative_to(release)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(ReleaseError, match=f"{name} is no regular file"):
        Release.open(tmp_path).table("archs/r1-mini.parquet")


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """Serves /endless (bytes without end), /stalled (a first byte and no more) and /short (ten bytes)."""
    seen = SimpleNamespace(sent=0, over=threading.Event())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            if self.path == "/short":
                self.wfile.write(b"0123456789")
            elif self.path == "/stalled":
                self.wfile.write(b"0")
                self.wfile.flush()
                seen.over.wait(20)
            else:
                self.write_without_end()

        def write_without_end(self) -> None:
            try:
                while not seen.over.is_set():
                    self.wfile.write(bytes(1 << 16))
                    seen.sent += 1 << 16
            except OSError:  # the reader has gone
                pass

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        seen.url = f"http://127.0.0.1:{made.server_port}"
        yield seen
        seen.over.set()
        made.shutdown()


def test_a_server_without_end_is_read_to_the_bound(server: SimpleNamespace) -> None:
    assert len(reading.read_url(server.url + "/endless", 1 << 20)) == (1 << 20) + 1
    server.over.wait(0.2)
    assert server.sent < 1 << 26  # what the sockets hold, and not gigabytes


def test_a_server_that_stalls_is_an_error(server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STALL_S", 0.5)
    with pytest.raises(ReleaseError, match=r"/stalled sent nothing for \d+ seconds; check the address"):
        reading.read_url(server.url + "/stalled", 100)


def test_a_url_is_read_to_its_end(server: SimpleNamespace) -> None:
    assert reading.read_url(server.url + "/short", 10) == b"0123456789"
    assert reading.read_url(server.url + "/short", 4) == b"01234"
