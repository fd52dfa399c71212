"""The arguments KServe gives to servers that call the predictor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rouse.api.base import Object
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import PREDICTOR
from rouse.compiler.names import component_name

__all__ = [
    "HTTP_PORT",
    "HTTP_PORT_ARGUMENT",
    "add_arguments",
    "argument",
    "caller_arguments",
    "with_arguments",
]

HTTP_PORT = 8080
HTTP_PORT_ARGUMENT = "--http_port"

_MODEL_NAME = "--model_name"
_PREDICTOR_HOST = "--predictor_host"


def caller_arguments(isvc: InferenceService, predictor_host: str | None = None) -> dict[str, str]:
    """Return what a transformer or explainer is told; the predictor's own host if none is given."""
    own = component_name(isvc.name, PREDICTOR, isvc.spec.predictor.name)
    host = predictor_host or f"{own}.{isvc.namespace}"
    return {
        _MODEL_NAME: isvc.name,
        _PREDICTOR_HOST: host,
        HTTP_PORT_ARGUMENT: str(HTTP_PORT),
    }


def with_arguments(containers: Iterable[Object], arguments: Mapping[str, str]) -> list[Object]:
    """Return the containers, with the arguments that the one that serves does not have yet."""
    listed = list(containers)
    serving = next(
        (i for i, each in enumerate(listed) if each.get("name") == MAIN_CONTAINER),
        0,
    )
    listed[serving] = add_arguments(listed[serving], arguments)
    return listed


def add_arguments(container: Object, arguments: Mapping[str, str]) -> Object:
    """Return the container with those of the arguments that it does not have yet."""
    given = list(container.get("args") or ())
    for name, value in arguments.items():
        if argument(given, name) is None:
            given += [name, value]
    return {**container, "args": given}


def argument(args: Iterable[str], name: str) -> str | None:
    """Return the value of the last such argument (``--name value``, ``--name=value``)."""
    found, before = None, ""
    for each in args:
        if before == name:
            found = each
        elif each.startswith(f"{name}="):
            found = each[len(name) + 1 :]
        before = each
    return found if before != name else ""
