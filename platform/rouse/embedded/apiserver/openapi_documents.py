"""OpenAPI over HTTP: the right form by Accept, built once per change of what is served."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson

from rouse import __version__
from rouse.embedded.apiserver.http import JSON, Request, Response
from rouse.embedded.apiserver.openapi import (
    ResourceDescription,
    openapi_v2_json,
    openapi_v2_protobuf,
    openapi_v3_group,
    openapi_v3_index,
)
from rouse.embedded.apiserver.registry import Registry
from rouse.embedded.apiserver.schema import builtin_definitions

__all__ = ["OpenApiDocuments"]

_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2"
_FOREVER = ("cache-control", "public, immutable, max-age=31536000")


class OpenApiDocuments:
    """Answers below ``/openapi``; clients keep what they have by ETag and by the index's hash."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._bodies: dict[str, bytes] = {}
        self._resources: list[ResourceDescription] = []
        self._digest = ""

    def answer(self, segments: list[str], request: Request) -> Response | None:
        """The document at a path, None when there is none."""
        self._refresh()
        if segments == ["openapi", "v2"]:
            return self._v2(request)
        if segments == ["openapi", "v3"]:
            return self._cached(request, "v3", JSON, self._index)
        if segments[:2] != ["openapi", "v3"] or not self._is_served(segments[2:]):
            return None
        group_version = "/".join(segments[3:])
        response = self._cached(request, group_version, JSON, lambda: self._group(group_version))
        if request.query.get("hash") == self._digest:
            response.headers.append(_FOREVER)
        return response

    def _v2(self, request: Request) -> Response:
        for part in request.headers.get("accept", "").split(","):
            if part.strip().startswith(_V2_PROTOBUF):
                # Older clients ask with an "@" that their own parser of answers refuses.
                media = f"{_V2_PROTOBUF}.v1.0+protobuf"
                return self._cached(request, "v2-protobuf", media, self._v2_protobuf)
        return self._cached(request, "v2", JSON, self._v2_json)

    def _cached(
        self, request: Request, key: str, media: str, build: Callable[[], bytes]
    ) -> Response:
        tag = f'"{self._digest}-{key}"'
        if request.headers.get("if-none-match") == tag:
            return Response(304, b"", media, [("etag", tag)])
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = build()
        return Response(200, body, media, [("etag", tag), ("vary", "Accept")])

    def _refresh(self) -> None:
        if self._generation == self._registry.generation:
            return
        self._generation = self._registry.generation
        self._bodies.clear()
        self._resources = [
            ResourceDescription(
                resource.group,
                version,
                resource.kind,
                resource.plural,
                resource.namespaced,
                resource.verbs,
                resource.schemas.get(version),
                tuple(resource.served_subresources()),
            )
            for resource in self._registry.resources()
            for version in resource.versions
        ]
        # Clients keep a document for ever under its digest, so all that shapes it counts.
        kinds = [[one.gvk, one.schema] for one in self._resources]
        seen = orjson.dumps([__version__, builtin_definitions(), kinds], default=dict)
        self._digest = hashlib.sha256(seen).hexdigest()[:32]

    def _is_served(self, path: list[str]) -> bool:
        group_version = "/".join(path[1:])
        root = "apis" if len(path) == 3 else "api"
        return path[:1] == [root] and any(
            one.group_version == group_version for one in self._resources
        )

    def _index(self) -> bytes:
        return orjson.dumps(openapi_v3_index(self._resources, self._digest))

    def _group(self, group_version: str) -> bytes:
        return orjson.dumps(openapi_v3_group(self._resources, group_version))

    def _v2_json(self) -> bytes:
        return orjson.dumps(openapi_v2_json(self._resources))

    def _v2_protobuf(self) -> bytes:
        return openapi_v2_protobuf(self._resources)
