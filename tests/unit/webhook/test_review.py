"""The decisions: what is refused and how it is told, what is patched, what is let through."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.embedded.apiserver.jsonpatch import json_patch
from rouse.errors import InvalidError
from rouse.webhook.envelope import Verdict, answer, read_review, unsupported
from rouse.webhook.review import is_model_pod, review_default, review_pod, review_validate
from tests.unit.webhook.cluster import isvc, pod, review

SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


def asked(obj: Object | None, **request: Any) -> Any:
    return read_review(orjson.dumps(review(obj, **request)))


def pod_asked(obj: Object, **request: Any) -> Any:
    return asked(obj, **{"resource": "pods", "namespace": "default", **request})


def answered(request: Any, verdict: Verdict) -> Object:
    read: Object = orjson.loads(answer(request, verdict))
    return read


def test_a_good_service_is_allowed_and_the_uid_comes_back() -> None:
    request = asked(isvc())
    whole = answered(request, review_validate(request))
    assert whole == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True},
    }


def test_a_refusal_lists_every_finding_with_its_path() -> None:
    bad = isvc(minReplicas=-1, modle={}, model={"modelFormat": {}})
    request = asked(bad)
    response = answered(request, review_validate(request))["response"]
    assert response["allowed"] is False
    status = response["status"]
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"]["name"] == "iris"
    assert status["details"]["kind"] == "InferenceService"
    paths = {cause["field"] for cause in status["details"]["causes"]}
    assert {"spec.predictor.modle", "spec.predictor.minReplicas"} <= paths
    assert all(path in status["message"] for path in paths)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"sklearn": {"storageUri": "s3://m/x"}}, "modelFormat.name: sklearn"),
        (
            {"model": isvc()["spec"]["predictor"]["model"], "serviceAccount": "sa"},
            "serviceAccountName",
        ),
    ],
)
def test_old_forms_work_with_a_warning(change: Object, warning: str) -> None:
    verdict = review_validate(asked(isvc(**change)))
    assert verdict.allowed
    assert warning in " ".join(verdict.warnings)


def test_the_old_name_of_a_mode_works_with_a_warning() -> None:
    old = isvc()
    old["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    verdict = review_validate(asked(old))
    assert verdict.allowed
    assert verdict.warnings == (
        "serving.kserve.io/deploymentMode: RawDeployment is the old name of Standard; "
        "write Standard",
    )


def test_an_update_is_held_against_the_object_before() -> None:
    cache = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelCache",
        "metadata": {"name": "m"},
        "spec": {"sourceModelUri": "s3://a/b", "modelSize": "1Gi", "nodeGroups": ["g"]},
    }
    other = {**cache, "spec": {**cache["spec"], "sourceModelUri": "s3://a/c"}}  # type: ignore[dict-item]
    created = asked(other, resource="localmodelcaches")
    assert review_validate(created).allowed
    updated = asked(other, old=cache, operation="UPDATE", resource="localmodelcaches")
    assert not review_validate(updated).allowed


def test_a_delete_and_a_subresource_pass() -> None:
    gone = asked(None, old=isvc(), operation="DELETE")
    bad = asked(isvc(nonsense=1), subResource="status")
    for request in (gone, bad):
        for decide in (review_validate, review_default):
            assert decide(request) == Verdict()


def test_unknown_kinds_are_allowed_with_a_warning() -> None:
    request = asked({"apiVersion": "a.b/v1", "kind": "Thing", "metadata": {"name": "t"}})
    for decide in (review_validate, review_default):
        verdict = decide(request)
        assert verdict.allowed
        assert "Thing.a.b" in verdict.warnings[0]


def test_what_is_stored_keeps_the_shape_that_was_given() -> None:
    request = asked(isvc())
    assert "patch" not in answered(request, review_default(request))["response"]


def test_defaulting_leaves_what_is_wrong_to_validation() -> None:
    assert review_default(asked(isvc(nonsense=1))) == Verdict()


def test_v1beta1_is_refused_in_its_own_terms() -> None:
    body = {**review(isvc()), "apiVersion": "admission.k8s.io/v1beta1"}
    request = read_review(orjson.dumps(body))
    verdict = unsupported(request)
    assert verdict is not None
    whole = answered(request, verdict)
    assert whole["apiVersion"] == "admission.k8s.io/v1beta1"
    assert whole["response"]["uid"] == request.uid
    assert whole["response"]["allowed"] is False
    assert "admissionReviewVersions: [v1]" in whole["response"]["status"]["message"]
    assert unsupported(asked(isvc())) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"kind": "Pod", "apiVersion": "v1"}',
        b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
        b'{"kind": "AdmissionReview", "apiVersion": "other/v1", "request": {}}',
        orjson.dumps(review(isvc(), uid="")),
        orjson.dumps(review(isvc(), uid=7)),
        orjson.dumps(review(isvc(), object=[1])),
        orjson.dumps(review(isvc(), kind=None)),
        b'{"a":' * 2000,
    ],
)
def test_what_is_no_review_is_said(body: bytes) -> None:
    with pytest.raises(InvalidError):
        read_review(body)


def test_a_pod_gets_its_model() -> None:
    plain = pod({SOURCE: "s3://models/iris"})
    request = pod_asked(plain)
    assert is_model_pod(request)
    response = answered(request, review_pod(request, config=Config()))["response"]
    assert response["patchType"] == "JSONPatch"
    patched = json_patch(plain, orjson.loads(base64.b64decode(response["patch"])))
    assert [each["name"] for each in patched["spec"]["initContainers"]] == ["storage-initializer"]
    assert "namespace" not in patched["metadata"]
    again = pod_asked(patched)
    assert review_pod(again, config=Config()).patch == []


@pytest.mark.parametrize(
    "change", [{"operation": "UPDATE"}, {"subResource": "status"}, {"resource": "other"}]
)
def test_other_requests_about_pods_pass(change: Object) -> None:
    request = pod_asked(pod({SOURCE: "s3://models/iris"}), **change)
    assert review_pod(request, config=Config()) == Verdict()


def test_a_pod_that_asks_for_nothing_passes() -> None:
    assert review_pod(pod_asked(pod()), config=Config()) == Verdict()


def test_a_misshapen_pod_is_refused_with_paths() -> None:
    bad = pod({SOURCE: "s3://m/x"}, containers=[{"name": "kserve-container", "env": [7]}])
    verdict = review_pod(pod_asked(bad), config=Config())
    assert not verdict.allowed
    assert verdict.status is not None
    causes = verdict.status["details"]["causes"]
    assert causes[0]["field"] == "spec.containers[0].env[0]"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "env", "value", "valueFrom", "containers", "volumes", "mountPath", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
MARKS = st.dictionaries(
    st.sampled_from(
        [
            SOURCE,
            "internal.serving.kserve.io/storage-initializer-uris",
            "internal.serving.kserve.io/logger",
            "internal.serving.kserve.io/batcher",
            "internal.serving.kserve.io/storage-spec",
            "internal.serving.kserve.io/storage-spec-param",
        ]
    ),
    st.text(max_size=12) | st.sampled_from(["true", "s3://a/b", "pvc://a/b", "[{}]", "{}"]),
    min_size=1,
)


@settings(max_examples=150, deadline=None)
@given(
    marks=MARKS,
    spec=st.dictionaries(
        st.sampled_from(["containers", "initContainers", "volumes", "serviceAccountName"]), JUNK
    ),
    field=st.sampled_from(
        [
            "env",
            "volumeMounts",
            "ports",
            "args",
            "resources",
            "securityContext",
            "readinessProbe",
            "command",
            "envFrom",
        ]
    ),
    value=JUNK,
)
def test_no_pod_breaks_the_review(marks: Object, spec: Object, field: str, value: Any) -> None:
    container = {"name": "kserve-container", "image": "x", field: value}
    for body in (pod(marks) | {"spec": spec}, pod(marks, containers=[container])):
        verdict = review_pod(pod_asked(body), config=Config())
        assert verdict.allowed or verdict.status is not None


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(
        ["InferenceService", "InferenceGraph", "ServingRuntime", "TrainedModel", "LocalModelCache"]
    ),
    metadata=JUNK,
    spec=JUNK,
    old=st.none() | JUNK.map(lambda spec: {"spec": spec}),
)
def test_no_object_breaks_the_review(kind: str, metadata: Any, spec: Any, old: Any) -> None:
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }
    about = {"group": "serving.kserve.io", "version": "v1beta1", "kind": kind}
    request = read_review(
        orjson.dumps(review(isvc(), kind=about, object=obj, oldObject=old, operation="UPDATE"))
    )
    for decide in (review_validate, review_default):
        verdict = decide(request)
        assert verdict.allowed or verdict.status is not None


def test_a_scheme_nobody_fetches_is_refused_where_it_is_new() -> None:
    floppy = isvc(model={"modelFormat": {"name": "sklearn"}, "storageUri": "floppy://a"})
    verdict = review_validate(asked(floppy))
    assert not verdict.allowed
    assert verdict.status is not None
    assert "spec.predictor.model.storageUri" in verdict.status["message"]
    spec = {"container": {}, "supportedUriFormats": [{"prefix": "floppy://"}]}
    drives = {"metadata": {"name": "drives"}, "spec": spec}
    assert review_validate(asked(floppy), storage_containers=[drives]).allowed
