"""Model servers that are asked over gRPC: where they listen, and where they are probed."""

from __future__ import annotations

from collections.abc import Iterable

from rouse.api.base import Object
from rouse.compiler.arguments import HTTP_PORT_ARGUMENT, argument

__all__ = ["GRPC_PORT", "GRPC_PORT_ARGUMENT", "asks_grpc", "with_grpc_port"]

GRPC_PORT = 8081
GRPC_PORT_ARGUMENT = "--grpc_port"

_GRPC = "grpc-v2"
_NAMES = ("h2c", "grpc")
_PROTOCOL_ARGUMENTS = ("--predictor_protocol", "--protocol")


def with_grpc_port(container: Object) -> Object:
    """Return the container so that it serves gRPC where its first port is named for it.

    KServe's servers always listen on 8081, and its users name that port h2c and say no more.
    Rouse's are told to; a server that takes other arguments is left alone. A probe that the runtime
    asks at the HTTP port would ask a port that Knative does not know of.
    """
    port = (container.get("ports") or [{}])[0]
    args = list(container.get("args") or ())
    if not port.get("name", "").startswith(_NAMES) or argument(args, HTTP_PORT_ARGUMENT) is None:
        return container
    number = port["containerPort"]
    if argument(args, GRPC_PORT_ARGUMENT) is None:
        args.append(f"{GRPC_PORT_ARGUMENT}={number}")
    served = {**container, "args": args}
    probe = container.get("readinessProbe") or {}
    declared = [each["containerPort"] for each in container["ports"]]
    if "httpGet" in probe and probe["httpGet"].get("port") not in declared:
        others = {key: value for key, value in probe.items() if key != "httpGet"}
        served["readinessProbe"] = {**others, "tcpSocket": {"port": number}}
    return served


def asks_grpc(args: Iterable[str]) -> bool:
    """Whether a transformer with these arguments asks its predictor over gRPC."""
    given = list(args)
    return any(argument(given, name) == _GRPC for name in _PROTOCOL_ARGUMENTS)
