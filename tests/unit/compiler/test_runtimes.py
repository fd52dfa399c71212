"""The runtime that is chosen, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice import default, parse
from rouse.compiler.errors import CompileError
from rouse.compiler.runtimes import RuntimeSet, select_runtime

Object = dict[str, Any]


def runtime(name: str, *, namespace: str = "", created: str = "", **spec: Any) -> Object:
    formats = spec.pop("formats", [{"name": "sklearn", "version": "1", "autoSelect": True}])
    metadata = {"name": name, "creationTimestamp": created}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime" if namespace else "ClusterServingRuntime",
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        "spec": {
            "supportedModelFormats": formats,
            "containers": [{"name": "kserve-container", "image": "i"}],
            **spec,
        },
    }


def auto(priority: int | None = None, version: str | None = "1") -> list[Object]:
    given = {"name": "sklearn", "version": version, "autoSelect": True, "priority": priority}
    return [{key: value for key, value in given.items() if value is not None}]


def chosen(runtimes: list[Object], version: str | None = None, **model: Any) -> str:
    wanted = {"name": "sklearn"} | ({"version": version} if version else {})
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "ns"},
        "spec": {"predictor": {"model": {"modelFormat": wanted, **model}}},
    }
    spec = default(parse(obj)).spec.predictor.model
    assert spec is not None
    return select_runtime(spec, "ns", RuntimeSet.of(runtimes)).name


@pytest.mark.parametrize(
    ("runtimes", "wanted"),
    [
        ([runtime("a", formats=auto(1)), runtime("b", formats=auto(2))], "b"),
        ([runtime("a", formats=auto()), runtime("b", formats=auto(1))], "b"),
        ([runtime("a", formats=auto(9)), runtime("b", namespace="ns", formats=auto())], "b"),
        ([runtime("a"), runtime("b", namespace="other")], "a"),
        ([runtime("b", protocolVersions=["v1"]), runtime("a", protocolVersions=["v2"])], "b"),
        ([runtime("a", protocolVersions=["v3", "v2", "v1"]), runtime("b")], "a"),
        ([runtime("a", created="2025-01-01"), runtime("b", created="2026-01-01")], "b"),
        ([runtime("b"), runtime("a")], "a"),
        ([runtime("a", disabled=True), runtime("b")], "b"),
        ([runtime("a", multiModel=True), runtime("b")], "b"),
        ([runtime("a", formats=[{"name": "sklearn"}]), runtime("b")], "b"),
        ([runtime("a", formats=[{"name": "onnx", "autoSelect": True}]), runtime("b")], "b"),
    ],
)
def test_the_order_of_kserve(runtimes: list[Object], wanted: str) -> None:
    assert chosen(runtimes) == wanted
    assert chosen(runtimes[::-1]) == wanted


def test_the_protocol_decides_who_can() -> None:
    both = [
        runtime("one", protocolVersions=["v1"], formats=auto(1)),
        runtime("two", protocolVersions=["v2"], formats=auto(2)),
    ]
    assert chosen(both) == "one"
    assert chosen(both, protocolVersion="v2") == "two"
    assert chosen([runtime("any")], protocolVersion="grpc-v2") == "any"


def test_a_version_is_compared_as_text() -> None:
    both = [runtime("a", formats=auto(version="1")), runtime("b", formats=auto(version="1.0"))]
    assert chosen(both, version="1.0") == "b"
    with pytest.raises(CompileError, match=r"sklearn \(version 2\)"):
        chosen(both, version="2")


def test_a_named_runtime_needs_no_auto_select() -> None:
    both = [runtime("a"), runtime("b", formats=[{"name": "sklearn"}])]
    assert chosen(both, runtime="b") == "b"


def test_protocols_that_no_model_asks_for_do_no_harm() -> None:
    both = [runtime("a", protocolVersions=["v3"]), runtime("b")]
    assert chosen(both) == "b"
    with pytest.raises(CompileError, match="does not speak v1; it speaks: v3"):
        chosen(both, runtime="a")


def test_a_gpu_variant_may_be_switched_off_or_belong_elsewhere() -> None:
    def variant(name: str, **spec: Any) -> Object:
        obj = runtime(name, formats=[{"name": "sklearn", "version": "1"}], **spec)
        obj["metadata"]["annotations"] = {"rouse.dev/gpu-variant-of": "a"}
        return obj

    gpu: Object = {"resources": {"limits": {"amd.com/gpu": 1}}}
    assert chosen([runtime("a"), variant("b")], **gpu) == "b"
    assert chosen([runtime("a"), variant("b")]) == "a"
    assert chosen([runtime("a"), variant("b", disabled=True)], **gpu) == "a"
    assert chosen([runtime("a"), variant("b", namespace="ns")], **gpu) == "a"
    assert chosen([runtime("a"), variant("b", protocolVersions=["v2"])], **gpu) == "a"


def test_the_namespace_hides_the_cluster() -> None:
    both = [runtime("a", disabled=True), runtime("a", namespace="ns")]
    assert chosen(both, runtime="a") == "a"


@pytest.mark.parametrize(
    ("runtimes", "model", "reason", "message"),
    [
        ([], {}, "NoSupportingRuntime", "supported: none"),
        ([runtime("a", formats=[{"name": "onnx"}])], {}, "NoSupportingRuntime", "supported: onnx"),
        (
            [runtime("a", protocolVersions=["v2"])],
            {},
            "NoSupportingRuntime",
            "set spec.predictor.model.runtime or protocolVersion to use one of: a",
        ),
        ([runtime("a")], {"runtime": "b"}, "RuntimeNotRecognized", 'named "b"; there are: a'),
        ([runtime("a", disabled=True)], {"runtime": "a"}, "RuntimeDisabled", "is disabled"),
        (
            [runtime("a", formats=[{"name": "onnx"}])],
            {"runtime": "a"},
            "NoSupportingRuntime",
            "does not serve the format sklearn; it serves: onnx",
        ),
        (
            [runtime("a", protocolVersions=["v2"])],
            {"runtime": "a"},
            "NoSupportingRuntime",
            "does not speak v1; it speaks: v2",
        ),
        (
            [runtime("a", contaners=[])],
            {"runtime": "a"},
            "RuntimeNotRecognized",
            'cannot be used: ClusterServingRuntime "a" is invalid: spec.contaners',
        ),
    ],
)
def test_what_is_said_when_none_fits(
    runtimes: list[Object], model: Object, reason: str, message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        chosen(runtimes, **model)
    assert caught.value.reason == reason
    assert message in caught.value.message
    assert caught.value.message.startswith("spec.predictor.model.")
