"""Endpoints of MLServer models: methods marked ``@custom_handler``, called as FastAPI would."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

import orjson

from predictors.custom.calls import Calls
from predictors.custom.failures import failed
from predictors.custom.loops import UserLoop
from predictors.serving.errors import InvalidInputError, UnsupportedError
from predictors.serving.routes import HttpAnswer, HttpRequest, Route

__all__ = ["routes_of"]

_MARK = "__custom_handler__"


def routes_of(made: object, loop: UserLoop, model: str) -> Sequence[Route]:
    """One route for each method of `made` that is marked."""
    routes = []
    for _, member in inspect.getmembers(made, callable):
        mark = getattr(member, _MARK, None)
        if mark is not None:
            handler = _Handler(member, loop, model)
            routes.append(Route(mark.rest_method.upper(), mark.rest_path, handler))
    return routes


class _Handler:
    """Gives a method what its arguments are annotated as: the body, or the whole request."""

    def __init__(self, function: Callable[..., Any], loop: UserLoop, model: str) -> None:
        self._function = function
        self._loop = loop
        self._model = model
        self._calls = Calls()
        try:
            self._hints = get_type_hints(function)
        except (NameError, TypeError):
            self._hints = {}
        self._parameters = list(inspect.signature(function).parameters.values())

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request. Raises `RequestError`."""
        try:
            return await self._loop.ask(self._answered(request))
        except Exception as error:
            raise failed(self._model, error) from error

    async def _answered(self, request: HttpRequest) -> HttpAnswer:
        arguments = {p.name: self._argument(p, request) for p in self._parameters}
        return _answer(await self._calls(self._function, **arguments))

    def _argument(self, parameter: inspect.Parameter, request: HttpRequest) -> Any:
        hint = self._hints.get(parameter.name, parameter.annotation)
        if isinstance(hint, type):
            if hint.__name__ == "Request":
                return _starlette(hint, request)
            if hint is bytes:
                return request.body
            if hasattr(hint, "model_validate"):
                return _validated(hint, request.body, parameter.name)
        if not request.body and parameter.default is not parameter.empty:
            return parameter.default
        try:
            return orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise InvalidInputError(f"The body is not valid JSON: {error}.") from None


def _validated(model: Any, body: bytes, name: str) -> Any:
    try:
        return model.model_validate_json(body)
    except ValueError as error:  # pydantic's ValidationError is one
        lines = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise InvalidInputError(f"The body is no {name}: {lines}") from None


def _starlette(kind: Any, request: HttpRequest) -> Any:
    """A Starlette request of what came. FastAPI's is the same class."""
    if not kind.__module__.startswith("starlette"):
        raise UnsupportedError(f"{kind.__module__}.Request is not known here; take starlette's.")
    headers = [
        (key.encode("latin-1"), text.encode("latin-1")) for key, text in request.headers.items()
    ]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": request.query.encode(),
        "headers": headers,
    }
    return kind(scope, receive)


def _answer(result: Any) -> HttpAnswer:
    """What the method returned: a Starlette response, a pydantic model, text, or JSON."""
    if hasattr(result, "status_code") and isinstance(getattr(result, "body", None), bytes):
        kind = result.headers.get("content-type", "application/octet-stream")
        more = [(k, v) for k, v in result.headers.items() if k not in _OWN]
        return HttpAnswer(result.status_code, result.body, kind, more)
    if hasattr(result, "model_dump"):
        result = result.model_dump()
    return HttpAnswer(body=orjson.dumps(result, option=_OPTIONS, default=_plain))


_OWN = ("content-type", "content-length")
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
