"""Compiling manifests without a cluster: what each document becomes, or why it becomes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rouse.api import admission, inferencegraph, inferenceservice
from rouse.api.crds import GROUP
from rouse.api.definitions import DEFINITIONS
from rouse.api.findings import examine
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler import Compiled, Config, RuntimeSet, compile_inference_service
from rouse.errors import ValidationError
from rouse.kube.objects import Object
from rouse.sdk.documents import Document
from rouse.sdk.graphs import addressed, compile_offline
from rouse.sdk.observing import LiveObjects, observe, place_of, shown
from rouse.sdk.settings import RUNTIME_KINDS, STORAGE_CONTAINER_KIND

__all__ = ["Outcome", "compile_documents", "sorted_objects"]

# No wanted object tells the time; only the status does, and that is a cluster's to show.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

_OF_THE_CLUSTER = frozenset(each.kind for each in DEFINITIONS if each.cluster)

_NOT_COMPILED = {
    "LocalModelCache": "the cluster's nodes fill it",
    "LocalModelNamespaceCache": "the cluster's nodes fill it",
    "LocalModelNode": "the cluster's nodes write it",
    "LocalModelNodeGroup": "it describes nodes",
    "TrainedModel": "a running InferenceService loads it",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one document."""

    document: Document
    objects: tuple[Object, ...] = ()
    """What an InferenceService or InferenceGraph compiles to."""
    refusals: tuple[str, ...] = ()
    """Why it was refused, each with its field path; empty when it was not."""
    note: str = ""
    """What was done with a document that makes no objects."""
    clash: str = ""
    """Where the same object is given differently; none of these is among the wanted objects."""

    @property
    def name(self) -> str:
        """The document's kind, namespace and name."""
        return shown(self.document.object)


@dataclass(frozen=True, slots=True)
class _Inputs:
    runtimes: RuntimeSet
    storage_containers: Sequence[Object]
    config: Config
    live: LiveObjects
    services: Mapping[str, Mapping[str, Object]]
    """InferenceServices by namespace and name: those given, and live ones beside them."""


def compile_documents(
    documents: Sequence[Document],
    *,
    runtimes: Iterable[Object],
    storage_containers: Iterable[Object] = (),
    config: Config,
    live: Iterable[Object] = (),
    namespace: str = "default",
) -> list[Outcome]:
    """Compile the InferenceServices and InferenceGraphs among the documents, by kind and name.

    Runtimes and ClusterStorageContainers among them are used beside the given ones, and before one
    of the same name. ``live``
    are objects of a cluster: Knative Services, Revisions and so on, and InferenceServices for
    their status. Objects without a namespace get the given one. Never raises for what is wrong
    with a document: its outcome says it. Raises InvalidError for live objects that cannot be any.
    """
    placed = sorted(
        (_placed(document, namespace) for document in documents),
        key=lambda document: (*_identity(document.object), document.origin),
    )
    clashes = _clashes(placed)
    own = [each.object for each in placed if each.object["kind"] in RUNTIME_KINDS]
    fetching = [each.object for each in placed if each.object["kind"] == STORAGE_CONTAINER_KIND]
    fetchers = {each["metadata"]["name"]: each for each in [*storage_containers, *fetching]}
    seen = LiveObjects.read(live, namespace)
    inputs = _Inputs(
        RuntimeSet.of([*runtimes, *own]),
        list(fetchers.values()),
        config,
        seen,
        _services(placed, seen, config),
    )
    return [
        replace(_outcome(document, inputs), clash=clashes.get(_identity(document.object), ""))
        for document in placed
    ]


def sorted_objects(outcomes: Iterable[Outcome]) -> list[Object]:
    """Return all compiled objects, each once, by namespace, kind and name."""
    found = {_identity(obj): obj for each in outcomes if not each.clash for obj in each.objects}
    return [found[identity] for identity in sorted(found)]


def _outcome(document: Document, inputs: _Inputs) -> Outcome:
    obj = document.object
    kind = obj["kind"]
    if obj["apiVersion"].partition("/")[0] != GROUP:
        return Outcome(document, note="not compiled: apply it as it is")
    if kind == "InferenceService":
        return _compiled(document, inputs)
    try:
        admission.review(obj)
    except ValidationError as error:
        return Outcome(document, refusals=tuple(map(str, error.errors)))
    if kind == "InferenceGraph":
        return _graph(document, inputs)
    if kind in RUNTIME_KINDS:
        return Outcome(document, note="used as a runtime")
    if kind == STORAGE_CONTAINER_KIND:
        return Outcome(document, note="used to fetch models")
    if kind in _NOT_COMPILED:
        return Outcome(document, note=f"not compiled: {_NOT_COMPILED[kind]}")
    return Outcome(document, refusals=(f"kind: {GROUP} has no kind {kind}",))


def _compiled(document: Document, inputs: _Inputs) -> Outcome:
    obj = document.object
    observed = observe(obj, inputs.live)
    mode = observed.previous_status.get("deploymentMode") or inputs.config.default_deployment_mode
    rules = partial(inferenceservice.validate, default_mode=mode)
    isvc, findings = examine(InferenceService, obj, rules)
    if isvc is None or findings:
        return Outcome(document, refusals=tuple(map(str, findings)))
    compiled = compile_inference_service(
        isvc,
        runtimes=inputs.runtimes,
        storage_containers=inputs.storage_containers,
        config=inputs.config,
        observed=observed,
        now=_NO_TIME,
    )
    if not compiled.prune:
        # Nothing is to go although nothing is wanted: the spec was refused.
        failure = compiled.status["modelStatus"]["lastFailureInfo"]["message"]
        return Outcome(document, refusals=(failure,))
    return _made(document, compiled)


def _graph(document: Document, inputs: _Inputs) -> Outcome:
    obj = document.object
    graph = inferencegraph.parse(obj)
    compiled, why = compile_offline(
        graph,
        inputs.services.get(graph.namespace, {}),
        inputs.config,
        observe(obj, inputs.live),
        _NO_TIME,
    )
    return Outcome(document, refusals=(why,)) if why else _made(document, compiled)


def _made(document: Document, compiled: Compiled) -> Outcome:
    if not compiled.objects:
        return Outcome(document, note="stopped: nothing of it shall run")
    return Outcome(document, tuple(_without_owner(each) for each in compiled.objects))


def _services(
    documents: Iterable[Document], live: LiveObjects, config: Config
) -> dict[str, dict[str, Object]]:
    given: dict[str, list[Object]] = {}
    for document in documents:
        if document.object["kind"] == "InferenceService":
            given.setdefault(place_of(document.object)[0], []).append(document.object)
    found: dict[str, dict[str, Object]] = {}
    for namespace in {place_of(each.object)[0] for each in documents}:
        seen = live.services(namespace)
        # Its spec is as it is given, its address as it was seen.
        known = [
            {**each, "status": seen.get(each["metadata"]["name"], {}).get("status") or {}}
            for each in given.get(namespace, ())
        ]
        found[namespace] = {**seen, **addressed(known, config)}
    return found


def _without_owner(obj: Object) -> Object:
    """Take out owners that no API has given a uid: the API would refuse the object for them."""
    metadata = obj["metadata"]
    owners = [owner for owner in metadata.get("ownerReferences") or () if owner.get("uid")]
    rest = {key: value for key, value in metadata.items() if key != "ownerReferences"}
    return {**obj, "metadata": {**rest, **({"ownerReferences": owners} if owners else {})}}


def _clashes(documents: Sequence[Document]) -> dict[tuple[str, ...], str]:
    """Return, by object, what to say of those that are given more than once and differently."""
    groups: dict[tuple[str, ...], list[Document]] = {}
    for document in documents:
        groups.setdefault(_identity(document.object), []).append(document)
    return {
        identity: f"given differently in {_files(group)}: keep one"
        for identity, group in groups.items()
        if any(each.object != group[0].object for each in group)
    }


def _files(documents: Iterable[Document]) -> str:
    return " and ".join(sorted({Path(each.origin).name for each in documents}))


def _placed(document: Document, namespace: str) -> Document:
    obj = document.object
    group = obj["apiVersion"].partition("/")[0]
    if group != GROUP or obj["kind"] in _OF_THE_CLUSTER:
        return document
    metadata = obj["metadata"]
    if metadata.get("namespace"):
        return document
    return Document(document.origin, {**obj, "metadata": {**metadata, "namespace": namespace}})


def _identity(obj: Object) -> tuple[str, str, str, str]:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace") or ""
    return (str(namespace), obj["kind"], str(metadata["name"]), obj["apiVersion"])
