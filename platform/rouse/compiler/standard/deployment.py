"""The Deployment of a component."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from rouse.api.base import Object, Strings
from rouse.compiler.collocation import TRANSFORMER_CONTAINER
from rouse.compiler.component import ResolvedComponent, main_container
from rouse.compiler.config import Config
from rouse.compiler.metadata import make_metadata
from rouse.compiler.names import TEMPLATE_HASH
from rouse.compiler.owner import Owner
from rouse.compiler.standard.scaling import SCALING_ANNOTATIONS, Scaling

__all__ = ["DEFAULT_PORT", "entrance_of", "make_deployment", "spec_hash", "workload_selector"]

DEFAULT_PORT = 8080
"""Where a container listens that names no port."""

_HANDLERS = ("grpc", "httpGet", "tcpSocket")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PACE: Final[Object] = {"periodSeconds": 1, "failureThreshold": 30}
"""A server is found ready within a second, as by Knative. By default Kubernetes asks every ten,
and three failures take the requests away: as long as thirty here."""
_ROLLING = "RollingUpdate"


def workload_selector(component: ResolvedComponent) -> Strings:
    """Return the label of the component's pods that nothing else has; KServe's."""
    return {"app": f"isvc.{component.name}"}


def entrance_of(pod: Mapping[str, Any]) -> str:
    """Return the name of the container that requests enter by."""
    names = [container["name"] for container in pod["containers"]]
    return TRANSFORMER_CONTAINER if TRANSFORMER_CONTAINER in names else main_container(dict(pod))


def make_deployment(
    owner: Owner,
    component: ResolvedComponent,
    scaling: Scaling,
    config: Config,
    *,
    rolling: Object | None = None,
) -> Object:
    """Return the Deployment of a component.

    It has no number of replicas where an autoscaler sets that. ``rolling`` is for workers, which
    take no requests themselves: the one way in which they may be replaced step by step.
    """
    entrance = entrance_of(component.pod_spec) if rolling is None else None
    containers = [
        _serving(each) if each["name"] == entrance else each
        for each in component.pod_spec["containers"]
    ]
    annotations = {k: v for k, v in component.annotations.items() if k not in SCALING_ANNOTATIONS}
    selector = workload_selector(component)
    spec: Object = {
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {"labels": {**component.labels, **selector}, "annotations": annotations},
            "spec": {**component.pod_spec, "containers": containers},
        },
    }
    if scaling.fixed is not None:
        spec["replicas"] = scaling.fixed
    strategy = _strategy(component, config, rolling)
    if strategy:
        spec["strategy"] = strategy
    metadata = make_metadata(owner, component.name, component.component)
    metadata["annotations"] = {TEMPLATE_HASH: _hash(spec)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def spec_hash(deployment: Mapping[str, Any]) -> str:
    """Return the hash a Deployment carries of what was wanted; empty when it has none."""
    annotations = deployment["metadata"].get("annotations") or {}
    return str(annotations.get(TEMPLATE_HASH, ""))


def _strategy(component: ResolvedComponent, config: Config, only_rolling: Object | None) -> Object:
    """Return the strategy: the user's, else the installation's; empty for Kubernetes' own."""
    own = component.spec.deployment_strategy
    strategy = own.to_object() if own is not None else config.deployment_rollout.to_object()
    if only_rolling is not None and strategy.get("type", _ROLLING) == _ROLLING:
        strategy = {"type": _ROLLING, "rollingUpdate": only_rolling}
    if strategy.get("rollingUpdate"):
        strategy = {**strategy, "rollingUpdate": _numbers(strategy["rollingUpdate"])}
    return strategy


def _numbers(rolling: Object) -> Object:
    """Return plain numbers as numbers: ``"0"``, as KServe's samples write it.

    Kubernetes takes a text only as a percentage.
    """
    return {
        field: int(value) if isinstance(value, str) and value.isdecimal() else value
        for field, value in rolling.items()
    }


def _serving(container: Object) -> Object:
    """Return the container with what Knative would fill in: its port and when it is ready."""
    ports = container.get("ports") or [{"containerPort": DEFAULT_PORT, "protocol": "TCP"}]
    port = ports[0]["containerPort"]
    probes = {
        name: _probe(container[name], port) for name in _PROBES if container.get(name) is not None
    }
    readiness = probes.setdefault("readinessProbe", {"tcpSocket": {"port": port}})
    if not readiness.keys() & {"exec", *_PACE}:
        probes["readinessProbe"] = {**readiness, **_PACE}
    return {**container, "ports": ports, **probes}


def _probe(probe: Object, port: int) -> Object:
    """Return the probe with a port; Knative lets it be left out."""
    handler = next((each for each in _HANDLERS if each in probe), None)
    if handler is None:
        return probe if "exec" in probe else {**probe, "tcpSocket": {"port": port}}
    given = probe[handler] or {}
    return probe if given.get("port") else {**probe, handler: {**given, "port": port}}


def _hash(spec: Object) -> str:
    # The live spec cannot be compared: a server fills defaults in and writes quantities anew.
    canonical = orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]
