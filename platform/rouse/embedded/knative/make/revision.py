"""Configuration -> Revision, with every default written out, so that it never changes later."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from typing import Final

from rouse.autoscaler import AutoscalerSpec, resolve_spec
from rouse.autoscaler.durations import parse_duration
from rouse.embedded.knative import names
from rouse.embedded.knative.make.configuration import passed_on
from rouse.embedded.knative.make.routing import PENDING
from rouse.embedded.knative.settings import Settings
from rouse.errors import FieldError, ValidationError
from rouse.kube.objects import Object, owner_reference

__all__ = [
    "autoscaler_spec_of",
    "container_concurrency",
    "make_revision",
    "progress_deadline_s",
    "serving_container",
    "timeout_s",
    "wanted_revision_name",
]

_PORT: Final = {"name": "user-port", "protocol": "TCP", "containerPort": 8080}
_DEFAULT_CONTAINER: Final = "user-container"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def wanted_revision_name(configuration: Object) -> str:
    """The name the configuration's template asks for, else the one of its generation."""
    metadata = configuration["metadata"]
    given = (configuration["spec"]["template"].get("metadata") or {}).get("name")
    if not given:
        return names.revision_name(metadata["name"], int(metadata.get("generation", 1)))
    if not given.startswith(metadata["name"] + "-") or not _NAME.fullmatch(given):
        raise ValidationError(
            "Configuration",
            metadata["name"],
            [
                FieldError(
                    "spec.template.metadata.name",
                    f"{given!r} must be a DNS label that begins with {metadata['name']}-",
                )
            ],
        )
    return str(given)


def make_revision(configuration: Object, settings: Settings) -> Object:
    """The Revision of the configuration's present template."""
    metadata = configuration["metadata"]
    template = configuration["spec"]["template"]
    meta = template.get("metadata") or {}
    parent = metadata.get("labels") or {}
    labels = {
        **(meta.get("labels") or {}),
        names.CONFIGURATION_LABEL: metadata["name"],
        names.CONFIGURATION_UID_LABEL: metadata["uid"],
        names.GENERATION_LABEL: str(metadata.get("generation", 1)),
        names.ROUTING_STATE_LABEL: PENDING,
    }
    for label in (names.SERVICE_LABEL, names.SERVICE_UID_LABEL):
        if label in parent:
            labels[label] = parent[label]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": wanted_revision_name(configuration),
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": passed_on(meta.get("annotations")),
            "ownerReferences": [owner_reference(configuration)],
        },
        "spec": _defaulted(template["spec"], settings),
    }


def _defaulted(spec: Object, settings: Settings) -> Object:
    spec = deepcopy(spec)
    defaults = settings.defaults
    spec.setdefault("containerConcurrency", defaults.container_concurrency)
    spec.setdefault("timeoutSeconds", defaults.timeout_s)
    spec.setdefault("enableServiceLinks", False)
    containers = spec["containers"]
    for index, container in enumerate(containers):
        suffix = "" if len(containers) == 1 else f"-{index}"
        container.setdefault("name", _DEFAULT_CONTAINER + suffix)
    main = serving_container(spec)
    given = (main.get("ports") or [{}])[0]
    main["ports"] = [_PORT | given]
    probe = main.setdefault("readinessProbe", {})
    probe.setdefault("successThreshold", 1)
    if not any(handler in probe for handler in ("httpGet", "tcpSocket", "exec", "grpc")):
        probe["tcpSocket"] = {"port": 0}
    _fill_probe_ports(main)
    return spec


def _fill_probe_ports(container: Object) -> None:
    """A probe's port 0, or none, is the container's own."""
    port = container["ports"][0]["containerPort"]
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        for handler in ("httpGet", "tcpSocket", "grpc"):
            found = (container.get(kind) or {}).get(handler)
            if found is not None and not found.get("port"):
                found["port"] = port


def serving_container(spec: Object) -> Object:
    """The container that takes requests: the first with ports, else the first."""
    containers = spec["containers"]
    found: Object = next((one for one in containers if one.get("ports")), containers[0])
    return found


def container_concurrency(revision: Object) -> int:
    """Requests a replica may have in flight; 0 is no limit."""
    return int(revision["spec"].get("containerConcurrency") or 0)


def timeout_s(revision: Object) -> float:
    """Seconds a request may take, waiting included."""
    return float(revision["spec"].get("timeoutSeconds") or 300)


def progress_deadline_s(revision: Object, settings: Settings) -> float:
    """Seconds a replica may take to become ready."""
    text = (revision["metadata"].get("annotations") or {}).get(names.PROGRESS_DEADLINE)
    if text is None:
        return settings.defaults.progress_deadline_s
    try:
        return parse_duration(text)
    except ValueError as error:
        field = FieldError(f"metadata.annotations[{names.PROGRESS_DEADLINE}]", str(error))
        raise ValidationError("Revision", revision["metadata"]["name"], [field]) from error


def autoscaler_spec_of(revision: Object, settings: Settings) -> AutoscalerSpec:
    """The revision's autoscaling settings; ValidationError lists every wrong annotation."""
    metadata = revision["metadata"]
    concurrency = container_concurrency(revision)
    spec = resolve_spec(
        metadata.get("annotations") or {}, settings.autoscaler, concurrency, name=metadata["name"]
    )
    if concurrency == 0:
        return spec
    # Every request then takes the one path on which replicas are held to the limit.
    return replace(spec, decider=replace(spec.decider, target_burst_capacity=-1))
