"""The API server without a network: a request in, a response out."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable

import orjson

from rouse.embedded.apiserver.decoding import MAX_BODY
from rouse.embedded.apiserver.definitions import Definitions
from rouse.embedded.apiserver.discovery import Discovery
from rouse.embedded.apiserver.errors import (
    StatusError,
    internal,
    method_not_allowed,
    no_such_resource,
)
from rouse.embedded.apiserver.events import EventExpiry
from rouse.embedded.apiserver.gc import GarbageCollector
from rouse.embedded.apiserver.handlers.delete import delete_collection, delete_object
from rouse.embedded.apiserver.handlers.logs import pod_log
from rouse.embedded.apiserver.handlers.patch import patch_object
from rouse.embedded.apiserver.handlers.read import get_object, list_objects
from rouse.embedded.apiserver.handlers.reviews import review
from rouse.embedded.apiserver.handlers.scale import scale_object
from rouse.embedded.apiserver.handlers.watch import watch_objects
from rouse.embedded.apiserver.handlers.write import create_object, replace_object
from rouse.embedded.apiserver.http import Request, Response, StreamResponse
from rouse.embedded.apiserver.namespaces import NamespaceCleaner
from rouse.embedded.apiserver.pages import Pages
from rouse.embedded.apiserver.routes import Target, resolve
from rouse.embedded.apiserver.state import State

__all__ = ["ApiServer"]

_log = logging.getLogger(__name__)

Answer = Response | StreamResponse
_Handler = Callable[[State, Target, Request], Awaitable[Response]]

_OPEN = frozenset({"/healthz", "/livez", "/readyz", "/version"})
_HEALTH = frozenset({"healthz", "livez", "readyz"})
_INTERACTIVE = frozenset({"exec", "attach", "portforward"})


class ApiServer:
    """The whole of the API over one store; ``token`` None means everybody is the admin."""

    def __init__(self, state: State, *, token: str | None = None) -> None:
        self.state = state
        self.credentials = {} if token is None else {"authorization": f"Bearer {token}"}
        """The header a request needs."""
        self._bearer = None if token is None else f"Bearer {token}".encode()
        self._pages = Pages(time.monotonic)
        self._discovery = Discovery(state.registry)
        self._definitions = Definitions(state)
        self._workers = (
            self._definitions,
            GarbageCollector(state),
            NamespaceCleaner(state),
            EventExpiry(state),
        )
        self._unlisten = state.store.listen(state.hub.publish)
        self._stopped = False
        self.ready = False

    async def start(self) -> None:
        """Load the state and begin the background work."""
        await self.state.store.start()
        self._definitions.load()
        for worker in self._workers:
            worker.start()
        self.ready = True

    def admit_by_webhooks(self) -> None:
        """From now on ask webhooks; what the server brings by itself is there."""
        self.state.webhooks.begin()

    async def stop(self) -> None:
        """End the watches, finish the writes, close the store; a second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.ready = False
        self.state.hub.close()
        for worker in self._workers:
            await worker.stop()
        await self.state.webhooks.stop()
        await self.state.store.stop()
        self._unlisten()

    async def handle(self, request: Request) -> Answer:
        """Answer a request; every failure is a Status object, never an exception."""
        try:
            self._authenticate(request)
            return await self._route(request)
        except StatusError as refusal:
            return _refused(refusal)
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return _refused(
                internal(
                    "an internal error occurred; the API server's log has the details "
                    f"({request.method} {request.path})"
                )
            )

    def _authenticate(self, request: Request) -> None:
        if self._bearer is None or request.path in _OPEN:
            return
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._bearer):
            raise StatusError(401, "Unauthorized", "Unauthorized")

    async def _route(self, request: Request) -> Answer:
        if len(request.body) > MAX_BODY:
            raise StatusError(
                413,
                "RequestEntityTooLarge",
                f"the body of the request is larger than {MAX_BODY} bytes",
            )
        segments = request.path.strip("/").split("/")
        root = segments[0]
        if (root == "api" and len(segments) > 2) or (root == "apis" and len(segments) > 3):
            target = resolve(request.path, self.state.registry)
            return await self._serve(target, request)
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed(f"the server does not allow {request.method} here")
        if root in _HEALTH:
            return self._health()
        found = self._discovery.answer(segments, request)
        if found is None:
            raise no_such_resource()
        return found

    def _health(self) -> Response:
        if self.ready:
            return Response(200, b"ok", "text/plain; charset=utf-8")
        return Response(503, b"not ready", "text/plain; charset=utf-8")

    async def _serve(self, target: Target, request: Request) -> Answer:
        if target.subresource:
            special = await self._subresource(target, request)
            if special is not None:
                return special
        method, resource = request.method, target.resource
        if resource.verbs == ("create",):
            return review(target, request)
        if method == "GET" or method == "HEAD":
            if target.name and not request.flag("watch"):
                return get_object(self.state, target, request)
            if request.flag("watch"):
                return watch_objects(self.state, target, request)
            return list_objects(self.state, target, request, self._pages)
        handler = _handler(method, target)
        if handler is create_object and self._definitions.is_ending(resource):
            raise method_not_allowed(
                "create not allowed while custom resource definition is terminating"
            )
        return await handler(self.state, target, request)

    async def _subresource(self, target: Target, request: Request) -> Answer | None:
        """The answer of a subresource with rules of its own; None for status."""
        name, resource = target.subresource, target.resource
        if name == "status" and resource.status:
            return None
        if name == "scale" and resource.scale is not None:
            return await scale_object(self.state, target, request)
        if name == "log" and name in resource.subresources:
            return await pod_log(self.state, target, request)
        if name in _INTERACTIVE and name in resource.subresources:
            raise StatusError(
                501,
                "NotImplemented",
                f"{name} is not offered by the embedded engine: its pods are processes of this "
                "machine; use the machine's own tools on them",
            )
        raise no_such_resource()


def _handler(method: str, target: Target) -> _Handler:
    if method == "POST" and not target.subresource:
        return create_object
    if method == "PUT":
        return replace_object
    if method == "PATCH":
        return patch_object
    if method == "DELETE" and not target.subresource:
        return delete_object if target.name else delete_collection
    raise method_not_allowed("the server does not allow this method on the requested resource")


def _refused(refusal: StatusError) -> Response:
    response = Response(refusal.status, orjson.dumps(refusal.body()))
    if refusal.status in (429, 503):
        response.headers.append(("retry-after", "1"))
    return response
