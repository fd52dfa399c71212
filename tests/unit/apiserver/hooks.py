"""Webhooks over HTTPS for the tests: a server of their own, and configurations that lead there."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from rouse.embedded.apiserver.webhooks.configurations import GROUP
from rouse.webhook.certificates.rotation import Material, renewed
from rouse.webhook.tls import Pair, ServerCertificate

Object = dict[str, Any]
Judge = Callable[[Object], Awaitable[Object]]
"""The request of a review -> its response, without the uid."""

CONFIGURATIONS = f"/apis/{GROUP}/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ANY_CONFIG_MAP: Object = {
    "operations": ["*"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
}


@cache
def material() -> Material:
    return renewed(None, ["localhost"], datetime.now(UTC), is_published=True)


async def allow(_request: Object) -> Object:
    return {"allowed": True}


@dataclass
class Hooks:
    """A server that answers each path by its judge, and what it was asked."""

    url: str
    judges: dict[str, Judge]
    asked: list[Object] = field(default_factory=list)
    open: set[asyncio.Task[None]] = field(default_factory=set)

    async def reply(self, path: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        review = orjson.loads(body)
        request = review["request"]
        self.asked.append(request)
        judge = self.judges.get(path.strip("/"))
        if judge is None:
            return HTTPStatus.NOT_FOUND, b"nothing here"
        response = {"uid": request["uid"], **(await judge(request))}
        return HTTPStatus.OK, orjson.dumps({**review, "request": None, "response": response})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, unless the client goes first, and close."""
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        task.add_done_callback(self.open.discard)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = re.findall(rb"content-length: (\d+)", head, re.IGNORECASE)
            path = head.split(b" ")[1].decode().partition("?")[0]
            body = await reader.readexactly(int(length))
            answering = asyncio.create_task(self.reply(path, body))
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                status, answer = answering.result()
                told = f"content-length: {len(answer)}\r\nconnection: close"
                writer.write(f"HTTP/1.1 {status} -\r\n{told}\r\n\r\n".encode() + answer)
                await writer.drain()
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def configuration(self, kind: str, *paths: str, **more: Any) -> Object:
        """A configuration whose webhooks are these paths."""
        bundle = base64.b64encode(material().bundle).decode()
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": f"{kind.lower()}-{'-'.join(paths)}"},
            "webhooks": [
                {
                    "name": f"{path}.example.com",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {"url": f"{self.url}/{path}", "caBundle": bundle},
                    "sideEffects": "None",
                    "rules": [ANY_CONFIG_MAP],
                    **more,
                }
                for path in paths
            ],
        }


@asynccontextmanager
async def serving(**judges: Judge) -> AsyncIterator[Hooks]:
    """Serve webhooks on a free port."""
    hooks = Hooks("", judges)
    certificate = ServerCertificate()
    made = material().serving
    certificate.load(Pair(made.certificate, made.key))
    context = certificate.context
    server = await asyncio.start_server(hooks.serve, "127.0.0.1", 0, ssl=context)
    hooks.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield hooks
    finally:
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(5):
            await asyncio.gather(*hooks.open)


async def configure(api: httpx.AsyncClient, configuration: Object) -> httpx.Response:
    """Store a configuration."""
    plural = configuration["kind"].lower() + "s"
    return await api.post(f"{CONFIGURATIONS}/{plural}", json=configuration)


def config_map(name: str = "a", **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def json_patch(*operations: Object) -> Object:
    """A consent with changes."""
    patch = base64.b64encode(orjson.dumps(list(operations))).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}
