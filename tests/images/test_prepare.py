"""nbzero.images.prepare: caches and downloads that are whole or not there, and the command."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from nbzero.errors import ImagesError
from nbzero.images.facts import DATASETS
from nbzero.images.prepare import download, main, prepare
from nbzero.images.tensors import load
from tests.disk import PowerCut
from tests.images.made import Made, one_label_byte


@one_label_byte
def test_a_failed_prepare_leaves_everything_as_it_was(
    tiny: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    source, out = tiny.write("files", tmp_path / "in"), tmp_path / "out"
    prepare("tiny", source, out)
    before = (out / "tiny.h5").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(h5py.Group, "create_dataset", full)
        with pytest.raises(
            ImagesError, match=r"tiny\.h5: cannot be written \(disk full\); free space or name another folder"
        ):
            prepare("tiny", source, out)
    assert [file.name for file in out.iterdir()] == ["tiny.h5"]
    assert (out / "tiny.h5").read_bytes() == before
    (source / "test.bin").unlink()
    with pytest.raises(ImagesError, match=r"test\.bin: missing"):
        prepare("tiny", source, tmp_path / "never")
    assert not (tmp_path / "never").exists()
    with pytest.raises(ImagesError, match="is a file; name a folder"):
        prepare("tiny", out / "tiny.h5", out / "tiny.h5")
    with pytest.raises(ImagesError, match=r"cannot be made .*; name another folder"):
        prepare("tiny", out / "tiny.h5", out / "tiny.h5" / "below")


@one_label_byte
def test_a_cache_outlives_a_power_cut(tiny: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny.write("files", tmp_path / "in")
    power = PowerCut(monkeypatch)
    prepare("tiny", source, tmp_path / "new" / "out")
    assert power.renamed == [tmp_path / "new" / "out" / "tiny.h5"] and power.gone == []


class Server(ThreadingHTTPServer):
    """Serves one file on the loopback; `fault` says how it misbehaves."""

    content = b""
    fault = ""
    ranges: bool = True
    requests: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        content, start = self.server.content, 0
        if self.server.fault == "absent":
            self.send_error(404)
            return
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            shown = start + 1 if self.server.fault == "other range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) // 2 if self.server.fault == "breaks off" else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tiny: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content, running.requests = tiny.archive, []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/tiny-binary.tar.gz"


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@one_label_byte
def test_a_download_that_breaks_off_is_resumed(tiny: Made, server: Server, tmp_path: Path) -> None:
    half = len(tiny.archive) // 2
    server.fault = "breaks off"
    with pytest.raises(
        ImagesError, match=rf"127.*the download failed.*keeps the first {half:,} bytes. Run the same"
    ):
        download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == ["tiny-binary.tar.gz.part"]
    server.fault = ""
    path = download("tiny", tmp_path, address(server))
    assert server.requests == [None, f"bytes={half}-"]
    assert path.read_bytes() == tiny.archive and left_in(tmp_path) == ["tiny-binary.tar.gz"]
    download("tiny", tmp_path, address(server))
    assert len(server.requests) == 2  # what is there and whole is not fetched again


@one_label_byte
def test_a_download_outlives_a_power_cut(
    tiny: Made, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = PowerCut(monkeypatch)
    download("tiny", tmp_path / "new", address(server))
    assert power.renamed[-1] == tmp_path / "new" / "tiny-binary.tar.gz" and power.gone == []


@one_label_byte
@pytest.mark.parametrize("there", ["all", "too much"])
def test_a_finished_part_is_judged_by_its_md5(tiny: Made, server: Server, there: str, tmp_path: Path) -> None:
    part = tmp_path / "tiny-binary.tar.gz.part"
    part.write_bytes(tiny.archive + (b"more" if there == "too much" else b""))
    if there == "too much":
        with pytest.raises(ImagesError, match=r"is not the official tiny-binary.tar.gz"):
            download("tiny", tmp_path, address(server))
        assert left_in(tmp_path) == []
    assert download("tiny", tmp_path, address(server)).read_bytes() == tiny.archive


@one_label_byte
def test_a_server_without_ranges_sends_all_of_it(tiny: Made, server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "tiny-binary.tar.gz.part").write_bytes(b"the beginning of something else")
    assert download("tiny", tmp_path, address(server)).read_bytes() == tiny.archive


@one_label_byte
def test_failed_downloads_leave_nothing_wrong(server: Server, tmp_path: Path) -> None:
    whole, server.content = server.content, b"a page that says sorry"
    with pytest.raises(
        ImagesError, match=rf"{address(server)}: is not the official .*{tmp_path}/tiny-binary.tar.gz was"
    ):
        download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == []
    server.fault = "absent"
    with pytest.raises(ImagesError, match=r"the download failed .HTTP Error 404"):
        download("tiny", tmp_path, address(server))
    assert left_in(tmp_path) == []
    server.content, server.fault = whole, "other range"
    (tmp_path / "tiny-binary.tar.gz.part").write_bytes(whole[:100])
    with pytest.raises(
        ImagesError, match=r"sent another range than asked for; delete .*\.part and run again"
    ):
        download("tiny", tmp_path, address(server))
    with pytest.raises(ImagesError, match="'ftp://x': must be an http:// or https:// address"):
        download("tiny", tmp_path, "ftp://x")
    for name, told in (("digits", "scikit-learn carries it"), ("imagenet16-120", "image-net.org")):
        with pytest.raises(ImagesError, match=f"{name!r} has no archive to download. .*{told}"):
            download(name, tmp_path)


@one_label_byte
def test_prepare_command_from_a_folder(
    tiny: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tiny.write("strips", tmp_path / "in"), tmp_path / "out"
    main(["prepare", "tiny", "--source", str(source), "--out", str(out)])
    printed = capsys.readouterr().out
    assert (
        f"wrote {out / 'tiny.h5'}" in printed
        and "from lossless strips" in printed
        and "(60, 3, 4, 4)" in printed
    )
    assert all(digest in printed for digest in DATASETS["tiny"].sha256.values())
    assert left_in(out) == ["tiny.h5"]
    np.testing.assert_array_equal(load("tiny", out).test_images, tiny.arrays["test_images"])


@one_label_byte
def test_prepare_command_downloads(
    tiny: Made, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["prepare", "tiny", "--out", str(tmp_path), "--download", "--url", address(server)])
    captured = capsys.readouterr()
    assert "from official files" in captured.out and "tiny-binary.tar.gz" in captured.err
    assert left_in(tmp_path) == ["tiny-binary.tar.gz", "tiny.h5"]


def test_prepare_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["cifar-10"], "UnknownNameError: no dataset named 'cifar-10'; did you mean 'cifar10'"),
        (["cifar10", "--source", str(tmp_path / "absent")], "ImagesError: .*absent: does not exist"),
    ):
        with pytest.raises(SystemExit, match=told):
            main(["prepare", *arguments, "--out", str(tmp_path)])
    for arguments, told in (
        (["cifar10", "--source", ".", "--download"], "--source and --download exclude each other"),
        (["cifar10", "--url", "http://127.0.0.1"], "--url goes with --download"),
    ):
        with pytest.raises(SystemExit):
            main(["prepare", *arguments])
        assert told in capsys.readouterr().err
    assert left_in(tmp_path) == []
