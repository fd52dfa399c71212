"""The server as an httpx transport: the real client on the real core, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from rouse.embedded.apiserver.http import Request, StreamResponse, query_of
from rouse.embedded.apiserver.server import ApiServer

__all__ = ["ApiServerTransport"]


class ApiServerTransport(httpx.AsyncBaseTransport):
    """``httpx.AsyncClient(transport=ApiServerTransport(server), base_url="https://rouse.test")``."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer in process; a watch streams as it would over a connection."""
        answer = await self._server.handle(
            Request(
                request.method,
                request.url.raw_path.partition(b"?")[0].decode(),
                query_of(request.url.query.decode()),
                dict(request.headers.items()),
                await request.aread(),
            )
        )
        headers = [("content-type", answer.content_type), *answer.headers]
        if isinstance(answer, StreamResponse):
            stream = _Stream(answer.chunks)
            return httpx.Response(answer.status, headers=headers, stream=stream)
        return httpx.Response(answer.status, headers=headers, content=answer.body)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()
