"""Paths to endpoints: one dictionary look-up for known paths, parsing only for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import MethodNotAllowedError, ModelNotReadyError, NotFoundError
from predictors.serving.lanes import V1, V1_EXPLAIN, V2, Lane, Verb
from predictors.serving.model import Model
from predictors.serving.protocols import v2
from predictors.serving.repository.endpoints import Action, action
from predictors.serving.repository.states import State
from predictors.serving.routes import Described, Route

__all__ = ["JSON", "Page", "Router", "Target"]

JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], tuple[str, bytes]]
"""What a GET answers: its content type and body; may raise `RequestError`."""

Target = Page | Lane | Action | Route

_V1_VERBS: Final[Mapping[str, Verb]] = {"predict": Verb.INFER, "explain": Verb.EXPLAIN}
_OPENAI_ABILITIES: Final = ("complete", "chat", "embed", "rerank")
_V2_VERBS: Final[Mapping[str, Verb]] = {
    "infer": Verb.INFER,
    "explain": Verb.EXPLAIN,
    "infer_stream": Verb.STREAM,
}


class Router:
    """Finds what a path means. `pages`, `lanes` and `routes` hold the paths known by heart."""

    def __init__(
        self,
        plane: DataPlane,
        server: Mapping[str, Any],
        metrics: Callable[[], bytes] | None = None,
    ) -> None:
        self._plane = plane
        self._text = metrics or plane.metrics.text
        self.draining = False
        self.pages: dict[str, Page] = {
            "/": _fixed({"status": "alive"}),
            "/v1/models": self._models,
            "/v2": _fixed(server),
            "/v2/": _fixed(server),
            "/v2/health/live": _fixed({"live": True}),
            "/v2/health/ready": self._ready,
            "/v2/models": self._models,
            "/openapi.json": self._openapi,
            "/docs": self._all_docs,
            "/metrics": lambda: (_PROMETHEUS, self._text()),
        }
        self.lanes: dict[str, Lane] = {}
        self.routes: dict[str, dict[str, Route]] = {}
        self._rest: dict[str, Route] = {}
        for name in plane:
            self._learn(name)
        plane.changed.append(self._changed)

    def target(self, method: str, path: str) -> Target:
        """What a request means. Raises `NotFoundError` or `MethodNotAllowedError`."""
        routes = self.routes.get(path)
        if routes is not None:
            route = routes.get(method)
            if route is None:
                raise MethodNotAllowedError(method, path, tuple(routes))
            return route
        found = self.pages.get(path) or self.lanes.get(path) or self._parsed(unquote(path))
        if isinstance(found, Route):
            return found._replace(method=method)
        allowed = ("POST",) if isinstance(found, Lane | Action) else ("GET", "HEAD")
        if method not in allowed:
            raise MethodNotAllowedError(method, path, allowed)
        return found

    def add(self, route: Route) -> None:
        """Add an endpoint of a model or runtime; a later one of the same path takes its place.

        One whose path ends with ``/*`` answers, by any method, what nothing else below it does.
        """
        if route.path.endswith("/*"):
            self._rest[route.path.removesuffix("*")] = route
            return
        self.routes.setdefault(route.path, {})[route.method] = route

    def _changed(self, model: Model) -> None:
        self._learn(model.name)
        routes = model.routes()
        if routes:
            from predictors.serving.counting import counted_route

            answering = partial(self._plane.endpoint, model.name)
            routes = [counted_route(route, answering) for route in routes]
        for route in (*routes, *self._openai(model)):
            self.add(route)

    def _openai(self, model: Model) -> Sequence[Route]:
        """OpenAI's endpoints, for a model that has one of its abilities."""
        if not any(hasattr(model, ability) for ability in _OPENAI_ABILITIES):
            return ()
        from predictors.openai.service import OpenAI  # models of tables never need it

        return OpenAI(self._plane).routes(model)

    def _learn(self, name: str) -> None:
        """Know a model's common paths by heart. Whether it answers is the data plane's to say."""
        self.lanes[f"/v1/models/{name}:predict"] = Lane(V1, Verb.INFER, name)
        self.lanes[f"/v2/models/{name}/infer"] = Lane(V2, Verb.INFER, name)

    def _parsed(self, path: str) -> Target:
        """What a path means that may be percent-encoded, versioned, or wrong."""
        known = self.pages.get(path) or self.lanes.get(path)
        if known is not None:
            return known
        target: Target | None = None
        match path.split("/")[1:]:
            case ["v1", "models", last]:
                target = self._v1(last)
            case ["v2", "models", name, "versions", version, *rest]:
                target = self._v2(name, version, rest)
            case ["v2", "models", name, *rest]:
                target = self._v2(name, None, rest)
            case ["v2", "repository", *rest]:
                target = action(self._plane, rest)
        if target is None:
            below = (route for base, route in self._rest.items() if path.startswith(base))
            target = next(below, None)
        if target is None:
            if self._plane.loading():  # a model may bring paths of its own
                raise ModelNotReadyError(
                    f"Path {path} does not exist on this server as yet: its model is loading."
                )
            raise NotFoundError(f"Path {path} does not exist on this server.")
        return target

    def _v1(self, last: str) -> Target | None:
        name, _, verb = last.rpartition(":")
        if verb in _V1_VERBS and name:
            return Lane(V1 if verb == "predict" else V1_EXPLAIN, _V1_VERBS[verb], name)
        self._plane.known(name or last)
        return (lambda: self._model_ready(last)) if not name else None

    def _v2(self, name: str, version: str | None, rest: list[str]) -> Target | None:
        match rest:
            case []:
                return lambda: self._metadata(name, version)
            case ["ready"]:
                return lambda: self._model_ready(name, version)
            case ["openapi.json"]:
                return lambda: self._openapi(name, version)
            case ["docs"]:
                return lambda: self._docs(name, version)
            case [verb] if verb in _V2_VERBS:
                return Lane(V2, _V2_VERBS[verb], name, version)
        self._plane.known(name)
        return None

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
        body = v2.model_metadata(self._plane.get(name, version))
        body["versions"] = self._plane.versions(name)
        return JSON, orjson.dumps(body)

    def _openapi(self, name: str | None = None, version: str | None = None) -> tuple[str, bytes]:
        from predictors.serving.openapi import document  # readers wait for it, wake-ups must not

        if name is not None:
            model = self._plane.get(name, version)
            told = document([model], server=False, described=self._described)
            return JSON, orjson.dumps(told)
        ready = [entry.name for entry in self._plane.index(ready_only=True)]
        models = map(self._plane.get, dict.fromkeys(ready))
        return JSON, orjson.dumps(document(models, described=self._described))

    def _described(self, model: Model) -> list[Described]:
        """What documentation says of a model's further endpoints."""
        told = [route.described for route in model.routes() if route.described is not None]
        if any(hasattr(model, ability) for ability in _OPENAI_ABILITIES):
            from predictors.openai.documentation import described

            told += described(model)
        return told

    def _all_docs(self) -> tuple[str, bytes]:
        """The page of the only model, or links to all of them."""
        entries = self._plane.index()
        if [entry.state for entry in entries] == [State.READY]:
            return self._docs(entries[0].name)
        from predictors.serving.openapi import contents

        return _HTML, contents(entries).encode()

    def _docs(self, name: str, version: str | None = None) -> tuple[str, bytes]:
        from predictors.serving.openapi import page

        model = self._plane.get(name, version)
        return _HTML, page(model, described=self._described(model)).encode()


def _fixed(body: Mapping[str, Any]) -> Page:
    answer = JSON, orjson.dumps(body)
    return lambda: answer
