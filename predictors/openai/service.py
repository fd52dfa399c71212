"""OpenAI's endpoints over a data plane, for all its models that have an ability."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

import orjson

from predictors.openai import texts, vectors
from predictors.openai.abilities import ABILITIES, Adapted, Reranks
from predictors.openai.answers import Chat, Completion
from predictors.openai.asking import Target, deadline_of, find, refusals
from predictors.openai.errors import answer_of
from predictors.openai.requests import asked_chat, asked_completion
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import ModelNotFoundError, NotFoundError, RequestError
from predictors.serving.model import Model
from predictors.serving.protocols import check_media_type, parse_object
from predictors.serving.routes import HttpAnswer, HttpRequest, Route

__all__ = ["OpenAI"]

_log = logging.getLogger(__name__)

_BASES: Final = ("/openai/v1", "/v1")
_COHERE: Final = "/v2/rerank"
"""Where Cohere's newer client asks."""

Json = Mapping[str, Any]
Work = Callable[[Target, Json, float | None], Awaitable[HttpAnswer]]


class OpenAI:
    """The endpoints; `clock` gives seconds since 1970, `ids` what answers are called."""

    def __init__(
        self,
        plane: DataPlane,
        clock: Callable[[], float] = time.time,
        ids: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._plane = plane
        self._clock = clock
        self._ids = ids
        self._started = int(clock())
        self._posted: dict[str, Work] = {
            "completions": self._completions,
            "chat/completions": self._chat,
            "embeddings": vectors.embeddings,
            "rerank": self._rerank,
        }

    def routes(self, model: Model) -> list[Route]:
        """The endpoints there are once `model` answers; none where it has no ability.

        ``/v1/models`` is KServe's, and stays so.
        """
        if not isinstance(model, ABILITIES):
            return []
        routes = [
            Route("POST", f"{base}/{path}", self._handler(work), answer_of)
            for base in _BASES
            for path, work in self._posted.items()
        ]
        routes.append(Route("GET", f"{_BASES[0]}/models", self._models, answer_of))
        if isinstance(model, Reranks):
            routes.append(Route("POST", _COHERE, self._handler(self._rerank), answer_of))
        routes.append(Route("*", f"{_BASES[0]}/*", self._nowhere, answer_of))
        named = [model.name, *(model.adapters if isinstance(model, Adapted) else ())]
        routes += [
            Route("GET", f"{_BASES[0]}/models/{name}", self._model, answer_of) for name in named
        ]
        return routes

    def _handler(self, work: Work) -> Callable[[HttpRequest], Awaitable[HttpAnswer]]:
        async def handle(request: HttpRequest) -> HttpAnswer:
            try:
                check_media_type(request.headers.get("content-type"))
                body = parse_object(request.body)
                target = find(self._plane, body.get("model"))
                deadline = deadline_of(self._plane, request.headers)
                return await work(target, body, deadline)
            except RequestError as error:
                return answer_of(error)
            except Exception:
                _log.exception("unforeseen error on %s", request.path)
                return answer_of(RequestError("Internal server error."))

        return handle

    async def _completions(self, target: Target, body: Json, deadline: float | None) -> HttpAnswer:
        form = Completion(self._ids(), str(body["model"]), int(self._clock()))
        with refusals(target.endpoint):
            asked = asked_completion(body)
        return await texts.answer(target, asked, form, deadline)

    async def _chat(self, target: Target, body: Json, deadline: float | None) -> HttpAnswer:
        form = Chat(self._ids(), str(body["model"]), int(self._clock()))
        with refusals(target.endpoint):
            asked = asked_chat(body)
        return await texts.answer(target, asked, form, deadline)

    async def _rerank(self, target: Target, body: Json, deadline: float | None) -> HttpAnswer:
        return await vectors.rerank(target, body, deadline, self._ids())

    async def _models(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(body=orjson.dumps({"object": "list", "data": self._listed()}))

    async def _nowhere(self, request: HttpRequest) -> HttpAnswer:
        """What is not served: a model that there is not, or an endpoint."""
        name = request.path.removeprefix(f"{_BASES[0]}/models/")
        if name != request.path:
            find(self._plane, unquote(name))
        raise NotFoundError(
            f"{request.method} {request.path} is not served here; of OpenAI's endpoints there are "
            f"models, {', '.join(self._posted)}."
        )

    async def _model(self, request: HttpRequest) -> HttpAnswer:
        name = request.path.removeprefix(f"{_BASES[0]}/models/")
        found = next((entry for entry in self._listed() if entry["id"] == name), None)
        if found is None:
            return answer_of(ModelNotFoundError(f"The model {name!r} does not exist."))
        return HttpAnswer(body=orjson.dumps(found))

    def _listed(self) -> list[dict[str, Any]]:
        listed = []
        for name in dict.fromkeys(entry.name for entry in self._plane.index(ready_only=True)):
            model = self._plane.get(name)
            if not isinstance(model, ABILITIES):
                continue
            listed.append(self._entry(name))
            if isinstance(model, Adapted):
                listed += [{**self._entry(each), "parent": name} for each in model.adapters]
        return listed

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": "rouse"}
