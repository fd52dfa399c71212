"""What every object has: metadata."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    integer,
    keyed,
    mapping,
    part,
    ref,
    text,
    time,
    unordered,
)

__all__ = ["META_DEFINITIONS", "OBJECT_META", "OBJECT_META_NAME", "known_kind"]

OBJECT_META_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_OWNER_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference"
_SELECTOR_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"

_OWNER: dict[str, Any] = {
    "description": "An object that this one belongs to and goes with.",
    "type": "object",
    "required": ["apiVersion", "kind", "name", "uid"],
    "x-kubernetes-map-type": "atomic",
    "properties": {
        "apiVersion": text("Group and version of the owner."),
        "blockOwnerDeletion": boolean("Whether the owner waits for this object to go first."),
        "controller": boolean("Whether this owner manages the object; at most one does."),
        "kind": text("Kind of the owner."),
        "name": text("Name of the owner, in the same namespace or cluster-wide."),
        "uid": text("Identity of the owner; another object of its name is not it."),
    },
}

_MANAGED: dict[str, Any] = part(
    "Which fields a manager set, and how.",
    apiVersion=text("Version the fields are named in."),
    fieldsType=text("Always FieldsV1."),
    fieldsV1=part("The set of fields."),
    manager=text("Who set them."),
    operation=text("Apply or Update."),
    subresource=text("Subresource through which they were set."),
    time=time("When the set last changed."),
)

OBJECT_META: dict[str, Any] = {
    "description": "Name, labels and the server's own records of an object.",
    "type": "object",
    "properties": {
        "annotations": mapping("Free notes of tools and people; not for selection."),
        "creationTimestamp": time("When the server stored the object first."),
        "deletionGracePeriodSeconds": integer("Seconds left to end in good order."),
        "deletionTimestamp": time("When deletion was asked for; set by the server."),
        "finalizers": unordered("Who must agree before the object goes."),
        "generateName": text("Prefix from which the server makes a unique name."),
        "generation": integer("Counts the changes of the spec."),
        "labels": mapping("Keys and values by which objects are selected."),
        "managedFields": array("Which manager owns which field.", _MANAGED),
        "name": text("Name, unique in the namespace for its kind."),
        "namespace": text("Space in which the name is unique."),
        "ownerReferences": keyed("Objects this one belongs to.", _OWNER, "uid"),
        "resourceVersion": text("Version for optimistic concurrency; opaque."),
        "selfLink": text("No longer filled in."),
        "uid": text("Identity in time and space, given by the server."),
    },
}

META_DEFINITIONS: dict[str, dict[str, Any]] = {
    OBJECT_META_NAME: {
        **OBJECT_META,
        "properties": {
            **OBJECT_META["properties"],
            "ownerReferences": keyed("Objects this one belongs to.", ref(_OWNER_NAME), "uid"),
        },
    },
    _OWNER_NAME: _OWNER,
    LIST_META_NAME: part(
        "What a list says about itself.",
        continue_=text("Token to get the next part with."),
        remainingItemCount=integer("How many are still to come."),
        resourceVersion=text("Version of the whole list, to watch from."),
        selfLink=text("No longer filled in."),
    ),
    _SELECTOR_NAME: {
        **part(
            "A question about labels; all parts must hold.",
            matchLabels=mapping("Labels with exactly these values."),
            matchExpressions=array(
                "Conditions on labels.",
                part(
                    "One condition.",
                    key=text("Label looked at."),
                    operator=text("In, NotIn, Exists or DoesNotExist."),
                    values=array("Values compared with.", {"type": "string"}),
                ),
            ),
        ),
        "x-kubernetes-map-type": "atomic",
    },
}


def selector(description: str) -> dict[str, Any]:
    """A label selector."""
    return ref(_SELECTOR_NAME, description)


def known_kind(description: str, /, **properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of a kind: its own fields beside apiVersion, kind and metadata."""
    return part(
        description,
        apiVersion=text("Group and version of this form of the object."),
        kind=text("Kind of the object."),
        metadata=ref(OBJECT_META_NAME, "Name, labels and the server's own records."),
        **properties,
    )
