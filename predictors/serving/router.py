"""Paths to endpoints: one dictionary look-up for known paths, parsing only for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import orjson

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import (
    MethodNotAllowedError,
    ModelNotFoundError,
    ModelNotReadyError,
    NotFoundError,
)
from predictors.serving.metrics import ModelMetrics, ServerMetrics
from predictors.serving.model import Model
from predictors.serving.protocols import Answer, v1, v2

__all__ = ["JSON", "Lane", "Page", "Router"]

JSON: Final = "application/json"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], tuple[str, bytes]]
"""What a GET answers: its content type and body; may raise `RequestError`."""


class Lane:
    """Inference on one model over one protocol; `seconds` is a moving average of its cost."""

    __slots__ = ("handle", "metrics", "name", "seconds", "version")

    def __init__(
        self,
        handle: Callable[[Model, bytes], Answer],
        name: str,
        metrics: ModelMetrics,
        version: str | None = None,
    ) -> None:
        self.handle = handle
        self.name = name
        self.metrics = metrics
        self.version = version
        self.seconds = 0.0


class Router:
    """Finds what a path means. Attributes `pages` and `lanes` hold the known paths."""

    def __init__(self, plane: DataPlane, metrics: ServerMetrics, server: Mapping[str, Any]) -> None:
        self._plane = plane
        self._metrics = metrics
        self.draining = False
        self.pages: dict[str, Page] = {
            "/": _fixed({"status": "alive"}),
            "/v1/models": self._models,
            "/v2": _fixed(server),
            "/v2/": _fixed(server),
            "/v2/health/live": _fixed({"live": True}),
            "/v2/health/ready": self._ready,
            "/v2/models": self._models,
            "/metrics": lambda: (_PROMETHEUS, metrics.text()),
        }
        self.lanes: dict[str, Lane] = {}
        for name in plane:
            self._add(name)

    def page(self, method: str, path: str) -> Page:
        """The page of a path. Raises `NotFoundError` or `MethodNotAllowedError`."""
        page = self.pages.get(path)
        if page is None:
            known = self._parse(path)
            if isinstance(known, Lane):
                raise MethodNotAllowedError(method, path, ("POST",))
            return known
        return page

    def lane(self, method: str, path: str) -> Lane:
        """The lane of a path. Raises `NotFoundError` or `MethodNotAllowedError`."""
        lane = self.lanes.get(path)
        if lane is None:
            known = self._parse(path)
            if not isinstance(known, Lane):
                raise MethodNotAllowedError(method, path, ("GET", "HEAD"))
            return known
        return lane

    def refuse(self, method: str, path: str) -> MethodNotAllowedError:
        """The error of a method no path takes. Raises `NotFoundError` for an unknown path."""
        known = self._parse(path)
        allowed = ("POST",) if isinstance(known, Lane) else ("GET", "HEAD")
        return MethodNotAllowedError(method, path, allowed)

    def _add(self, name: str) -> None:
        metrics = self._metrics.models[name]
        self.pages[f"/v1/models/{name}"] = lambda: self._model_ready(name)
        self.pages[f"/v2/models/{name}"] = lambda: self._metadata(name)
        self.pages[f"/v2/models/{name}/ready"] = lambda: self._model_ready(name)
        self.lanes[f"/v1/models/{name}:predict"] = Lane(v1.predict, name, metrics)
        self.lanes[f"/v2/models/{name}/infer"] = Lane(v2.infer_json, name, metrics)

    def _parse(self, path: str) -> Page | Lane:
        """What a path means that may be percent-encoded, versioned, or wrong."""
        path = unquote(path)
        known = self.pages.get(path) or self.lanes.get(path)
        if known is not None:
            return known
        match path.split("/")[1:]:
            case ["v1", "models", last]:
                self._known(last.rpartition(":")[0] or last)
            case ["v2", "models", name, *rest]:
                self._known(name)
                versioned = self._versioned(name, rest)
                if versioned is not None:
                    return versioned
        raise NotFoundError(f"Path {path} does not exist on this server.")

    def _versioned(self, name: str, rest: list[str]) -> Page | Lane | None:
        match rest:
            case ["versions", version]:
                return lambda: self._metadata(name, version)
            case ["versions", version, "ready"]:
                return lambda: self._model_ready(name, version)
            case ["versions", version, "infer"]:
                return Lane(v2.infer_json, name, self._metrics.models[name], version)
        return None

    def _known(self, name: str) -> None:
        if name not in self._metrics.models:
            raise ModelNotFoundError(f"Model with name {name} does not exist.")

    def _models(self) -> tuple[str, bytes]:
        return JSON, orjson.dumps({"models": list(self._plane)})

    def _ready(self) -> tuple[str, bytes]:
        if self.draining:
            raise ModelNotReadyError("The server is shutting down.")
        if not self._plane.ready():
            raise ModelNotReadyError("The server is not ready: its model is loading.")
        return JSON, b'{"ready":true}'

    def _model_ready(self, name: str, version: str | None = None) -> tuple[str, bytes]:
        if self.draining:
            raise ModelNotReadyError(f"Model with name {name} is shutting down.")
        self._plane.get(name, version)
        return JSON, orjson.dumps({"name": name, "ready": True})

    def _metadata(self, name: str, version: str | None = None) -> tuple[str, bytes]:
        return JSON, orjson.dumps(v2.model_metadata(self._plane.get(name, version)))


def _fixed(body: Mapping[str, Any]) -> Page:
    answer = JSON, orjson.dumps(body)
    return lambda: answer
