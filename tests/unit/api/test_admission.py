"""What is let in, what is refused, and what the refusal says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from rouse.api.admission import review
from rouse.errors import ValidationError

Object = dict[str, Any]

MODE = "serving.kserve.io/deploymentMode"


def service(predictor: Object, **metadata: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default", **metadata},
        "spec": {"predictor": predictor},
    }


def sklearn(**predictor: Any) -> Object:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    return service({"model": model, **predictor})


def refused(obj: Object, old: Object | None = None) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        review(obj, old)
    return {error.path: error.message for error in caught.value.errors}


def test_a_service_is_stored_as_it_was_written() -> None:
    given = service({"sklearn": {"storageUri": "pvc://models/iris"}})
    before = copy.deepcopy(given)
    assert review(given, None) == before
    assert review(given, given) == before


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"minReplica": 1}, "spec.predictor.minReplica", 'did you mean "minReplicas"?'),
        ({"minreplicas": 1}, "spec.predictor.minreplicas", 'did you mean "minReplicas"?'),
        ({"modelFormat": {}}, "spec.predictor.modelFormat", "spec.predictor.model.modelFormat?"),
        ({"minReplicas": "2"}, "spec.predictor.minReplicas", 'must be an integer, not "2"'),
        ({"minReplicas": -1}, "spec.predictor.minReplicas", "-1 is out of range"),
        ({"minReplicas": 3, "maxReplicas": 2}, "spec.predictor.maxReplicas", "less than minRep"),
        ({"canaryTrafficPercent": 130}, "spec.predictor.canaryTrafficPercent", "most is 100"),
        ({"canaryTrafficPercent": -1}, "spec.predictor.canaryTrafficPercent", "least is 0"),
        ({"timeout": 601}, "spec.predictor.timeout", "most is 600 s"),
        ({"containerConcurrency": 1001}, "spec.predictor.containerConcurrency", "most is 1000"),
        ({"scaleMetric": "qps"}, "spec.predictor.scaleMetric", 'allowed: "cpu", "memory"'),
        ({"sklearn": {}}, "spec.predictor", "has 2 models (model, sklearn)"),
        ({"labels": {"a b": "c"}}, "spec.predictor.labels[a b]", "is no key of a label"),
        ({"labels": {"a": "-"}}, "spec.predictor.labels[a]", "is no value of a label"),
        ({"nodeName": "n1"}, "spec.predictor.nodeName", "use nodeSelector"),
        ({"autoScaling": {"metric": []}}, "spec.predictor.autoScaling.metric", 'mean "metrics"'),
        ({"storageContainerName": ""}, "spec.predictor.storageContainerName", "not be empty"),
        (
            {"containers": [{"name": "a"}, {"name": "a"}]},
            "spec.predictor.containers[1].name",
            '"a" is there already',
        ),
        (
            {"containers": [{"name": "a", "env": [{"name": "X"}, {"name": "X"}]}]},
            "spec.predictor.containers[0].env[1].name",
            '"X" is there already',
        ),
        (
            {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]},
            "spec.predictor.volumes[0].nfs",
            "does not take this kind of volume",
        ),
        (
            {"containers": [{"name": "a", "lifecycle": {}}]},
            "spec.predictor.containers[0].lifecycle",
            "does not take it",
        ),
    ],
)
def test_a_finding_names_the_field_and_what_to_do(change: Object, path: str, message: str) -> None:
    findings = refused(sklearn(**change))
    assert message in findings[path]
    assert len(findings) == 1


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models/iris", "has no scheme"),
        ("ftp://", "names no location after ftp://"),
        ("pvc://", "names no location"),
        ("pvc://Models/iris", "is no name of a PersistentVolumeClaim"),
        ("pvc://models/../etc", "leaves the claim"),
        ("s3://models/iris\nteam-b", "'s3://models/iris\\nteam-b' has a line's end"),
    ],
)
def test_a_bad_location_is_explained(uri: str, message: str) -> None:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    assert message in refused(service({"model": model}))["spec.predictor.model.storageUri"]


@pytest.mark.parametrize(
    "uri",
    ["gs://b/m", "s3://b/m", "https://h/m.tar.gz", "hf://o/m", "oci+native://r/i:v1", "file:///m"],
)
def test_every_scheme_of_kserve_is_taken(uri: str) -> None:
    review(service({"sklearn": {"storageUri": uri}}))


def test_a_scheme_may_be_one_that_a_storage_container_brings() -> None:
    """Whether there is such a container is the compiler's to say: it may be applied later."""
    review(service({"sklearn": {"storageUri": "model-registry://iris/v1"}}))


@pytest.mark.parametrize("medium", ["", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"])
def test_every_medium_of_a_folder_is_taken(medium: str) -> None:
    review(sklearn(volumes=[{"name": "cache", "emptyDir": {"medium": medium}}]))


def test_a_medium_that_is_none_is_refused() -> None:
    found = refused(sklearn(volumes=[{"name": "cache", "emptyDir": {"medium": "Disk"}}]))
    assert '"Disk" does not have the form' in found["spec.predictor.volumes[0].emptyDir.medium"]


def test_the_rules_of_the_default_mode_hold_where_no_annotation_names_one() -> None:
    given = sklearn(nodeName="n1", terminationGracePeriodSeconds=90)
    assert len(refused(given)) == 2
    review(given, default_mode="Standard")
    named = {**given, "metadata": {**given["metadata"], "annotations": {MODE: "Knative"}}}
    with pytest.raises(ValidationError):
        review(named, default_mode="Standard")


def test_a_live_service_keeps_the_rules_of_its_mode_whatever_the_default_becomes() -> None:
    live = {**sklearn(), "status": {"deploymentMode": "Standard"}}
    review(sklearn(nodeName="n1"), live, default_mode="Knative")
    live = {**sklearn(), "status": {"deploymentMode": "Knative"}}
    with pytest.raises(ValidationError):
        review(sklearn(nodeName="n1"), live, default_mode="Standard")


def test_all_findings_come_at_once() -> None:
    given = yaml.safe_load(
        """
        apiVersion: serving.kserve.io/v1beta1
        kind: InferenceService
        metadata: {name: iris, annotations: {a: 1}}
        spec:
          nodeName: n1
          predictor:
            minReplica: 2
            timeout: 700
            sklearn: {storageUri: "ftp:x"}
            model:
              modelFormat: {nme: sklearn}
              resources: {limits: {cpu: 1 core}}
        """
    )
    assert set(refused(given)) == {
        "metadata.annotations.a",
        "spec.nodeName",
        "spec.predictor.minReplica",
        "spec.predictor.timeout",
        "spec.predictor.sklearn.storageUri",
        "spec.predictor.model.modelFormat.nme",
        "spec.predictor.model.modelFormat.name",
        "spec.predictor.model.resources.limits.cpu",
    }


@pytest.mark.parametrize("spec", [{}, {"predictor": None}, {"predictor": []}])
def test_a_service_without_a_predictor_is_refused(spec: Object) -> None:
    given = {**sklearn(), "spec": spec}
    assert set(refused(given)) == {"spec.predictor"}


def test_a_predictor_with_nothing_to_serve_is_refused() -> None:
    assert "names nothing to serve" in refused(service({"minReplicas": 1}))["spec.predictor"]


@pytest.mark.parametrize("name", ["Iris", "1iris", "iris.v2", "iris-", "i" * 64, ""])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    given = sklearn()
    given["metadata"]["name"] = name
    assert "metadata.name" in refused(given)


def test_a_name_still_to_be_generated_is_taken() -> None:
    given = sklearn()
    given["metadata"] = {"generateName": "iris-"}
    review(given)


def test_the_mode_of_a_live_object_stays() -> None:
    path = "metadata.annotations[serving.kserve.io/deploymentMode]"
    standard = service(
        {"sklearn": {}}, annotations={"serving.kserve.io/deploymentMode": "RawDeployment"}
    )
    serverless = service(
        {"sklearn": {}}, annotations={"serving.kserve.io/deploymentMode": "Serverless"}
    )
    assert "cannot change from Standard to Knative" in refused(serverless, standard)[path]
    assert review(serverless, service({"sklearn": {}}))


@pytest.mark.parametrize("mode", ["ModelMesh", "Raw"])
def test_other_modes_are_refused(mode: str) -> None:
    given = service({"sklearn": {}}, annotations={"serving.kserve.io/deploymentMode": mode})
    assert "metadata.annotations[serving.kserve.io/deploymentMode]" in refused(given)


@pytest.mark.parametrize("kind", ["ServingRuntime", "ClusterServingRuntime"])
def test_a_runtime_is_checked(kind: str) -> None:
    runtime: Object = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "r"},
        "spec": {
            "supportedModelFormats": [{"name": "sklearn", "autoSelect": True, "priority": 1}],
            "containers": [{"name": "kserve-container", "image": "i"}],
        },
    }
    assert review(runtime) is runtime
    runtime["spec"]["container"] = []
    runtime["spec"]["supportedModelFormats"] *= 2
    assert set(refused(runtime)) == {
        "spec.container",
        "spec.supportedModelFormats[1]",
    }


def test_kinds_of_others_pass() -> None:
    other = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService", "spec": {}}
    assert review(other) is other


@pytest.mark.parametrize(
    "obj",
    [
        {"kind": "InferenceService"},
        {"kind": "InferenceService", "metadata": [], "spec": []},
        {"kind": "InferenceService", "metadata": {"name": 3}, "spec": {"predictor": {"model": 1}}},
        {"kind": "ServingRuntime", "spec": {"containers": [None, {"name": 1}]}},
    ],
)
def test_whatever_is_given_the_answer_is_the_documented_error(obj: Object) -> None:
    with pytest.raises(ValidationError):
        review(obj)
