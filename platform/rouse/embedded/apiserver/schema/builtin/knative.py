"""Knative Serving's kinds, as far as a malformed one would break what runs them."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.meta import known_kind
from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    boolean,
    conditions,
    integer,
    part,
    text,
    texts,
)

__all__ = ["KNATIVE_DEFINITIONS", "KNATIVE_GROUP"]

KNATIVE_GROUP = "serving.knative.dev"

_CONTAINER = part(
    "A container; unlike a Pod's it may go without a name.",
    args=texts("Arguments of the command."),
    command=texts("Replaces the image's entry point."),
    env=array("Environment variables."),
    image=text("What to run."),
    livenessProbe=part("When to restart it."),
    name=text("Told apart from the others by it."),
    ports=array("The port that takes requests."),
    readinessProbe=part("When it takes requests."),
    resources=part("What it asks for and may use."),
    volumeMounts=array("Volumes in its file system."),
)
_REVISION_SPEC = {
    **part(
        "One revision: its containers, and how requests reach them.",
        containerConcurrency=integer("Requests a replica takes at once; 0: any number.", minimum=0),
        containers={**array("One takes requests, others help.", _CONTAINER), "minItems": 1},
        initContainers=array("Run to their end before the others.", _CONTAINER),
        timeoutSeconds=integer("Seconds a request may take.", minimum=0),
        volumes=array("Volumes of the pods."),
    ),
    "required": ["containers"],
}
_TEMPLATE = {
    **part(
        "The next revision.",
        metadata=part("Name, labels and annotations of the revision."),
        spec=_REVISION_SPEC,
    ),
    "required": ["spec"],
}
_TRAFFIC = array(
    "Who gets how much.",
    part(
        "One share.",
        latestRevision=boolean("The newest revision that is ready."),
        percent=integer("Of all requests.", minimum=0, maximum=100),
        revisionName=text("That revision."),
        tag=text("A host of its own."),
    ),
)
_STATUS = part("What became of it.", conditions=conditions())


def _kind(description: str, **spec: dict[str, Any]) -> dict[str, Any]:
    return known_kind(description, spec=part("What is wanted.", **spec), status=_STATUS)


KNATIVE_DEFINITIONS: dict[str, dict[str, Any]] = {
    "dev.knative.serving.v1.Service": _kind(
        "A configuration and the route to its revisions.", template=_TEMPLATE, traffic=_TRAFFIC
    ),
    "dev.knative.serving.v1.Configuration": _kind(
        "Makes a revision of every change of its template.", template=_TEMPLATE
    ),
    "dev.knative.serving.v1.Route": _kind("Shares requests among revisions.", traffic=_TRAFFIC),
    "dev.knative.serving.v1.Revision": known_kind(
        "One unchanging version of a configuration.", spec=_REVISION_SPEC, status=_STATUS
    ),
}
