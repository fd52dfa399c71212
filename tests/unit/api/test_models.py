"""TrainedModel, the storage containers and the caches of models on nodes."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api import clusterstoragecontainer, trainedmodel
from rouse.api.admission import review
from rouse.api.inferenceservice.lifecycle import Finding
from rouse.api.localmodelcache.lifecycle import count_copies, node_state
from rouse.api.localmodelnodegroup.volumes import VOLUME_SOURCES, PersistentVolumeSpec
from rouse.api.trainedmodel.lifecycle import conditions
from rouse.errors import ValidationError

Object = dict[str, Any]

CACHE = {"sourceModelUri": "hf://o/m", "modelSize": "2Gi", "nodeGroups": ["gpus"]}
MODEL = {"storageUri": "s3://b/m", "framework": "sklearn", "memory": "1Gi"}
GROUP = {
    "storageLimit": "10Gi",
    "persistentVolumeSpec": {"local": {"path": "/models"}, "storageClassName": "local"},
    "persistentVolumeClaimSpec": {"storageClassName": "local"},
}


def obj(kind: str, spec: Object, name: str = "a") -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def model(**changes: Any) -> Object:
    return obj("TrainedModel", {"inferenceService": "iris", "model": {**MODEL, **changes}})


def refused(given: Object, old: Object | None = None) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        review(given, old)
    return {error.path: error.message for error in caught.value.errors}


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        (model(storageUri="b/m"), "spec.model.storageUri", "has no scheme"),
        (model(memory="1 Gi"), "spec.model.memory", "is not a quantity"),
        (model(memry="1Gi"), "spec.model.memry", 'did you mean "memory"?'),
        (
            obj("TrainedModel", {"inferenceService": "a.b", "model": MODEL}),
            "spec.inferenceService",
            "is no name of an InferenceService",
        ),
        (obj("LocalModelCache", CACHE, "A"), "metadata.name", "cannot be a name"),
        (obj("LocalModelCache", {**CACHE, "modelSize": 0}), "spec.modelSize", "more than 0"),
        (obj("LocalModelCache", {**CACHE, "modelSize": "-1Gi"}), "spec.modelSize", "more than 0"),
        (obj("LocalModelCache", {**CACHE, "nodeGroups": []}), "spec.nodeGroups", "at least 1"),
        (
            obj("LocalModelCache", {**CACHE, "nodeGroups": ["a", "a"]}),
            "spec.nodeGroups[1]",
            "is there already",
        ),
        (
            obj("LocalModelNamespaceCache", {**CACHE, "nodeGroups": ["A"]}),
            "spec.nodeGroups[0]",
            "is no name of a LocalModelNodeGroup",
        ),
        (
            obj("LocalModelNamespaceCache", {**CACHE, "sourceModelUri": "ftp://a"}),
            "spec.sourceModelUri",
            "is not supported",
        ),
        (
            obj("LocalModelNodeGroup", {**GROUP, "storageLimit": "0"}),
            "spec.storageLimit",
            "more than 0",
        ),
        (
            obj(
                "LocalModelNodeGroup",
                {**GROUP, "persistentVolumeClaimSpec": {"storageClassName": "b"}},
            ),
            "spec.persistentVolumeClaimSpec.storageClassName",
            "never be bound",
        ),
        (
            obj(
                "LocalModelNode",
                {"localModels": [{"modelName": "a", "sourceModelUri": "hf://b"}] * 2},
            ),
            "spec.localModels[1].modelName",
            "is there already",
        ),
        (
            obj("LocalModelNode", {"localModels": [{"modelName": "a", "sourceModelUri": "b"}]}),
            "spec.localModels[0].sourceModelUri",
            "has no scheme",
        ),
        (
            obj(
                "ClusterStorageContainer",
                {"container": {"name": "c"}, "supportedUriFormats": [{"regex": "a("}]},
            ),
            "spec.supportedUriFormats[0].regex",
            "is no regular expression",
        ),
        (
            obj(
                "ClusterStorageContainer",
                {
                    "container": {"name": "c"},
                    "supportedUriFormats": [{"prefix": "a"}],
                    "workloadType": "job",
                },
            ),
            "spec.workloadType",
            'allowed: "initContainer", "localModelDownloadJob"',
        ),
    ],
)
def test_a_finding_names_the_field_and_what_to_do(given: Object, path: str, message: str) -> None:
    findings = refused(given)
    assert message in findings[path]
    assert len(findings) == 1


def test_a_model_may_move_but_not_grow() -> None:
    review(model(storageUri="s3://b/other"), model())
    assert "cannot replace 1Gi" in refused(model(memory="2Gi"), model())["spec.model.memory"]


def test_a_cache_keeps_its_source() -> None:
    for kind in ("LocalModelCache", "LocalModelNamespaceCache"):
        moved = obj(kind, {**CACHE, "sourceModelUri": "hf://o/n"})
        findings = refused(moved, obj(kind, CACHE))
        assert 'cannot replace "hf://o/m"' in findings["spec.sourceModelUri"]
        review(obj(kind, {**CACHE, "modelSize": "3Gi"}), obj(kind, CACHE))


def test_a_live_object_that_cannot_be_read_does_not_stand_in_the_way() -> None:
    review(obj("LocalModelCache", CACHE), {"kind": "LocalModelCache", "spec": None})


def storage(**fields: Any) -> clusterstoragecontainer.ClusterStorageContainer:
    spec = {
        "container": {"name": "c", "image": "i"},
        "supportedUriFormats": [{"prefix": "s3://"}, {"regex": "https://(.+?)/models"}],
    }
    return clusterstoragecontainer.parse({**obj("ClusterStorageContainer", spec), **fields})


def test_a_container_runs_before_the_replica_where_nothing_is_said() -> None:
    filled = clusterstoragecontainer.default(storage())
    assert filled.spec.workload_type == "initContainer"
    assert filled.spec.supports_multi_model_download is False
    assert clusterstoragecontainer.default(filled) == filled
    assert storage().spec.workload_type is None


def test_copies_are_counted_by_node() -> None:
    states = {
        "a": node_state(ready=True, model="ModelDownloaded"),
        "b": node_state(ready=False, model="ModelDownloaded"),
        "c": node_state(ready=True, model="ModelDownloadError"),
        "d": node_state(ready=False, model=None),
        "e": node_state(ready=True, model=None),
    }
    assert list(states.values()) == [
        "NodeDownloaded",
        "NodeDownloaded",
        "NodeDownloadError",
        "NodeNotReady",
        "NodeDownloadPending",
    ]
    assert count_copies(states).to_object() == {"total": 5, "available": 2, "failed": 1}


READY_SERVICE = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@pytest.mark.parametrize(
    ("service", "frameworks", "memory_left", "status", "reason"),
    [
        (READY_SERVICE, {"sklearn"}, True, "True", ""),
        ({}, {"sklearn"}, True, "Unknown", "InferenceServiceNotReady"),
        (None, {"sklearn"}, True, "False", "InferenceServiceNotFound"),
        (READY_SERVICE, {"onnx"}, True, "False", "FrameworkNotSupported"),
        (READY_SERVICE, None, True, "False", "IsNotMMSPredictor"),
        (READY_SERVICE, {"sklearn"}, False, "False", "MemoryResourceNotAvailable"),
    ],
)
def test_a_model_is_ready_when_its_service_can_load_it(
    service: Object | None, frameworks: set[str] | None, memory_left: bool, status: str, reason: str
) -> None:
    findings = conditions(
        trainedmodel.parse(model()),
        service,
        frameworks=None if frameworks is None else frozenset(frameworks),
        memory_left=memory_left,
    )
    assert isinstance(findings[-1], Finding)
    assert (findings[-1].type, findings[-1].status, findings[-1].reason) == (
        "Ready",
        status,
        reason,
    )


def test_the_sources_of_a_volume_are_fields_of_it() -> None:
    fields = {field.alias or name for name, field in PersistentVolumeSpec.model_fields.items()}
    assert set(VOLUME_SOURCES) <= fields
