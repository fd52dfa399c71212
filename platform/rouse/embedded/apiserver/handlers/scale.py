"""The scale subresource: spec.replicas of any kind under one shape."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.decoding import media_type, parse_json
from rouse.embedded.apiserver.errors import (
    Object,
    bad_request,
    invalid,
    method_not_allowed,
)
from rouse.embedded.apiserver.handlers.patch import patched, patcher
from rouse.embedded.apiserver.http import Request, Response, json_response
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.resources import ScalePaths
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.writes import begin
from rouse.errors import FieldError

__all__ = ["scale_object"]

_VERSION = "autoscaling/v1"


async def scale_object(state: State, target: Target, request: Request) -> Response:
    """GET, PUT and PATCH of a Scale."""
    paths = target.resource.scale or ScalePaths()
    main = Target(target.resource, target.version, target.namespace, target.name)
    if request.method == "GET":
        record = state.store.get(main.resource.bucket, main.key)
        if record is None:
            raise main.not_found()
        return json_response(_scale(record, paths))
    old = state.store.head(main.resource.bucket, main.key)
    if old is None:
        raise main.not_found()
    if request.method == "PUT":
        wanted = _parse_scale(request)
    elif request.method == "PATCH":
        wanted = _patched_scale(state, main, request, _scale(old, paths))
    else:
        raise method_not_allowed("the server does not allow this method on the requested resource")
    write = begin(state, main, request)
    new = old.object()
    _set(new, paths.spec, _replicas(main, wanted))
    revision = (wanted.get("metadata") or {}).get("resourceVersion")
    if revision:
        new["metadata"]["resourceVersion"] = revision
    return json_response(_scale(await write.update(old, new), paths))


def _parse_scale(request: Request) -> Object:
    """The Scale in a body."""
    parsed = parse_json(request.body)
    if not isinstance(parsed, dict) or parsed.get("kind", "Scale") != "Scale":
        raise bad_request("the body of the request must be a Scale")
    return parsed


def _patched_scale(state: State, target: Target, request: Request, scale: Object) -> Object:
    change = patcher(state, target, media_type(request), parse_json(request.body))
    result = patched(target, change, scale)
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no Scale")
    return result


def _replicas(target: Target, scale: Object) -> int:
    spec = scale.get("spec")
    replicas = (spec if isinstance(spec, dict) else {}).get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        finding = FieldError(
            "spec.replicas", f"Invalid value: {replicas!r}: must be a number of at least 0"
        )
        raise invalid("autoscaling", "Scale", target.name, [finding])
    return replicas


def _scale(record: Record, paths: ScalePaths) -> Object:
    obj = record.object()
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": _VERSION,
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": _get(obj, paths.spec) or 0},
        "status": {
            "replicas": _get(obj, paths.status) or 0,
            "selector": _selector_text(_get(obj, paths.selector) if paths.selector else None),
        },
    }


def _steps(path: str) -> list[str]:
    return path.strip(".").split(".")


def _get(obj: Object, path: str) -> Any:
    value: Any = obj
    for step in _steps(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _set(obj: Object, path: str, value: int) -> None:
    *parents, last = _steps(path)
    for step in parents:
        inner = obj.get(step)
        if not isinstance(inner, dict):
            inner = obj[step] = {}
        obj = inner
    obj[last] = value


def _selector_text(selector: Any) -> str:
    """A label selector object as the text Scale shows."""
    if not isinstance(selector, dict):
        return selector if isinstance(selector, str) else ""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, operator = each.get("key"), str(each.get("operator", "")).lower()
        if operator in {"in", "notin"}:
            terms.append(f"{key} {operator} ({','.join(each.get('values') or ())})")
        else:
            terms.append(f"{'' if operator == 'exists' else '!'}{key}")
    return ",".join(terms)
