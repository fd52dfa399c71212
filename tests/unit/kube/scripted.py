"""An API that answers what a test tells it to, in order, and keeps the requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import orjson

from rouse.kube import KubeClient
from rouse.kube.objects import Object

Answer = httpx.Response | Exception


class Stream(httpx.AsyncByteStream):
    """A watch's body: lines, then its end, a break, or nothing more for ever."""

    def __init__(self, chunks: Iterable[bytes], *, then: Exception | str = "end") -> None:
        self.chunks = list(chunks)
        self.then = then
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if isinstance(self.then, Exception):
            raise self.then
        if self.then == "hang":
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


class ScriptedApi:
    """Answers requests with the next of its answers; hangs when there is none left."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.exhausted = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self.answers:
            self.exhausted.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]

    def client(self) -> KubeClient:
        return client_of(self)


def client_of(handler: Callable[[httpx.Request], Any]) -> KubeClient:
    transport = httpx.MockTransport(handler)
    return KubeClient(httpx.AsyncClient(transport=transport, base_url="https://api.test"))


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=orjson.dumps(body), headers=headers)


def refusal(code: int, reason: str, message: str = "no", **details: Any) -> httpx.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return answer(body | ({"details": details} if details else {}), code)


def listed(version: str, *items: Object, continue_: str = "") -> httpx.Response:
    return answer(
        {"metadata": {"resourceVersion": version, "continue": continue_}, "items": list(items)}
    )


def watched(*events: tuple[str, Object], then: Exception | str = "end") -> httpx.Response:
    lines = [orjson.dumps({"type": type_, "object": obj}) + b"\n" for type_, obj in events]
    return httpx.Response(200, stream=Stream(lines, then=then))


def bookmark(version: str) -> tuple[str, Object]:
    return "BOOKMARK", {"metadata": {"resourceVersion": version}}


def gone() -> tuple[str, Object]:
    return "ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}


def pod(name: str, version: str = "1", **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "a", "resourceVersion": version, **metadata},
    }
