"""The V2 repository extension over HTTP: index, load and unload, with their bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InvalidInputError, RepositoryError, StorageError
from predictors.serving.protocols import parse_object

__all__ = ["Action", "action"]


class Action(NamedTuple):
    """A POST that is no inference: from its body to the JSON of its answer."""

    run: Callable[[bytes], Awaitable[bytes]]


def action(plane: DataPlane, parts: list[str]) -> Action | None:
    """What a path below ``/v2/repository/`` does; None if there is no such path."""
    match parts:
        case ["index"]:
            return Action(lambda body: _read(_index(plane, body)))
        case ["models", name, "load"]:
            return Action(lambda body: _read(_load(plane, name, body)))
        case ["models", name, "unload"]:
            return Action(lambda body: _unload(plane, name, body))
    return None


async def _read(answering: Awaitable[bytes]) -> bytes:
    """The answer, or that the repository itself is not in order."""
    try:
        return await answering
    except StorageError as error:
        raise RepositoryError(f"The model repository cannot be read: {error}") from error


async def _index(plane: DataPlane, body: bytes) -> bytes:
    ready = parse_object(body or b"{}").get("ready", False)
    if not isinstance(ready, bool):
        raise InvalidInputError("ready must be true or false.")
    await plane.discover()
    return orjson.dumps([entry._asdict() for entry in plane.index(ready)])


async def _load(plane: DataPlane, name: str, body: bytes) -> bytes:
    await plane.load(name, _parameters(body))
    return orjson.dumps({"name": name, "load": True})


async def _unload(plane: DataPlane, name: str, body: bytes) -> bytes:
    _parameters(body)
    await plane.unload(name)
    return orjson.dumps({"name": name, "unload": True})


def _parameters(body: bytes) -> dict[str, Any]:
    parameters = parse_object(body or b"{}").get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InvalidInputError("parameters must be an object.")
    return parameters
