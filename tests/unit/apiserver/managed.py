"""What the tests of field ownership share: a Deployment, and who writes it."""

from __future__ import annotations

import copy
from typing import Any

from rouse.embedded.apiserver.managedfields import apply_patch, update_managed_fields
from rouse.embedded.apiserver.managedfields.fieldset import member_paths
from rouse.embedded.apiserver.schema import Schema, schema_for_builtin

Object = dict[str, Any]


DEPLOYMENT = schema_for_builtin("apps", "Deployment")


def deployment(*, replicas: int | None = None, **containers: Object) -> Object:
    spec: Object = {} if replicas is None else {"replicas": replicas}
    if containers:
        items = [{"name": name, **rest} for name, rest in containers.items()]
        spec["template"] = {"spec": {"containers": items}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": spec,
    }


def apply(
    live: Object | None,
    applied: Object,
    manager: str = "one",
    *,
    force: bool = False,
    subresource: str = "",
    schema: Schema = DEPLOYMENT,
    now: str = "2026-01-01T00:00:00Z",
) -> Object:
    before = copy.deepcopy(live), copy.deepcopy(applied)
    out = apply_patch(
        live,
        applied,
        manager=manager,
        force=force,
        subresource=subresource,
        schema=schema,
        now=now,
    )
    assert (live, applied) == before
    return out


def update(
    old: Object | None,
    new: Object,
    manager: str = "writer",
    *,
    subresource: str = "",
    now: str = "2026-01-01T00:00:00Z",
    schema: Schema = DEPLOYMENT,
) -> Object:
    return update_managed_fields(
        old, new, manager=manager, subresource=subresource, schema=schema, now=now
    )


def owned(obj: Object, manager: str, operation: str = "Apply") -> list[str]:
    for entry in obj["metadata"].get("managedFields", ()):
        if (entry["manager"], entry["operation"]) == (manager, operation):
            return list(member_paths(entry["fieldsV1"]))
    return []


def bare(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
