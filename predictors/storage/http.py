"""HTTP requests of the sources: redirects without credentials, timeouts, answers as errors.

urllib of the standard library: it honours proxies, and a download needs no more. A timeout counts
from the last byte, so it is what finds a stall.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit

from predictors.serving.errors import StorageError
from predictors.storage.errors import TransientError

__all__ = ["Answer", "Client", "StatusError", "chunks"]

Answer = http.client.HTTPResponse
_CHUNK: Final = 1024 * 1024
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_DOCUMENT: Final = 64 * 1024 * 1024


class StatusError(StorageError):
    """An answer that another try would not change."""

    def __init__(self, message: str, status: int, headers: http.client.HTTPMessage) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Headers that are credentials go along to the same origin only, and only where allowed."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise StorageError("the origin redirects to something that is not on the web.")
        if req.type == "https" and urlsplit(newurl).scheme == "http":
            raise StorageError("the origin redirects from https to http, which is not followed.")
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and getattr(req, "follows", False) and _origin(req) == _origin(made):
            for name, value in req.unredirected_hdrs.items():
                if name.lower() != "host":
                    made.add_unredirected_header(name, value)
            made.follows = True  # type: ignore[attr-defined]
        return made


class Client:
    """Makes requests with one timeout, in seconds without a byte; usable from several threads."""

    def __init__(self, stall_seconds: float, *, verify: bool = True, ca_file: str = "") -> None:
        self._timeout = stall_seconds
        context = ssl.create_default_context(cafile=ca_file or None)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._opener = urllib.request.build_opener(
            _Redirects(), urllib.request.HTTPSHandler(context=context)
        )

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
        method: str = "GET",
        follows: bool = False,
    ) -> Answer:
        """The answer, of status 2xx; close it. ``secret`` headers do not outlive a redirect,
        unless ``follows`` and it stays on the same origin.

        Raises `TransientError` or `StatusError`; neither tells the URL.
        """
        request = urllib.request.Request(url, method=method)  # noqa: S310
        request.follows = follows  # type: ignore[attr-defined]
        request.add_header("accept-encoding", "identity")
        request.add_header("user-agent", "rouse-storage")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        for name, value in (secret or {}).items():
            request.add_unredirected_header(name, value)
        try:
            return cast("Answer", self._opener.open(request, timeout=self._timeout))
        except urllib.error.HTTPError as error:
            error.close()
            raise _status(error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise failure(error, self._timeout) from None

    def document(self, url: str, **options: Any) -> tuple[bytes, http.client.HTTPMessage]:
        """A whole small answer, such as JSON, and its headers."""
        with self.open(url, **options) as answer, failures(self._timeout):
            body = answer.read(_LONGEST_DOCUMENT)
            return body, answer.headers

    def chunks(self, answer: Answer) -> Iterator[memoryview]:
        """The body; each piece dies with the next."""
        buffer = memoryview(bytearray(_CHUNK))
        with failures(self._timeout):
            while count := answer.readinto(buffer):
                yield buffer[:count]


@contextmanager
def failures(timeout: float) -> Iterator[None]:
    """Turn what a broken connection raises into `TransientError`."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise failure(error, timeout) from None


def failure(error: Exception, timeout: float) -> TransientError:
    """What went wrong on the way, in words that hold no secret."""
    reason = getattr(error, "reason", None)
    error = reason if isinstance(reason, Exception) else error
    if isinstance(error, TimeoutError):
        return TransientError(f"no byte came for {timeout:g} s")
    if isinstance(error, http.client.IncompleteRead):
        return TransientError("the download ended early")
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return TransientError("the URL or a header is malformed")
    return TransientError(str(error) or type(error).__name__)


def chunks(client: Client, answer: Answer, length: int | None) -> Iterator[memoryview]:
    """At most ``length`` bytes of an answer, which is closed then."""
    with answer:
        for piece in client.chunks(answer):
            if length is None:
                yield piece
                continue
            yield piece[:length]
            length -= len(piece)
            if length <= 0:
                return


def _status(error: urllib.error.HTTPError) -> StorageError:
    said = f"answered {error.code} {error.reason}"
    if error.code in _RETRIED:
        after = error.headers.get("retry-after", "")
        return TransientError(said, float(after) if after.isdigit() else 0.0)
    headers = cast("http.client.HTTPMessage", error.headers)
    return StatusError(f"{said}.", error.code, headers)


def _origin(request: urllib.request.Request) -> tuple[str, str]:
    return request.type, request.host.lower()
