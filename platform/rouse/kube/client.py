"""The Kubernetes client: one method per verb, errors of `rouse.errors`, nothing cached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlencode

import httpx
import orjson

from rouse.errors import GoneError, UnavailableError
from rouse.kube import requests
from rouse.kube.errors import error_of_response, error_of_transport
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest, PatchKind
from rouse.kube.resources import Resource
from rouse.kube.warned import warnings_in
from rouse.kube.watching import EventType, WatchEvent, event_of, lines_of

__all__ = [
    "FENCED",
    "FIELD_MANAGER",
    "ApiCall",
    "EventType",
    "KubeClient",
    "ObjectList",
    "PatchKind",
    "WatchEvent",
]

FIELD_MANAGER: Final = "rouse"

FENCED: Final = "Fenced"
"""Reason of the error of a write that was not sent, or not waited for: see `KubeClient`."""

_PAGE: Final = 500
_IN_FLIGHT: Final = 8
"""Requests of one client at once, watches apart. More would not be answered sooner, and each above
the pool's idle connections would cost a TLS handshake."""
_WATCH_TIMEOUT_S: Final = 300
_WATCH_MARGIN_S: Final = 30.0
"""How long past its own timeout a watch's server may take to end it."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request and its answer, for metrics; a watch ends, here, with the head of its answer."""

    verb: str
    code: int
    """The HTTP status; 0 when no answer came."""
    seconds: float


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A collection and the resourceVersion a watch continues from."""

    items: list[Object]
    resource_version: str
    anew: bool = True
    """Of a page: whether it is the first, be it because the pages before it are void."""


class KubeClient:
    """Verbs on Kubernetes objects over one ``httpx.AsyncClient``, which it then owns.

    Watches may have one of their own, ``streams``.

    Every method raises an `ApiError`: the API's own refusal, or `UnavailableError` when no answer
    came. Objects passed in are never changed. ``observe`` is told of every request.
    ``write_for`` fences: it says for how many more seconds this process may write, and what would
    be written later is refused here.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        streams: httpx.AsyncClient | None = None,
        field_manager: str = FIELD_MANAGER,
        observe: Callable[[ApiCall], None] | None = None,
        write_for: Callable[[], float] | None = None,
    ) -> None:
        self._http = http
        self._streams = streams or http
        self._turns = asyncio.Semaphore(_IN_FLIGHT)
        self._observe = observe
        self._write_for = write_for
        self.field_manager = field_manager
        self.server = str(http.base_url).rstrip("/")
        """Where the API is: scheme, host and port."""

    def sharing(
        self,
        *,
        observe: Callable[[ApiCall], None] | None = None,
        write_for: Callable[[], float] | None = None,
    ) -> KubeClient:
        """Return a client on the same connections, with an observer or a fence of its own."""
        return KubeClient(
            self._http,
            streams=self._streams,
            field_manager=self.field_manager,
            observe=observe or self._observe,
            write_for=write_for or self._write_for,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._streams.aclose()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        return await self.send(requests.get(resource, name, namespace))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> ObjectList:
        """Read a whole collection, of one namespace or of all."""
        items: list[Object] = []
        version = ""
        async for page in self.pages(resource, namespace, labels=labels, fields=fields):
            if page.anew:
                items = []
            items += page.items
            version = page.resource_version
        return ObjectList(items, version)

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncGenerator[ObjectList, None]:
        """Yield a collection page by page, so that only one of them need be in memory."""
        limit: int | None = _PAGE
        continue_ = ""
        while True:
            request = requests.list_(
                resource, namespace, labels=labels, fields=fields, limit=limit, continue_=continue_
            )
            try:
                page = await self.send(request)
            except GoneError:
                if not continue_:
                    raise
                # The pages' snapshot expired under way: read all of it in one answer.
                limit, continue_ = None, ""
                continue
            items = page.get("items") or []
            for item in items:
                # Built-in kinds leave these out of list items.
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            metadata = page.get("metadata") or {}
            version = str(metadata.get("resourceVersion", ""))
            first, continue_ = not continue_, metadata.get("continue") or ""
            yield ObjectList(items, version, anew=first)
            if not continue_:
                return

    async def create(self, obj: Mapping[str, Any]) -> Object:
        """Create an object and return it as stored."""
        return await self.send(requests.create(obj, field_manager=self.field_manager))

    async def replace(self, obj: Mapping[str, Any], *, subresource: str | None = None) -> Object:
        """Write a whole object; `ConflictError` if its resourceVersion is no longer the newest."""
        request = requests.replace(obj, field_manager=self.field_manager, subresource=subresource)
        return await self.send(request)

    async def apply(
        self,
        obj: Mapping[str, Any],
        *,
        subresource: str | None = None,
        force: bool = True,
        field_manager: str | None = None,
        dry_run: bool = False,
        warned: Callable[[str], None] | None = None,
    ) -> Object:
        """Server-side apply an object and return it as stored, or as ``dry_run`` would store it.

        ``warned`` is told what the API says beside that.
        """
        request = requests.apply(
            obj,
            field_manager=field_manager or self.field_manager,
            force=force,
            subresource=subresource,
            dry_run=dry_run,
        )
        return await self.send(request, warned=warned)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        *,
        namespace: str | None = None,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str | None = None,
    ) -> Object:
        """Patch one object and return it as stored."""
        request = requests.patch(
            resource,
            name,
            body,
            namespace=namespace,
            kind=kind,
            field_manager=self.field_manager,
            subresource=subresource,
        )
        return await self.send(request)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> Object:
        """Delete one object; return it, or the API's Status, as the API answers."""
        request = requests.delete(
            resource,
            name,
            namespace,
            propagation=propagation,
            uid=uid,
            grace_seconds=grace_seconds,
        )
        return await self.send(request)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        labels: str | None = None,
        fields: str | None = None,
        timeout_s: int = _WATCH_TIMEOUT_S,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield changes after ``resource_version`` until the server ends the watch.

        Raises `GoneError` when that version is too old, `UnavailableError` when the stream breaks
        or the server outlives ``timeout_s`` (seconds) by more than a margin.
        """
        request = requests.watch(
            resource,
            namespace,
            resource_version=resource_version,
            timeout_s=timeout_s,
            labels=labels,
            fields=fields,
        )
        deadline = asyncio.get_running_loop().time() + timeout_s + _WATCH_MARGIN_S
        async with self._streamed(request) as response:
            lines = lines_of(response)
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        line = await anext(lines, None)
                except httpx.HTTPError as error:
                    raise error_of_transport(
                        error, where=str(request), server=self.server
                    ) from error
                except TimeoutError as error:
                    message = f"{request}: the watch outlived its {timeout_s} s"
                    raise UnavailableError(message, reason="Timeout") from error
                if line is None:
                    return
                yield event_of(line, resource, where=str(request))

    async def raw(self, path: str) -> bytes:
        """GET any path of the server, such as ``/readyz`` or ``/version``."""
        return await self._exchange(ApiRequest("GET", path))

    async def send(
        self, request: ApiRequest, *, warned: Callable[[str], None] | None = None
    ) -> Object:
        """Send a built request and return the object of its answer."""
        body = await self._exchange(request, warned)
        try:
            answer: Object = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            message = f"{request}: the API's answer is no JSON"
            raise UnavailableError(message, reason="BadAnswer") from error
        return answer

    async def _exchange(
        self, request: ApiRequest, warned: Callable[[str], None] | None = None
    ) -> bytes:
        try:
            async with self._turns:
                response = await self._observed(request, self._fenced(request))
        except httpx.HTTPError as error:
            raise error_of_transport(error, where=str(request), server=self.server) from error
        if response.status_code >= 400:
            raise error_of_response(response, response.content, where=str(request))
        if warned is not None:
            for text in warnings_in(response.headers.get_list("warning")):
                warned(text)
        return response.content

    async def _observed(
        self, request: ApiRequest, answer: Coroutine[Any, Any, httpx.Response]
    ) -> httpx.Response:
        clock = asyncio.get_running_loop().time
        began, code = clock(), 0
        try:
            response = await answer
            code = response.status_code
            return response
        finally:
            if self._observe is not None:
                self._observe(ApiCall(request.verb, code, clock() - began))

    async def _fenced(self, request: ApiRequest) -> httpx.Response:
        if self._write_for is None or request.method == "GET":
            return await self._answer(request)
        # Under way, too, a write may not outlive the right to write.
        left = self._write_for()
        try:
            if left <= 0:
                raise TimeoutError
            async with asyncio.timeout(left):
                return await self._answer(request)
        except TimeoutError as error:
            message = f"{request}: given up, as this process may no longer write"
            raise UnavailableError(message, reason=FENCED) from error

    async def _answer(self, request: ApiRequest) -> httpx.Response:
        try:
            return await self._http.send(self._built(request))
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            # An idle connection the server had just closed: a fresh one may well work.
            if not request.repeatable:
                raise
            return await self._http.send(self._built(request))

    def _built(self, request: ApiRequest, timeout: httpx.Timeout | None = None) -> httpx.Request:
        headers = {"accept": request.accept}
        if request.content is not None:
            headers["content-type"] = request.content_type
        # In one piece: httpx parses an address anew for every part it is put together of.
        query = f"?{urlencode(request.params)}" if request.params else ""
        return self._http.build_request(
            request.method,
            f"{self.server}{request.path}{query}",
            content=request.content,
            headers=headers,
            timeout=timeout or httpx.USE_CLIENT_DEFAULT,
        )

    @asynccontextmanager
    async def _streamed(self, request: ApiRequest) -> AsyncIterator[httpx.Response]:
        limits = self._http.timeout
        timeout = httpx.Timeout(
            connect=limits.connect, write=limits.write, pool=limits.pool, read=None
        )
        try:
            # The answer's head must come in ordinary time, however long the stream then lasts.
            async with asyncio.timeout(limits.read):
                sending = self._streams.send(self._built(request, timeout), stream=True)
                response = await self._observed(request, sending)
        except (httpx.HTTPError, TimeoutError) as error:
            wrapped = error if isinstance(error, httpx.HTTPError) else httpx.ReadTimeout("timeout")
            raise error_of_transport(wrapped, where=str(request), server=self.server) from error
        try:
            if response.status_code >= 400:
                raise error_of_response(response, await response.aread(), where=str(request))
            yield response
        finally:
            await response.aclose()
