"""What of a Deployment's pods a standby must have from the start, and what it can be given later.

A pod cannot be changed once it runs, but for labels and annotations. So all that the kubelet, the
scheduler or an admission webhook act on is the *shape*: services of one shape, in one namespace,
can share standby pods, and a standby pod is as any of their own would be. The rest is *handed
over*: what the model server reads when it starts to serve, and what others find the pod by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from rouse.api.base import Object, Strings
from rouse.api.quantities import amount
from rouse.compiler.component import main_container
from rouse.compiler.storage.containers import matching_container
from rouse.compiler.storage.names import CACHED_ANNOTATION, STORAGE_URI

__all__ = ["Fit", "Handed", "Shape", "UnfitError", "fit_of"]

_WARM: Final = "embedded.rouse.dev/warm"
_COMMAND: Final = "embedded.rouse.dev/command"
_OWN_SERVER: Final = '"predictors.'
_PORT_FLAG: Final = "--http_port"
_FORKING: Final = "--workers"
_EXPANDED: Final = "$("
_PROBED: Final = frozenset({"/", "/v2/health/live", "/v2/health/ready"})
"""Paths of health checks that a standby answers."""
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_LATE: Final = frozenset({STORAGE_URI, "PREDICT_PROBA"})
_LATE_PREFIXES: Final = ("ROUSE_", "OTEL_")
_NAME_PREFIXES: Final = ("serving.kserve.io/", "app.kubernetes.io/")
_TOLD: Final = "rouse.dev/"
"""Annotations that no webhook acts on; any other may be why a pod is as it is."""
_DIGEST: Final = 10


class UnfitError(Exception):
    """No standby pod can become one of these pods; the text says why."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What a standby pod is given when it becomes a replica."""

    args: tuple[str, ...]
    env: Strings
    annotations: Strings


@dataclass(frozen=True, slots=True)
class Shape:
    """What a standby pod has from the start."""

    labels: Strings
    annotations: Strings
    pod: Object
    """The pod's fields; the container has neither arguments nor the variables handed over."""
    container: str
    port: int
    memory: int
    """What the pod requests, in bytes."""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = [self.labels, self.annotations, self.pod]
        encoded = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        object.__setattr__(self, "digest", hashlib.sha256(encoded).hexdigest()[:_DIGEST])


@dataclass(frozen=True, slots=True)
class Fit:
    """A Deployment's pods as a standby's shape, and what makes them of it."""

    shape: Shape
    handed: Handed


def fit_of(template: Mapping[str, Any], storage_containers: Iterable[Object] = ()) -> Fit:
    """Split a pod template. Raises UnfitError where there can be no standby for it."""
    metadata = template.get("metadata") or {}
    annotations: Strings = metadata.get("annotations") or {}
    pod: Object = template["spec"]
    name = main_container(pod)
    container = next(each for each in pod["containers"] if each["name"] == name)
    _check_server(container, annotations)
    port = container["ports"][0]["containerPort"]
    args = _arguments(container, port)
    _check_probes(container)
    cached = CACHED_ANNOTATION in annotations
    late, early = _variables(container, cached=cached)
    uri = late.get(STORAGE_URI, "")
    if uri and matching_container([uri], storage_containers) is not None:
        raise UnfitError(
            f"{uri} is fetched by a container of its own, of a ClusterStorageContainer"
        )
    lean = {k: v for k, v in container.items() if k not in ("args", "env")}
    if early:
        lean["env"] = early
    containers = [lean if each is container else each for each in pod["containers"]]
    told, decisive = _parted(annotations, _is_told)
    _, labels = _parted(metadata.get("labels") or {}, _is_name)
    shape = Shape(
        labels, decisive, {**pod, "containers": containers}, name, port, _memory(containers)
    )
    return Fit(shape, Handed(args, late, told))


def _check_server(container: Object, annotations: Strings) -> None:
    own = annotations.get(_WARM) == "true" and _OWN_SERVER in annotations.get(_COMMAND, "")
    if not own or container.get("command"):
        raise UnfitError("its server is not one of Rouse's")
    if not container.get("ports"):
        raise UnfitError("its container names no port")


def _arguments(container: Object, port: int) -> tuple[str, ...]:
    args = tuple(container.get("args") or ())
    for index, arg in enumerate(args):
        flag, _, value = arg.partition("=")
        if _EXPANDED in arg:
            raise UnfitError(f"the kubelet puts variables into its argument {arg}")
        if flag == _FORKING:
            raise UnfitError("its server has several processes")
        if flag == _PORT_FLAG and (value or "".join(args[index + 1 : index + 2])) != str(port):
            raise UnfitError(f"its server listens on another port than the first one, {port}")
    return args


def _check_probes(container: Object) -> None:
    for kind in _PROBES:
        probe = container.get(kind) or {}
        path = (probe.get("httpGet") or {}).get("path", "/")
        if path not in _PROBED:
            raise UnfitError(f"its {kind} asks for {path}, which a server without a model lacks")
        if "exec" in probe or "grpc" in probe:
            raise UnfitError(f"its {kind} is none over HTTP or TCP")


def _variables(container: Object, *, cached: bool) -> tuple[Strings, list[Object]]:
    """Return the variables to hand over, and those the container has from the start."""
    late: Strings = {}
    early: list[Object] = []
    for variable in container.get("env") or ():
        name, value = variable["name"], variable.get("value", "")
        if "valueFrom" in variable or not (name in _LATE or name.startswith(_LATE_PREFIXES)):
            early.append(variable)
            continue
        if _EXPANDED in value:
            raise UnfitError(f"the kubelet puts variables into its variable {name}")
        late[name] = value
        if cached and name == STORAGE_URI:
            # The pod webhook mounts the node's cache for who fetches.
            early.append(variable)
    return late, early


def _parted(given: Strings, is_late: Callable[[str], bool]) -> tuple[Strings, Strings]:
    late = {name: value for name, value in given.items() if is_late(name)}
    return late, {name: value for name, value in given.items() if name not in late}


def _is_told(annotation: str) -> bool:
    return annotation.startswith(_TOLD)


def _is_name(label: str) -> bool:
    """Whether a label is what others find pods by; those of webhooks carry a domain."""
    return "/" not in label or label.startswith(_NAME_PREFIXES)


def _memory(containers: Iterable[Object]) -> int:
    total = 0
    for container in containers:
        resources = container.get("resources") or {}
        for part in ("requests", "limits"):
            said = (resources.get(part) or {}).get("memory")
            if said is not None:
                total += int(amount(said))
                break
    return total
