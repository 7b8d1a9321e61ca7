"""Downloads from a server that stalls, cuts, corrupts, and forgets how to resume."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.data.fetch import Patience, fetch
from harness.data.tables import SourceFile
from harness.errors import DataError

BODY = bytes(range(256)) * 4000
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(stall=0.3, attempts=3, pause=0.01)

Behaviour = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    """Answers GET by the server's behaviour; remembers the offsets it was asked for."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        self.server.offsets.append(int(wanted))
        self.server.behaviour(self, int(wanted))
        self.close_connection = True

    def begin(self, offset: int, *, length: int | None = None, partial: bool = True) -> None:
        self.send_response(206 if offset and partial else 200)
        if offset and partial:
            self.send_header("Content-Range", f"bytes {offset}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(BODY) - (offset if partial else 0) if length is None else length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    behaviour: Behaviour
    offsets: list[int]


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], tuple[SourceFile, Server]]]:
    servers: list[Server] = []

    def start(behaviour: Behaviour, **known: object) -> tuple[SourceFile, Server]:
        server = Server(("127.0.0.1", 0), Handler)
        server.behaviour, server.offsets = behaviour, []
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        known = {"size": len(BODY), "sha256": SHA, **known}
        return SourceFile("table.bin", f"http://127.0.0.1:{server.server_port}/table.bin", **known), server  # type: ignore[arg-type]

    yield start  # type: ignore[misc]
    for server in servers:
        server.shutdown()
        server.server_close()


def whole(handler: Handler, offset: int) -> None:
    handler.begin(offset)
    handler.wfile.write(BODY[offset:])


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_placed_whole_and_told_of(serve, tmp_path: Path) -> None:
    file, _ = serve(whole)
    told: list[float] = []
    path, digest = fetch(file, tmp_path, progress=lambda what, share: told.append(share), patience=QUICK)
    assert path.read_bytes() == BODY
    assert digest == SHA
    assert left_in(tmp_path) == ["table.bin"]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_connection_that_is_cut_is_resumed_where_it_was(serve, tmp_path: Path) -> None:
    def cut(handler: Handler, offset: int) -> None:
        handler.begin(offset)
        handler.wfile.write(BODY[offset : offset + 300_000])

    file, server = serve(cut)
    path, _ = fetch(file, tmp_path, patience=QUICK)
    assert path.read_bytes() == BODY
    assert server.offsets == [0, 300_000, 600_000, 900_000]


def test_a_server_that_stalls_is_given_up_and_asked_again(serve, tmp_path: Path) -> None:
    def stall(handler: Handler, offset: int) -> None:
        handler.begin(offset)
        handler.wfile.write(BODY[offset : offset + 500_000])
        handler.wfile.flush()
        if offset == 0:
            time.sleep(1.0)
        else:
            handler.wfile.write(BODY[offset + 500_000 :])

    file, server = serve(stall)
    path, _ = fetch(file, tmp_path, patience=QUICK)
    assert path.read_bytes() == BODY
    assert server.offsets == [0, 500_000]


def test_what_has_arrived_is_kept_for_the_next_call(serve, tmp_path: Path) -> None:
    def once(handler: Handler, offset: int) -> None:
        handler.begin(offset)
        if offset == 0:
            handler.wfile.write(BODY[:400_000])

    file, _ = serve(once)
    with pytest.raises(DataError, match="given up after 3 attempts.*resumes"):
        fetch(file, tmp_path, patience=QUICK)
    assert left_in(tmp_path) == ["table.bin.part"]
    again, server = serve(whole)
    path, _ = fetch(SourceFile(file.name, again.url, file.size, file.sha256), tmp_path, patience=QUICK)
    assert server.offsets == [400_000]
    assert path.read_bytes() == BODY


def test_a_server_that_cannot_resume_starts_over(serve, tmp_path: Path) -> None:
    def ignores_ranges(handler: Handler, offset: int) -> None:
        handler.begin(offset, partial=False)
        handler.wfile.write(BODY[:200_000] if len(handler.server.offsets) == 1 else BODY)

    file, _ = serve(ignores_ranges)
    assert fetch(file, tmp_path, patience=QUICK)[0].read_bytes() == BODY


def test_a_corrupt_file_is_thrown_away_and_never_placed(serve, tmp_path: Path) -> None:
    def corrupt(handler: Handler, offset: int) -> None:
        handler.begin(offset)
        handler.wfile.write(BODY[:1000] + b"\xff" + BODY[1001:])

    file, _ = serve(corrupt)
    with pytest.raises(DataError, match=r"SHA-256 .* instead of .*removed: fetch again"):
        fetch(file, tmp_path, patience=QUICK)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1])
def test_another_size_is_refused_before_it_is_loaded(serve, tmp_path: Path, length: int) -> None:
    def other(handler: Handler, offset: int) -> None:
        handler.begin(0, length=length)
        handler.wfile.write(BODY)

    file, _ = serve(other)
    with pytest.raises(DataError, match=f"offers {length} bytes instead of {len(BODY)}"):
        fetch(file, tmp_path, patience=QUICK)
    assert "table.bin" not in left_in(tmp_path)


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_told_at_once(serve, tmp_path: Path, status: int) -> None:
    file, server = serve(lambda handler, offset: handler.send_error(status))
    with pytest.raises(DataError, match=f"the server answers {status}"):
        fetch(file, tmp_path, patience=QUICK)
    assert len(server.offsets) == 1


def test_a_passing_fault_is_waited_out(serve, tmp_path: Path) -> None:
    def busy(handler: Handler, offset: int) -> None:
        if len(handler.server.offsets) < 3:
            handler.send_error(503)
        else:
            whole(handler, offset)

    file, _ = serve(busy)
    assert fetch(file, tmp_path, patience=QUICK)[0].read_bytes() == BODY


def test_a_whole_file_is_not_fetched_twice_and_a_strange_one_is_not_overwritten(serve, tmp_path: Path) -> None:
    file, server = serve(whole)
    fetch(file, tmp_path, patience=QUICK)
    fetch(file, tmp_path, patience=QUICK)
    assert server.offsets == [0]
    (tmp_path / "table.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match="move it away"):
        fetch(file, tmp_path, patience=QUICK)
    assert (tmp_path / "table.bin").read_bytes() == b"mine"


def test_a_file_without_a_published_checksum_tells_its_own(serve, tmp_path: Path) -> None:
    file, _ = serve(whole, size=None, sha256=None)
    assert fetch(file, tmp_path, patience=QUICK)[1] == SHA


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only http and https"):
        fetch(SourceFile("x", "file:///etc/hostname"), tmp_path, patience=QUICK)


def test_a_full_disk_leaves_nothing(serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import errno
    from typing import Any

    file, _ = serve(whole)
    real = builtins.open

    class Full:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()

        def write(self, data: bytes) -> int:
            self.stream.write(data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        stream = real(path, mode, *more, **options)
        return Full(stream) if str(path).endswith(".part") and mode in ("wb", "ab") else stream

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(DataError, match="No space left on device"):
        fetch(file, tmp_path, patience=QUICK)
    monkeypatch.undo()
    assert left_in(tmp_path) == []
