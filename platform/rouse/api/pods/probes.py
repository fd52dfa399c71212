"""How a container is asked whether it lives and whether it is ready."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import IntOrString, Model, atomic

__all__ = ["Probe"]


class HTTPHeader(Model):
    """A header of a probe's request."""

    name: str
    value: str


class HTTPGetAction(Model):
    """Healthy when GET answers 200 to 399."""

    path: str | None = None
    """Path of the request; / when not given."""
    port: IntOrString = None
    """Number or name of the port; the container's own port when not given."""
    scheme: Literal["HTTP", "HTTPS"] | None = None
    host: str | None = None
    """Host to connect to; the pod's address when not given."""
    http_headers: Annotated[list[HTTPHeader] | None, atomic()] = None


class TCPSocketAction(Model):
    """Healthy when a connection opens."""

    port: IntOrString = None
    host: str | None = None


class GRPCAction(Model):
    """Healthy when the gRPC health service says SERVING."""

    port: int | None = None
    service: str | None = None


class ExecAction(Model):
    """Healthy when the command exits with 0."""

    command: Annotated[list[str] | None, atomic()] = None


class Probe(Model):
    """One question asked of a container again and again."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: Annotated[int, Field(ge=0)] | None = None
    period_seconds: Annotated[int, Field(ge=0)] | None = None
    """Seconds between two probes; Knative probes faster than this while a replica starts."""
    timeout_seconds: Annotated[int, Field(ge=0)] | None = None
    success_threshold: Annotated[int, Field(ge=0)] | None = None
    failure_threshold: Annotated[int, Field(ge=0)] | None = None
    termination_grace_period_seconds: int | None = None
