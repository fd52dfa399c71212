"""Server-side apply, and who owns what after an ordinary write."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

from rouse.embedded.apiserver.managedfields.bare import (
    SERVER_OWNED,
    bare,
    with_managed,
    without_empty_metadata,
)
from rouse.embedded.apiserver.managedfields.conflicts import ApplyConflictError
from rouse.embedded.apiserver.managedfields.entries import Entry, Managers, decode, encode
from rouse.embedded.apiserver.managedfields.fieldset import (
    FieldSet,
    difference,
    intersection,
    member_paths,
    union,
)
from rouse.embedded.apiserver.managedfields.lastapplied import (
    KUBECTL,
    covered_fields,
    with_last_applied,
)
from rouse.embedded.apiserver.managedfields.merge import merge, remove
from rouse.embedded.apiserver.managedfields.walk import Comparison, compare, field_set
from rouse.embedded.apiserver.schema import Schema
from rouse.errors import InvalidError

__all__ = ["apply_patch", "update_managed_fields"]

Object = dict[str, Any]

_IDENTITY = ("apiVersion", "kind", "metadata")
_BEFORE = "before-first-apply"


def apply_patch(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    subresource: str,
    schema: Schema,
    now: str,
) -> Object:
    """The object after a server-side apply.

    Fields the manager applies become its own, alone or with others of the same value; fields it
    applied before and leaves out now are removed unless another manager owns them. A value that
    differs from another manager's raises `ApplyConflictError`, or takes the field with ``force``.
    An apply that changes nothing returns ``live`` itself. ``live`` is None for a create; ``now`` is
    RFC 3339. With ``subresource="status"`` only the status of ``applied`` counts. Raises
    `InvalidError` for an applied object with managedFields or a list with duplicate keys.
    """
    config = _config(applied, subresource)
    node = schema.root
    fields = without_empty_metadata(field_set(bare(config), node))
    managers = _managers_before(live, schema, now)
    me = Entry(manager, "Apply", str(applied.get("apiVersion", "")), subresource, fields, now)
    last = managers.pop(me.key, None)

    merged: Object = merge(live or {}, config, node)
    if last is not None:
        owned = reduce(union, (entry.fields for entry in managers.values()), fields)
        merged = remove(merged, last.fields, owned, node, keys=_IDENTITY)
    change = compare(bare(live), bare(merged), node)
    if not force:
        allowed = covered_fields(live, node) if manager == KUBECTL else {}
        _refuse_conflicts(managers, change.changed, allowed)
    managers = _given_up(managers, change)
    if live is not None and last is not None and not change.changed and not change.removed:
        me = replace(me, time=last.time) if last.fields == fields else me
    managers[me.key] = me
    if manager == KUBECTL and not subresource:
        merged = with_last_applied(merged, live, applied)
    out = with_managed(merged, encode(managers))
    return live if live is not None and out == live else out


def update_managed_fields(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    operation: str = "Update",
    subresource: str,
    schema: Schema,
    now: str,
) -> Object:
    """The new object with ``managedFields`` as they are after an ordinary write by a manager.

    Fields that changed become the manager's and are taken from all others; fields that are gone
    are nobody's. ``new`` may bring its own managedFields, as clients that edit them do; the list
    ``[{}]`` clears them, an absent or empty one means those of ``old``. ``old`` is None for a
    create.
    """
    given = new["metadata"].get("managedFields")
    kept = ((old or {}).get("metadata") or {}).get("managedFields") or []
    base = [] if given == [{}] else given or kept
    before, after = bare(old), bare(new)
    if old is not None and before == after:
        return new if given == base else with_managed(new, list(base))
    change = compare(before, after, schema.root)
    managers = _given_up(decode(base), change)
    if change.changed:
        me = Entry(
            manager, operation, str(new.get("apiVersion", "")), subresource, change.changed, now
        )
        mine = managers.get(me.key)
        managers[me.key] = replace(me, fields=union(mine.fields, me.fields)) if mine else me
    return with_managed(new, encode(managers))


def _config(applied: Object, subresource: str) -> Object:
    """What of an applied object is the client's to say."""
    metadata = applied.get("metadata") or {}
    if metadata.get("managedFields"):
        raise InvalidError("metadata.managedFields must be nil: leave it out of what is applied")
    config = {**applied, "metadata": _without(metadata, SERVER_OWNED)}
    if subresource == "status":
        config = {
            "apiVersion": applied.get("apiVersion"),
            "kind": applied.get("kind"),
            "metadata": {
                key: value for key, value in metadata.items() if key in ("name", "namespace")
            },
        }
        if "status" in applied:
            config["status"] = applied["status"]
    return config


def _without(fields: Object, names: frozenset[str]) -> Object:
    return {key: value for key, value in fields.items() if key not in names}


def _managers_before(live: Object | None, schema: Schema, now: str) -> Managers:
    """The managers so far. What an object had before anyone was recorded belongs to a manager of
    its own, so that applying over it is a conflict and not a silent change."""
    if live is None:
        return {}
    managers = decode(live["metadata"].get("managedFields") or ())
    if not managers:
        fields = compare(bare(None), bare(live), schema.root).changed
        if fields:
            entry = Entry(_BEFORE, "Update", str(live.get("apiVersion", "")), "", fields, now)
            managers[entry.key] = entry
    return managers


def _refuse_conflicts(managers: Managers, changed: FieldSet, allowed: FieldSet) -> None:
    conflicts = [
        (entry.description, path)
        for entry in managers.values()
        for path in member_paths(difference(intersection(entry.fields, changed), allowed))
    ]
    if conflicts:
        raise ApplyConflictError(conflicts)


def _given_up(managers: Managers, change: Comparison) -> Managers:
    """The managers without what someone else changed or removed."""
    out: Managers = {}
    for key, entry in managers.items():
        fields = difference(difference(entry.fields, change.changed), change.removed)
        if fields:
            out[key] = entry.owning(fields)
    return out
