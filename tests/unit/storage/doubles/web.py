"""A web server whose faults a test chooses: what an origin may do to a download."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Origin:
    """Files by path; `faults` are called before an answer, and say whether they answered."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[Callable[[Handler], bool]] = []
        self.ranges = True
        self.tagged = True
        self.url = ""
        self.lock = threading.Lock()

    def etag(self, path: str) -> str:
        """The tag of a file: its content's, unless the test says another."""
        found = self.etags.get(path)
        return found or f'"{hashlib.sha256(self.files[path]).hexdigest()[:16]}"'

    def once(self, fault: Callable[[Handler], bool], when: int = 0) -> None:
        """Let one request fail: the first after ``when`` others."""
        left = [when]

        def guarded(handler: Handler) -> bool:
            with self.lock:
                left[0] -= 1
                now = left[0] == -1
            return now and fault(handler)

        self.faults.append(guarded)


class Handler(BaseHTTPRequestHandler):
    origin: Origin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.respond()

    def do_HEAD(self) -> None:
        self.respond()

    def respond(self) -> None:
        """Answer one request."""
        origin = self.origin
        path = self.path.partition("?")[0]
        with origin.lock:
            origin.requests.append(
                (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            )
        if any(fault(self) for fault in origin.faults):
            return
        if path in origin.redirects:
            self.answer(302, b"", location=origin.redirects[path])
        elif path not in origin.files:
            self.answer(404, b"")
        else:
            self.file(path)

    def file(self, path: str, cut: int | None = None) -> None:
        """Answer a file or a range of it; ``cut`` ends the body early."""
        origin = self.origin
        body = origin.files[path]
        tags = {"etag": origin.etag(path)} if origin.tagged else {}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if found is None or not origin.ranges:
            self.send(200, body, cut, tags)
            return
        start, end = int(found[1]), min(int(found[2]) + 1, len(body))
        if start >= len(body):
            self.answer(416, b"", **{"content-range": f"bytes */{len(body)}"}, **tags)
            return
        said = {"content-range": f"bytes {start}-{end - 1}/{len(body)}", **tags}
        self.send(206, body[start:end], cut, said)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send(status, body, None, headers)

    def send(self, status: int, body: bytes, cut: int | None, headers: Mapping[str, str]) -> None:
        """Answer, with the body cut off where a test says so."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(body[:cut])
            except OSError:
                self.close_connection = True
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serving(origin: Origin, kind: type[Handler] = Handler) -> Iterator[Origin]:
    """The origin on a free port, for the length of the block."""
    bound = type("Bound", (kind,), {"origin": origin})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    origin.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield origin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
