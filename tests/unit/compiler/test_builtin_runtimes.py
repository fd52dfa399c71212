"""Which of the runtimes that ship with Rouse serves what, and that each of them is sound."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.api import servingruntime
from rouse.api.inferenceservice import default, parse
from rouse.api.inferenceservice.types import InferenceService, ModelSpec
from rouse.compiler.errors import CompileError
from rouse.compiler.placeholders import fill, values_of
from rouse.compiler.runtimes import VARIANT_OF, Runtime, RuntimeSet, select_runtime

Object = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "manifests" / "runtimes"


@cache
def built_in() -> RuntimeSet:
    return RuntimeSet.of(documents())


def documents() -> list[Object]:
    files = sorted(FOLDER.glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8"))]


def service(format_: str, version: str | None = None, **model: Any) -> InferenceService:
    wanted = {"name": format_} | ({"version": version} if version else {})
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "ns", "labels": model.pop("labels", {})},
        "spec": {"predictor": {"model": {"modelFormat": wanted, **model}}},
    }
    return default(parse(obj))


def model_of(isvc: InferenceService) -> ModelSpec:
    model = isvc.spec.predictor.model
    assert model is not None
    return model


def chosen(format_: str, version: str | None = None, **model: Any) -> Runtime:
    return select_runtime(model_of(service(format_, version, **model)), "ns", built_in())


def gpu(name: str = "nvidia.com/gpu") -> Object:
    return {"resources": {"limits": {name: "1"}}}


V2 = {"protocolVersion": "v2"}


@pytest.mark.parametrize(
    ("format_", "version", "model", "wanted"),
    [
        # One server for both protocols: ours comes before MLServer.
        ("sklearn", None, {}, "rouse-sklearnserver"),
        ("sklearn", "1", V2, "rouse-sklearnserver"),
        ("sklearn", "0", V2, "rouse-mlserver"),
        ("sklearn", None, {"protocolVersion": "grpc-v2"}, "rouse-mlserver"),
        ("xgboost", None, {}, "rouse-xgboostserver"),
        ("xgboost", None, V2, "rouse-mlserver"),
        ("lightgbm", "3", {}, "rouse-lightgbmserver"),
        ("lightgbm", None, V2, "rouse-mlserver"),
        ("mlflow", None, {}, "rouse-mlflowserver"),
        ("mlflow", None, V2, "rouse-mlserver"),
        ("pytorch", None, {}, "rouse-torchserve"),
        ("pytorch", "1", V2, "rouse-torchserve"),
        ("pytorch", "2", {}, "rouse-pytorchserver"),
        ("onnx", None, {}, "rouse-tritonserver"),
        ("onnx", None, {"protocolVersion": "v1"}, "rouse-onnxserver"),
        ("triton", None, {}, "rouse-tritonserver"),
        ("tensorrt", "8", {"protocolVersion": "grpc-v2"}, "rouse-tritonserver"),
        ("tensorflow", None, {}, "rouse-tensorflow-serving"),
        ("tensorflow", "2", V2, "rouse-tritonserver"),
        ("huggingface", None, {}, "rouse-huggingfaceserver"),
        ("vllm", None, {}, "rouse-vllm"),
        ("openvino", None, {}, "rouse-openvino"),
        ("paddle", None, {}, "rouse-paddleserver"),
        ("pmml", "4", {}, "rouse-pmmlserver"),
        ("custom", None, {}, "rouse-customserver"),
    ],
)
def test_who_serves_a_format(format_: str, version: str | None, model: Object, wanted: str) -> None:
    assert chosen(format_, version, **model).name == wanted


@pytest.mark.parametrize(
    ("format_", "model", "wanted"),
    [
        ("tensorflow", gpu(), "rouse-tensorflow-serving-gpu"),
        ("tensorflow", gpu("amd.com/gpu"), "rouse-tensorflow-serving"),
        ("tensorflow", {"resources": {"requests": {"cpu": 8}}}, "rouse-tensorflow-serving"),
        ("pytorch", gpu("nvidia.com/mig-1g.10gb"), "rouse-torchserve-gpu"),
        ("huggingface", gpu(), "rouse-huggingfaceserver-gpu"),
        ("xgboost", gpu(), "rouse-xgboostserver-gpu"),
        ("sklearn", gpu(), "rouse-sklearnserver"),
        ("triton", gpu(), "rouse-tritonserver"),
        ("vllm", gpu(), "rouse-vllm"),
        ("vllm", gpu("amd.com/gpu"), "rouse-vllm-rocm"),
        ("openvino", gpu("gpu.intel.com/i915"), "rouse-openvino-gpu"),
        # A runtime that is named has its variant too, and a variant can be named itself.
        ("onnx", gpu() | {"runtime": "rouse-onnxserver"}, "rouse-onnxserver-gpu"),
        (
            "tensorflow",
            gpu() | {"runtime": "kserve-tensorflow-serving"},
            "rouse-tensorflow-serving-gpu",
        ),
        ("onnx", {"runtime": "rouse-onnxserver-gpu"}, "rouse-onnxserver-gpu"),
    ],
)
def test_who_serves_it_on_a_gpu(format_: str, model: Object, wanted: str) -> None:
    assert chosen(format_, **model).name == wanted


@pytest.mark.parametrize(
    ("name", "format_", "wanted"),
    [
        ("kserve-sklearnserver", "sklearn", "rouse-sklearnserver"),
        ("kserve-predictiveserver", "lightgbm", "rouse-lightgbmserver"),
        ("kserve-predictiveserver", "sklearn", "rouse-sklearnserver"),
        ("kserve-xgbserver", "xgboost", "rouse-xgboostserver"),
        ("kserve-lgbserver", "lightgbm", "rouse-lightgbmserver"),
        ("kserve-huggingfaceserver", "huggingface", "rouse-huggingfaceserver"),
        ("kserve-torchserve", "pytorch", "rouse-torchserve"),
        ("kserve-tritonserver", "onnx", "rouse-tritonserver"),
        ("kserve-tensorflow-serving", "tensorflow", "rouse-tensorflow-serving"),
        ("kserve-paddleserver", "paddle", "rouse-paddleserver"),
        ("kserve-pmmlserver", "pmml", "rouse-pmmlserver"),
    ],
)
def test_kserves_names_find_the_equivalent(name: str, format_: str, wanted: str) -> None:
    assert chosen(format_, runtime=name).name == wanted
    assert chosen("sklearn", runtime="kserve-mlserver", **V2).name == "rouse-mlserver"


def test_a_runtime_of_that_very_name_comes_before_an_alias() -> None:
    [ours] = [d for d in documents() if d["metadata"]["name"] == "rouse-sklearnserver"]
    theirs = {**ours, "metadata": {"name": "kserve-sklearnserver"}}
    model = model_of(service("sklearn", runtime="kserve-sklearnserver"))
    assert select_runtime(model, "ns", RuntimeSet.of([ours, theirs])).name == "kserve-sklearnserver"


def test_an_alias_of_another_format_is_refused_by_the_runtimes_own_name() -> None:
    with pytest.raises(CompileError, match='"kserve-xgbserver" does not serve the format sklearn'):
        chosen("sklearn", runtime="kserve-xgbserver")


@pytest.mark.parametrize("obj", documents(), ids=lambda obj: str(obj["metadata"]["name"]))
def test_every_runtime_is_valid_and_complete(obj: Object) -> None:
    runtime = servingruntime.parse(obj)
    assert servingruntime.validate(runtime) == []
    [container] = runtime.spec.containers
    assert container.name == "kserve-container"
    assert ":" in (container.image or "")
    for each in runtime.spec.supported_model_formats or ():
        isvc = service(each.name, each.version)
        filled = fill(container.to_object(), values_of(isvc, model_of(isvc)), "the runtime")
        assert "{{" not in str(filled)
    base = (obj["metadata"].get("annotations") or {}).get(VARIANT_OF)
    if base is not None:
        known = built_in().runtimes[("", base)].spec.supported_model_formats or []
        formats = runtime.spec.supported_model_formats or []
        assert [(f.name, f.version) for f in known] == [(f.name, f.version) for f in formats]
        assert not any(each.auto_select for each in formats)


@pytest.mark.parametrize(
    ("isvc", "label", "wanted"),
    [
        (service("xgboost", **V2), "modelClass", "mlserver_xgboost.XGBoostModel"),
        (service("sklearn", labels={"modelClass": "mine.Model"}), "modelClass", "mine.Model"),
        (service("pytorch"), "serviceEnvelope", "kserve"),
        (service("pytorch", **V2), "serviceEnvelope", "kservev2"),
    ],
)
def test_labels_that_kserve_writes_are_there(
    isvc: InferenceService, label: str, wanted: str
) -> None:
    labels = values_of(isvc, model_of(isvc))["Labels"]
    assert isinstance(labels, dict)
    assert labels[label] == wanted


@pytest.mark.parametrize("model", [{}, {"runtime": "kserve-huggingfaceserver-multinode"}])
def test_a_model_on_several_nodes_gets_the_runtime_with_workers(model: Object) -> None:
    spread = model_of(service("huggingface", None, **model))
    found = select_runtime(spread, "ns", built_in(), with_workers=True)
    assert found.name == "rouse-huggingfaceserver-multinode"
    assert chosen("huggingface").name == "rouse-huggingfaceserver"
