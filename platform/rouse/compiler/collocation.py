"""A transformer in the predictor's own pod: the container named transformer-container.

Requests enter by the transformer, which calls the model server on localhost.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.arguments import (
    HTTP_PORT,
    HTTP_PORT_ARGUMENT,
    add_arguments,
    argument,
    caller_arguments,
)
from rouse.compiler.grpcport import GRPC_PORT, GRPC_PORT_ARGUMENT, asks_grpc

__all__ = ["TRANSFORMER_CONTAINER", "collocate"]

TRANSFORMER_CONTAINER = "transformer-container"

_MODEL_PORT = 8085
"""Of the model server, where it would listen on the transformer's port."""
_GRPC_PORTS = (GRPC_PORT, 8086, 8087)
"""Where it serves gRPC: the first that neither its HTTP nor the transformer has, in one pod."""

# Knative takes these of the one container that requests enter by, and ports beside it of no other.
_OF_THE_ENTRANCE = ("livenessProbe", "ports", "readinessProbe", "startupProbe")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def collocate(isvc: InferenceService, pod: Object) -> Object:
    """Return the predictor's pod with its transformer in front; as it is without one."""
    named = {container["name"]: container for container in pod["containers"]}
    transformer, server = named.get(TRANSFORMER_CONTAINER), named.get(MAIN_CONTAINER)
    if transformer is None or server is None:
        return pod
    port = _port(transformer)
    server, server_port = _moved(server, port)
    if asks_grpc(transformer.get("args") or ()):
        server, server_port = _with_grpc(server, server_port, taken=port)
    arguments = caller_arguments(isvc, f"localhost:{server_port}")
    arguments[HTTP_PORT_ARGUMENT] = str(port)
    transformer = add_arguments(transformer, arguments)
    transformer.setdefault("ports", [{"containerPort": port, "protocol": "TCP"}])
    changed = {TRANSFORMER_CONTAINER: transformer, MAIN_CONTAINER: server}
    return {**pod, "containers": [changed.get(each["name"], each) for each in pod["containers"]]}


def _moved(server: Object, taken: int) -> tuple[Object, int]:
    """Return the model server on a port that is not taken, and the port."""
    port = _port(server)
    moved = {key: value for key, value in server.items() if key not in _OF_THE_ENTRANCE}
    if port != taken:
        return {**moved, **_readiness(server, port, port)}, port
    args = [*(server.get("args") or ()), f"{HTTP_PORT_ARGUMENT}={_MODEL_PORT}"]
    return {**moved, **_readiness(server, port, _MODEL_PORT), "args": args}, _MODEL_PORT


def _readiness(server: Object, former: int, port: int) -> Object:
    """Return the model server's readiness probe, by the number of its port.

    Without one the pod would get requests as soon as the transformer can take them.
    """
    probe = server.get("readinessProbe")
    if not probe:
        return {}
    handler = next((each for each in _HANDLERS if each in probe), None)
    if handler is None:
        at_port = {} if "exec" in probe else {"tcpSocket": {"port": port}}
        return {"readinessProbe": {**probe, **at_port}}
    given = probe[handler] or {}
    # A port by its name is one of those that are left out.
    stays = isinstance(given.get("port"), int) and given["port"] != former
    told = given if stays else {**given, "port": port}
    return {"readinessProbe": {**probe, handler: told}}


def _with_grpc(server: Object, http_port: int, *, taken: int) -> tuple[Object, int]:
    """Return the model server as it serves gRPC as well, and where.

    One that does not take KServe's arguments stays as it is: its transformer is told its host.
    """
    args = server.get("args") or ()
    told = argument(args, GRPC_PORT_ARGUMENT)
    if told is not None and told.isdecimal():
        return server, int(told)
    if argument(args, HTTP_PORT_ARGUMENT) is None:
        return server, http_port
    port = next(each for each in _GRPC_PORTS if each not in (http_port, taken))
    return {**server, "args": [*args, f"{GRPC_PORT_ARGUMENT}={port}"]}, port


def _port(container: Object) -> int:
    """Return the port a container listens on: by its arguments, its ports, or 8080."""
    told = argument(container.get("args") or (), HTTP_PORT_ARGUMENT)
    if told is not None and told.isdecimal():
        return int(told)
    ports = container.get("ports") or [{"containerPort": HTTP_PORT}]
    return int(ports[0].get("containerPort", HTTP_PORT))
