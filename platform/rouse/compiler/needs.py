"""What compiled objects need of their cluster: Knative's feature flags, kinds, gateways."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from rouse.api.base import Object

__all__ = ["FEATURES_CONFIG_MAP", "Kind", "Needs", "explained", "needs_of"]

FEATURES_CONFIG_MAP = ("knative-serving", "config-features")

_KNATIVE = "serving.knative.dev"
_FEATURE = "kubernetes.podspec-"

# Field of a pod -> the flag of Knative that lets it through; all are off by default.
_POD_FIELDS = {
    "affinity": "affinity",
    "dnsConfig": "dnsconfig",
    "dnsPolicy": "dnspolicy",
    "hostAliases": "hostaliases",
    "hostIPC": "hostipc",
    "hostNetwork": "hostnetwork",
    "hostPID": "hostpid",
    "initContainers": "init-containers",
    "nodeSelector": "nodeselector",
    "priorityClassName": "priorityclassname",
    "runtimeClassName": "runtimeclassname",
    "schedulerName": "schedulername",
    "shareProcessNamespace": "shareprocessnamespace",
    "tolerations": "tolerations",
    "topologySpreadConstraints": "topologyspreadconstraints",
}
_VOLUMES = {
    "csi": "volumes-csi",
    "hostPath": "volumes-hostpath",
    "image": "volumes-image",
    "persistentVolumeClaim": "persistent-volume-claim",
}
# Where Knative's refusal names no field, how it begins.
_SAID = {
    "init-containers": "pod spec support for init-containers is off",
    "persistent-volume-claim": "Persistent volume claim support is disabled",
    "persistent-volume-write": "Persistent volume write support is disabled",
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ALWAYS_ADDED = {"NET_BIND_SERVICE"}


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind that some API server must know."""

    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.group}/{self.version})"


@dataclass(frozen=True, slots=True)
class Needs:
    """What is needed, each with the objects that need it."""

    features: Mapping[str, tuple[str, ...]]
    """Flags of Knative's ConfigMap config-features."""
    kinds: Mapping[Kind, tuple[str, ...]]
    """Kinds that are not Kubernetes' own."""
    gateways: Mapping[str, tuple[str, ...]]
    """Istio Gateways as <namespace>/<name>."""


def needs_of(objects: Iterable[Object]) -> Needs:
    """Return what the objects need of a cluster; both sides are sorted."""
    features: dict[str, set[str]] = {}
    kinds: dict[Kind, set[str]] = {}
    gateways: dict[str, set[str]] = {}
    objects = list(objects)
    made = {
        f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
        for obj in objects
        if obj["kind"] == "Gateway"
    }
    for obj in objects:
        metadata = obj["metadata"]
        name = f"{obj['kind']} {metadata.get('namespace', 'default')}/{metadata['name']}"
        group, _, version = obj["apiVersion"].rpartition("/")
        # Kubernetes' own groups have no domain, or end in k8s.io.
        if "." in group and not group.endswith(".k8s.io"):
            kinds.setdefault(Kind(group, version, obj["kind"]), set()).add(name)
        if group == _KNATIVE:
            for feature, field in _features(obj["spec"]["template"]["spec"]):
                features.setdefault(feature, set()).add(f"{name}: {field}")
        if obj["kind"] == "VirtualService":
            for gateway in obj["spec"].get("gateways") or ():
                if "/" in gateway and gateway not in made:
                    gateways.setdefault(gateway, set()).add(name)
    return Needs(_sorted(features), _sorted(kinds), _sorted(gateways))


def explained(refusal: str, objects: Iterable[Object]) -> str:
    """Return what the API said when it refused one of the objects, and what would help.

    Where that is for features of Knative, they are named, with the command that enables them.
    """
    missing = {
        feature: "enabled"
        for obj in objects
        if _is_knative(obj)
        for feature, field in _features(obj["spec"]["template"]["spec"])
        if _names(refusal, feature, field)
    }
    if not missing:
        return refusal
    namespace, name = FEATURES_CONFIG_MAP
    patch = shlex.quote(orjson.dumps({"data": missing}, option=orjson.OPT_SORT_KEYS).decode())
    return (
        f"{refusal.rstrip('.')}. Knative lacks {', '.join(sorted(missing))}; to enable: "
        f"kubectl patch configmap {name} -n {namespace} --type merge -p {patch}"
    )


def _names(refusal: str, feature: str, field: str) -> bool:
    """Whether a refusal is for a field that needs a feature."""
    said = _SAID.get(feature.removeprefix(_FEATURE))
    path = re.escape(f"spec.template.spec.{field}")
    return bool((said and said in refusal) or re.search(rf"{path}(?!\w)", refusal))


def _is_knative(obj: Object) -> bool:
    return bool(obj["apiVersion"].partition("/")[0] == _KNATIVE)


def _features(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the flags a pod needs of Knative, each with the field that needs it."""
    for field, feature in _POD_FIELDS.items():
        if pod.get(field):
            yield _FEATURE + feature, field
    # The seccomp profile alone passes without the flag.
    if set(pod.get("securityContext") or ()) - {"seccompProfile"}:
        yield f"{_FEATURE}securitycontext", "securityContext"
    for number, volume in enumerate(pod.get("volumes") or ()):
        for source, feature in _VOLUMES.items():
            if source in volume:
                yield _FEATURE + feature, f"volumes[{number}].{source}"
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and not claim.get("readOnly"):
            where = f"volumes[{number}].persistentVolumeClaim.readOnly"
            yield f"{_FEATURE}persistent-volume-write", where
    containers = pod.get("containers") or ()
    for number, container in enumerate(containers):
        beside = len(containers) > 1 and not container.get("ports")
        for feature, field in _container_features(container, beside=beside):
            yield feature, f"containers[{number}].{field}"


def _container_features(container: Mapping[str, Any], *, beside: bool) -> Iterator[tuple[str, str]]:
    for number, variable in enumerate(container.get("env") or ()):
        source = variable.get("valueFrom") or {}
        for kind in ("fieldRef", "resourceFieldRef"):
            if kind in source:
                yield f"{_FEATURE}fieldref", f"env[{number}].valueFrom.{kind}"
    capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
    if set(capabilities.get("add") or ()) - _ALWAYS_ADDED:
        yield "kubernetes.containerspec-addcapabilities", "securityContext.capabilities.add"
    for probe in _PROBES:
        if beside and probe in container:
            yield "multi-container-probing", probe


def _sorted(found: Mapping[Any, set[str]]) -> dict[Any, tuple[str, ...]]:
    return {key: tuple(sorted(found[key])) for key in sorted(found)}
