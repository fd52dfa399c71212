"""CustomResourceDefinitions: their completion and the resources they define."""

from __future__ import annotations

from rouse.embedded.apiserver.errors import Object, invalid
from rouse.embedded.apiserver.resources import Resource, ScalePaths
from rouse.errors import FieldError

__all__ = ["CLEANUP", "complete_definition", "defined_resource"]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""Finalizer that keeps a definition until its objects are gone."""


def complete_definition(obj: Object, old: Object | None, now: str) -> None:
    """Fill in names and the conditions; 422 when the definition cannot be served."""
    name = obj["metadata"]["name"]
    problems = _problems(obj)
    if problems:
        raise invalid("apiextensions.k8s.io", "CustomResourceDefinition", name, problems)
    spec: Object = obj["spec"]
    names: Object = spec["names"]
    names.setdefault("singular", str(names["kind"]).lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if old is None:
        obj["metadata"]["finalizers"] = sorted(
            {*(obj["metadata"].get("finalizers") or ()), CLEANUP}
        )
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    before = (old or {}).get("status") or {}
    stored = before.get("storedVersions") or []
    obj["status"] = {
        "conditions": before.get("conditions")
        or [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
            _condition(
                "Established", "InitialNamesAccepted", "the initial names are accepted", now
            ),
        ],
        "acceptedNames": dict(names),
        "storedVersions": [*stored, *([] if storage in stored else [storage])],
    }


def defined_resource(definition: Object) -> Resource:
    """The resource a completed definition serves."""
    spec: Object = definition["spec"]
    names: Object = spec["names"]
    served = [version for version in spec["versions"] if version.get("served")]
    subresources = [version.get("subresources") or {} for version in served]
    scale = next((each["scale"] for each in subresources if each.get("scale")), None)
    return Resource(
        group=spec["group"],
        versions=tuple(version["name"] for version in served),
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status=any("status" in each for each in subresources),
        scale=None if scale is None else _scale(scale),
        custom=True,
        generation=True,
        stored_version=next(v["name"] for v in spec["versions"] if v.get("storage")),
        singular=names["singular"],
        list_kind=names["listKind"],
        schemas={v["name"]: (v.get("schema") or {}).get("openAPIV3Schema") or {} for v in served},
        columns={v["name"]: tuple(v.get("additionalPrinterColumns") or ()) for v in served},
    )


def _scale(given: Object) -> ScalePaths:
    return ScalePaths(
        given.get("specReplicasPath", ".spec.replicas"),
        given.get("statusReplicasPath", ".status.replicas"),
        given.get("labelSelectorPath", ""),
    )


def _condition(kind: str, reason: str, message: str, now: str) -> Object:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def _problems(obj: Object) -> list[FieldError]:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return [FieldError("spec", "Required value")]
    names = spec.get("names")
    if not isinstance(names, dict) or not names.get("plural") or not names.get("kind"):
        return [FieldError("spec.names", "Required value: plural and kind must be set")]
    found = []
    if not spec.get("group"):
        found.append(FieldError("spec.group", "Required value"))
    wanted = f"{names['plural']}.{spec.get('group')}"
    if obj["metadata"]["name"] != wanted:
        told = f'Invalid value: "{obj["metadata"]["name"]}": must be {wanted}'
        found.append(FieldError("metadata.name", told))
    if spec.get("scope") not in {"Namespaced", "Cluster"}:
        told = (
            f'Unsupported value: "{spec.get("scope")}": supported values: "Cluster", "Namespaced"'
        )
        found.append(FieldError("spec.scope", told))
    versions = spec.get("versions")
    if not isinstance(versions, list) or not all(
        isinstance(version, dict) and version.get("name") for version in versions
    ):
        return [*found, FieldError("spec.versions", "Required value: each version needs a name")]
    if sum(1 for version in versions if version.get("storage")) != 1:
        told = "Invalid value: must have exactly one version marked as storage version"
        found.append(FieldError("spec.versions", told))
    return found
