"""Reading, defaulting and the conditions of an InferenceService."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.api.inferenceservice import default, parse, validate
from rouse.api.inferenceservice.lifecycle import Finding, set_conditions, summarize
from rouse.api.inferenceservice.types import FRAMEWORKS
from rouse.errors import ValidationError

Object = dict[str, Any]


def service(predictor: Object) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": predictor},
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_old_block_means_a_model(framework: str) -> None:
    block = {"storageUri": "gs://b/m", "runtimeVersion": "1.0", "env": [{"name": "A"}]}
    predictor = default(parse(service({framework: block}))).spec.predictor
    assert predictor.frameworks() == {}
    assert predictor.model is not None
    protocol = "v2" if framework in ("huggingface", "onnx", "triton") else "v1"
    assert predictor.model.to_object() == {
        **block,
        "modelFormat": {"name": framework},
        "protocolVersion": protocol,
    }


def test_a_protocol_that_is_given_stays() -> None:
    predictor = default(parse(service({"triton": {"protocolVersion": "grpc-v2"}}))).spec.predictor
    assert predictor.model is not None
    assert predictor.model.protocol_version == "grpc-v2"


def test_a_single_container_is_the_one_that_serves() -> None:
    one = default(parse(service({"containers": [{"name": "custom"}]}))).spec.predictor
    assert [c.name for c in one.containers or ()] == ["kserve-container"]
    two = default(parse(service({"containers": [{"name": "a"}, {"name": "b"}]}))).spec.predictor
    assert [c.name for c in two.containers or ()] == ["a", "b"]


def test_defaulting_leaves_its_argument_alone() -> None:
    isvc = parse(service({"sklearn": {}}))
    before = isvc.to_object()
    default(isvc)
    assert isvc.to_object() == before


predictors = st.one_of(
    st.fixed_dictionaries({}, optional={name: st.just({}) for name in FRAMEWORKS}),
    st.fixed_dictionaries({"containers": st.lists(st.just({"name": "c"}), max_size=2)}),
).flatmap(
    lambda base: st.fixed_dictionaries(
        {key: st.just(value) for key, value in base.items()},
        optional={
            "minReplicas": st.integers(0, 3),
            "serviceAccount": st.just("a"),
            "logger": st.just({}),
            "batcher": st.just({}),
            "model": st.just({"modelFormat": {"name": "sklearn"}}),
        },
    )
)


@given(predictors)
def test_defaulting_twice_is_defaulting_once(predictor: Object) -> None:
    once = default(parse(service(predictor)))
    assert default(once) == once


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["predictor", "model", "containers", "name", "modelFormat", "env"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_spec_is_read_or_refused(spec: Any) -> None:
    obj = {**service({}), "spec": spec}
    with contextlib.suppress(ValidationError):
        validate(parse(obj))


def test_the_first_part_that_is_not_true_decides() -> None:
    parts = [Finding("A", "Unknown", "Later"), Finding("B", "False", "Broken", "see the log")]
    assert summarize(parts) == Finding("Ready", "False", "Broken", "see the log")
    assert summarize(parts[:1]).reason == "Later"
    assert summarize([Finding("A", "True")]) == Finding("Ready", "True")


def test_the_time_of_a_condition_is_that_of_its_last_change() -> None:
    first = set_conditions([Finding("Ready", "Unknown"), Finding("A", "True")], [], "t1")
    second = set_conditions([Finding("Ready", "True"), Finding("A", "True", "Why")], first, "t2")
    assert second == [
        {
            "type": "A",
            "status": "True",
            "lastTransitionTime": "t1",
            "reason": "Why",
            "severity": "Info",
        },
        {"type": "Ready", "status": "True", "lastTransitionTime": "t2"},
    ]
