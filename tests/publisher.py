"""A publisher's web server on this machine, which breaks in the ways that real ones do."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Publisher:
    """What it serves, how it misbehaves, and what it was asked.

    `cuts`, `statuses` and `silences` are used up from the front, one a request.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = None
    ranges: bool = True
    lengths: bool = True
    wrong_range: bool = False
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    silences: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def requested_ranges(self) -> list[str | None]:
        return [header for _, header in self.asked]


class _Handler(http.server.BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.publisher.asked.append((self.path, wanted))
        self.publisher.conditions.append(self.headers.get("If-Range"))
        status = self.publisher.statuses.pop(0) if self.publisher.statuses else 200
        content = self.publisher.files.get(self.path.lstrip("/"))
        if status != 200 or content is None:
            self.send_error(404 if status == 200 else status)
        else:
            self._send(content, wanted)

    def _send(self, content: bytes, wanted: str | None) -> None:
        start = self._start(wanted)
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            named = start + 1 if self.publisher.wrong_range else start
            self.send_header("Content-Range", f"bytes {named}-{len(content) - 1}/{len(content)}")
        if self.publisher.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        if self.publisher.etag is not None:
            self.send_header("ETag", self.publisher.etag)
        self.end_headers()
        body = content[start:]
        if self.publisher.silences:
            self.wfile.write(body[: self.publisher.silences.pop(0)])
            self.wfile.flush()
            self.publisher.over.wait(30)  # the connection stays open, and nothing comes any more
            return
        self.wfile.write(body[: self.publisher.cuts.pop(0)] if self.publisher.cuts else body)

    def _start(self, wanted: str | None) -> int:
        condition = self.headers.get("If-Range")
        if wanted is None or not self.publisher.ranges or condition not in (None, self.publisher.etag):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def publish(publisher: Publisher) -> Iterator[Publisher]:
    handler = type("Handler", (_Handler,), {"publisher": publisher})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    publisher.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield publisher
    finally:
        publisher.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
