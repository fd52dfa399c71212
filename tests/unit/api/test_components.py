"""Rules of transformer, explainer and steering annotations, and what is not there yet."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.admission import review
from rouse.errors import ValidationError

Object = dict[str, Any]

CONTAINER: Object = {"containers": [{"name": "c", "image": "i"}]}
SKLEARN: Object = {"sklearn": {"storageUri": "pvc://models/iris"}}


def refused(spec: Object, annotations: Object | None = None) -> dict[str, str]:
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "annotations": annotations or {}},
        "spec": {"predictor": SKLEARN, **spec},
    }
    try:
        review(obj)
    except ValidationError as error:
        return {each.path: each.message for each in error.errors}
    return {}


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"transformer": {}}, "spec.transformer.containers", "at least one container"),
        ({"explainer": {}}, "spec.explainer", "names nothing that explains"),
        (
            {"explainer": {"art": {"storageUri": "models/art"}}},
            "spec.explainer.art.storageUri",
            "has no scheme",
        ),
        (
            {"transformer": {**CONTAINER, "maxReplicas": 1, "minReplicas": 2}},
            "spec.transformer.maxReplicas",
            "1 is less than minReplicas",
        ),
        (
            {"predictor": {**SKLEARN, "storageUris": [{"uri": "gs://b/m"}]}},
            "spec.predictor.storageUris",
            "is given beside spec.predictor.sklearn.storageUri",
        ),
        (
            {"predictor": {**CONTAINER, "storageUris": [{"uri": "b/m", "mountPath": "m"}]}},
            "spec.predictor.storageUris[0].mountPath",
            '"m" does not have the form ^/',
        ),
        (
            {"predictor": {**CONTAINER, "storageUris": [{"uri": "b://m", "mountPath": "/"}]}},
            "spec.predictor.storageUris[0].mountPath",
            "name a folder in it",
        ),
        (
            {"predictor": {**CONTAINER, "storageUris": []}},
            "spec.predictor.storageUris",
            "at least 1 needed",
        ),
        (
            {"explainer": {"alibi": {"type": "AnchorTabular"}}},
            "spec.explainer.alibi",
            "KServe dropped the block alibi, and with it Rouse; run the explainer's image under "
            "containers",
        ),
        (
            {"predictor": {**CONTAINER, "storageUris": [{"uri": "gs://a"}, {"uri": "gs://b"}]}},
            "spec.predictor.storageUris[1].mountPath",
            "is taken by an entry before",
        ),
    ],
)
def test_a_finding_names_the_field_and_what_to_do(spec: Object, path: str, message: str) -> None:
    assert message in refused(spec)[path]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rouse.dev/canary-header", "=x", "has no valid name"),
        ("rouse.dev/canary-header", "a b", "has no valid name"),
        ("rouse.dev/canary-cookie", "a=b;c", "cannot be the value"),
        ("rouse.dev/mirror-percent", "101", "is no percent"),
        ("rouse.dev/mirror-percent", "x", "is no percent"),
        ("rouse.dev/twin", "always", "allowed: auto, off, require"),
        ("rouse.dev/logger-sample", "1.5", "write a number from 0 to 1"),
        ("rouse.dev/logger-sample", "10%", "write a number from 0 to 1"),
        ("rouse.dev/logger-sample", "-0.1", "write a number from 0 to 1"),
        ("rouse.dev/logger-sample", "nan", "write a number from 0 to 1"),
        ("rouse.dev/coldstart-budget", "soon", "is no duration above zero"),
        ("rouse.dev/coldstart-budget", "0s", "is no duration above zero"),
        ("serving.kserve.io/stop", "yes", "neither true nor false"),
        ("networking.kserve.io/visibility", "hidden", "is unknown; allowed: cluster-local"),
    ],
)
def test_an_annotation_that_steers_is_checked(name: str, value: str, message: str) -> None:
    assert message in refused({}, {name: value})[f"metadata.annotations[{name}]"]


def test_copies_of_requests_need_a_replica_and_no_transformer() -> None:
    mirror = {"rouse.dev/mirror-percent": "50"}
    assert refused({}, mirror) == {}
    asleep = refused({"predictor": {**SKLEARN, "minReplicas": 0}}, mirror)
    assert "copies do not wake a revision" in asleep["spec.predictor.minReplicas"]
    beside = refused({"transformer": CONTAINER}, mirror)
    assert "beside spec.transformer" in beside["metadata.annotations[rouse.dev/mirror-percent]"]


V2 = {"name": "v2", **SKLEARN}
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def test_canaries_as_predictors_are_refused_in_the_mode_knative_with_a_way_out() -> None:
    canary = [{"trafficPercent": 10, "predictor": V2}]
    got = refused({"canary": canary}, {"serving.kserve.io/deploymentMode": "Knative"})
    assert list(got) == ["spec.canary"]
    assert "spec.predictor.canaryTrafficPercent" in got["spec.canary"]
    assert refused({"canary": canary}, STANDARD) == {}


@pytest.mark.parametrize(
    ("predictor", "path", "message"),
    [
        (SKLEARN, "name", "is required"),
        ({**SKLEARN, "name": "v1"}, "name", '"v1" is taken by spec.predictor'),
        ({**SKLEARN, "name": "V2"}, "name", "V2"),
        ({"name": "v2"}, "", "names nothing to serve"),
        ({**V2, "xgboost": {"storageUri": "gs://m/x"}}, "", "has 2 models"),
        ({**V2, "workerSpec": {}}, "workerSpec", "not possible in a canary"),
        ({**V2, "maxReplicas": 3}, "maxReplicas", "fixed replicas"),
        ({**V2, "scaleTarget": 3}, "scaleTarget", "fixed replicas"),
        ({**V2, "scaleMetric": "cpu"}, "scaleMetric", "fixed replicas"),
        ({**V2, "autoScaling": {"metrics": []}}, "autoScaling", "fixed replicas"),
        ({**V2, "minReplicas": 3}, "minReplicas", "more than spec.predictor.minReplicas"),
    ],
)
def test_what_a_canary_cannot_be(predictor: Object, path: str, message: str) -> None:
    stable = {**SKLEARN, "name": "v1", "minReplicas": 2}
    canary = [{"trafficPercent": 10, "predictor": predictor}]
    got = refused({"predictor": stable, "canary": canary}, STANDARD)
    field = f"spec.canary[0].predictor{'.' if path else ''}{path}"
    assert message in got[field]


def test_canaries_have_names_of_their_own_and_at_most_all_requests() -> None:
    two = [{"trafficPercent": 60, "predictor": V2}] * 2
    got = refused({"canary": two}, STANDARD)
    assert got["spec.canary"] == "the trafficPercent of all sum to 120; the most is 100"
    assert "taken by spec.canary[0].predictor" in got["spec.canary[1].predictor.name"]


def test_canaries_need_a_stable_model() -> None:
    canary = [{"trafficPercent": 10, "predictor": V2}]
    got = refused({"predictor": CONTAINER, "canary": canary}, STANDARD)
    assert "needs a model in spec.predictor" in got["spec.canary"]


def test_model_mesh_is_refused_with_a_way_out() -> None:
    got = refused({}, {"serving.kserve.io/deploymentMode": "ModelMesh"})
    message = got["metadata.annotations[serving.kserve.io/deploymentMode]"]
    assert "until its model mesh is there" in message
    assert "Knative" in message
