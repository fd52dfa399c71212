"""What applying manifests would change on a cluster: the objects given, and those they become.

Every object is applied server-side as a dry run, so that defaults, webhooks and other managers'
fields are as they would be.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import yaml

from rouse.compiler.names import owner_label
from rouse.errors import ApiError, NotFoundError, RouseError
from rouse.kube.apply import APPLIED
from rouse.kube.client import FIELD_MANAGER, KubeClient
from rouse.kube.objects import Object, owner_uids
from rouse.kube.resources import (
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    OPEN_TELEMETRY_COLLECTORS,
    REVISIONS,
    SCALED_OBJECTS,
    SERVICES,
    SERVING_RUNTIMES,
    VIRTUAL_SERVICES,
    Resource,
    resource_of,
)
from rouse.sdk.compiling import compile_documents, sorted_objects
from rouse.sdk.documents import Document
from rouse.sdk.live import live_config
from rouse.sdk.observing import OWNERS, shown

__all__ = ["Difference", "differences", "unified"]

_OWNED = (
    KNATIVE_SERVICES,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    OPEN_TELEMETRY_COLLECTORS,
    SCALED_OBJECTS,
    VIRTUAL_SERVICES,
    SERVICES,
)

# The API's own bookkeeping; the user manages none of it.
_NOISE = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_LAST_APPLIED = ("kubectl.kubernetes.io/last-applied-configuration", APPLIED)


@dataclass(frozen=True, slots=True)
class Difference:
    """What would happen to one object."""

    name: str
    text: str = ""
    """A unified diff; empty when nothing would change."""
    problem: str = ""
    """Why the API, or Rouse, would refuse it."""


async def differences(
    client: KubeClient, documents: Sequence[Document], namespace: str
) -> AsyncIterator[Difference]:
    """Yield what applying the documents would change, then what would follow from that.

    Runtimes and configuration are the cluster's, and the documents' own before them. Raises
    ApiError only when the API cannot be asked at all; refusals are differences with a problem.
    """
    accepted: list[Document] = []
    for document in documents:
        difference, after = await _applied(client, _placed(document.object, namespace), "rouse-cli")
        yield difference
        if after is not None:
            accepted.append(Document(document.origin, after))
    services = [each.object for each in accepted if each.object["kind"] in OWNERS]
    if not services:
        return
    live = [obj for service in services for obj in await _live(client, service)]
    live += await _called(client, services)
    outcomes = compile_documents(
        accepted,
        runtimes=[
            *await _listed(client, CLUSTER_SERVING_RUNTIMES),
            *await _listed(client, SERVING_RUNTIMES),
        ],
        storage_containers=await _listed(client, CLUSTER_STORAGE_CONTAINERS),
        config=await live_config(client),
        live=live,
        namespace=namespace,
    )
    for outcome in outcomes:
        if outcome.document.object["kind"] in OWNERS:
            for why in outcome.refusals:
                yield Difference(outcome.name, problem=why)
    wanted = sorted_objects(outcomes)
    for obj in wanted:
        yield (await _applied(client, obj, FIELD_MANAGER))[0]
    refused = {_uid(each.document.object) for each in outcomes if each.refusals}
    for obj in _left_over(live, wanted, {_uid(each) for each in services} - refused):
        yield Difference(shown(obj), unified(obj, None))


def unified(before: Object | None, after: Object | None) -> str:
    """Return the unified diff of an object's YAML; None: it is not there. Empty when the same."""
    name = shown(before or after or {"kind": "", "metadata": {"name": ""}})
    lines = difflib.unified_diff(
        _text(before),
        _text(after),
        fromfile=f"live {name}" if before else "/dev/null",
        tofile=f"wanted {name}" if after else "/dev/null",
    )
    return "".join(lines)


def _text(obj: Object | None) -> list[str]:
    if obj is None:
        return []
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _NOISE}
    annotations = metadata.pop("annotations", None) or {}
    if rest := {key: value for key, value in annotations.items() if key not in _LAST_APPLIED}:
        metadata["annotations"] = rest
    shown_ = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    if obj["kind"] == "Secret":
        shown_ |= {part: _hidden(obj[part]) for part in ("data", "stringData") if obj.get(part)}
    text = yaml.safe_dump({**shown_, "metadata": metadata}, sort_keys=True, width=100)
    return text.splitlines(keepends=True)


def _hidden(values: Object) -> Object:
    return {
        key: f"*** (sha256 {hashlib.sha256(str(value).encode()).hexdigest()[:12]})"
        for key, value in values.items()
    }


async def _applied(
    client: KubeClient, obj: Object, manager: str
) -> tuple[Difference, Object | None]:
    """Return the difference of a dry run, and the object as it would be."""
    try:
        before = await _get(client, obj)
        after = await client.apply(obj, field_manager=manager, dry_run=True)
    except RouseError as error:
        if isinstance(error, ApiError) and error.retryable:
            raise
        return Difference(shown(obj), problem=str(error)), None
    return Difference(shown(obj), unified(before, after)), after


async def _get(client: KubeClient, obj: Object) -> Object | None:
    metadata = obj["metadata"]
    try:
        return await client.get(resource_of(obj), metadata["name"], metadata.get("namespace"))
    except NotFoundError:
        return None


async def _live(client: KubeClient, service: Object) -> list[Object]:
    """Return a service or graph as it is, and the live objects that carry its label."""
    metadata = service["metadata"]
    found = [await _get(client, service) or service]
    for resource in (*_OWNED, REVISIONS):
        labels = f"{owner_label(service['kind'])}={metadata['name']}"
        found += await _listed(client, resource, metadata["namespace"], labels)
    return found


async def _called(client: KubeClient, owners: Iterable[Object]) -> list[Object]:
    """Return the live InferenceServices of the namespaces that there are graphs in."""
    graphs = [each for each in owners if each["kind"] == "InferenceGraph"]
    namespaces = sorted({each["metadata"]["namespace"] for each in graphs})
    return [obj for each in namespaces for obj in await _listed(client, INFERENCE_SERVICES, each)]


async def _listed(
    client: KubeClient, resource: Resource, namespace: str | None = None, labels: str | None = None
) -> list[Object]:
    try:
        return (await client.list(resource, namespace, labels=labels)).items
    except NotFoundError:
        return []  # Its definition is not installed; `rouse doctor` tells.


def _left_over(live: Sequence[Object], wanted: Sequence[Object], owners: set[str]) -> list[Object]:
    """Return the objects of these owners that nothing wants any more."""
    kept = {_identity(obj) for obj in wanted}
    return [
        obj
        for obj in live
        if not owners.isdisjoint(owner_uids(obj))
        and resource_of(obj) in _OWNED
        and _identity(obj) not in kept
    ]


def _placed(obj: Object, namespace: str) -> Object:
    try:
        namespaced = resource_of(obj).namespaced
    except RouseError:
        return obj  # Unknown here; the dry run says so.
    if not namespaced or obj["metadata"].get("namespace"):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def _identity(obj: Object) -> tuple[Resource, str, str]:
    metadata = obj["metadata"]
    return resource_of(obj), metadata.get("namespace") or "", metadata["name"]


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))
