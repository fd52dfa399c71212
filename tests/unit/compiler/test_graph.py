"""Graphs compiled: endpoints of steps, refusals that no golden file has, and events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from rouse.api import inferencegraph
from rouse.authorizer import HostTable
from rouse.compiler import Compiled, Config, Observed
from rouse.compiler.errors import CompileError
from rouse.compiler.graph import compile_graph_object
from rouse.compiler.graph.endpoints import endpoint_of
from rouse.compiler.graph.router import make_router
from rouse.compiler.needs import needs_of
from rouse.kube.objects import Key

Object = dict[str, Any]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOST = "http://iris.default.svc.cluster.local"


def service(predictor: Object, *, address: str = HOST, **spec: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"predictor": predictor, **spec},
        "status": {"address": {"url": address}} if address else {},
    }


def model(name: str = "sklearn", **fields: Any) -> Object:
    return {"model": {"modelFormat": {"name": name}, "storageUri": "pvc://m", **fields}}


def container(**fields: Any) -> Object:
    return {"containers": [{"name": "c", "image": "i", **fields}]}


SKLEARN = service(model())


def graph(*, annotations: Any = None, steps: Any = None, **spec: Any) -> Object:
    root = {"routerType": "Sequence", "steps": steps or [{"serviceName": "iris"}]}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "flow", "namespace": "default", "annotations": annotations or {}},
        "spec": {"nodes": {"root": root}, **spec},
    }


def compiled(obj: Object, *, config: Config | None = None, before: Any = None) -> Compiled:
    return compile_graph_object(
        obj,
        services={"iris": SKLEARN},
        config=config or Config(),
        observed=Observed(previous_status=before or {}),
        now=NOW,
    )


def refusal(obj: Object, **more: Any) -> str:
    done = compiled(obj, **more)
    assert not done.objects
    assert not done.prune
    conditions = {each["type"]: each for each in done.status["conditions"]}
    assert conditions["RouterReady"]["status"] == "False"
    message: str = conditions["RouterReady"]["message"]
    return message


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (service(model()), "/v1/models/iris:predict"),
        (service(model(protocolVersion="v2")), "/v2/models/iris/infer"),
        (service(model("onnx")), "/v2/models/iris/infer"),
        (service({"sklearn": {"storageUri": "pvc://m"}}), "/v1/models/iris:predict"),
        (service(model(args=["--model_name", "a b"])), "/v1/models/a%20b:predict"),
        (
            service(model(env=[{"name": "MLSERVER_MODEL_NAME", "value": "m"}])),
            "/v1/models/m:predict",
        ),
        (service(container()), "/v1/models/iris:predict"),
        (
            service(container(env=[{"name": "PROTOCOL", "value": "v2"}], args=["--model_name=m"])),
            "/v2/models/m/infer",
        ),
        (
            service(model("onnx"), transformer=container(args=["--model_name", "t"])),
            "/v1/models/t:predict",
        ),
        (
            service(model(), transformer=container(env=[{"name": "PROTOCOL", "value": "v2"}])),
            "/v2/models/iris/infer",
        ),
        (
            service(
                {
                    "containers": [
                        {"name": "kserve-container", "image": "i"},
                        {
                            "name": "transformer-container",
                            "image": "i",
                            "args": ["--model_name=front"],
                            "env": [{"name": "PROTOCOL", "value": "v2"}],
                        },
                    ]
                }
            ),
            "/v2/models/front/infer",
        ),
    ],
)
def test_a_step_calls_the_model_by_its_protocol_and_name(given: Object, path: str) -> None:
    assert endpoint_of(given) == HOST + path


def test_who_has_no_address_has_no_endpoint() -> None:
    assert endpoint_of(service(model(), address="")) == ""
    assert endpoint_of({**SKLEARN, "spec": {}}) == ""


def test_who_speaks_grpc_only_cannot_be_called() -> None:
    with pytest.raises(CompileError, match="speaks grpc-v2, and a graph calls v1 or v2"):
        endpoint_of(service(model("onnx", protocolVersion="grpc-v2")))


def test_a_graph_that_no_argument_holds_is_refused() -> None:
    steps = [{"name": f"s{n}", "serviceUrl": f"http://h/{'x' * 2000}"} for n in range(70)]
    assert "more than the 131071 that a program can be told" in refusal(graph(steps=steps))


def test_what_kubernetes_would_expand_reaches_the_router_as_it_is() -> None:
    paths = ["a.#(b=$(HOME))", "$$.c", "$$$(X)", "$d"]
    parsed = inferencegraph.parse(graph(steps=[{"serviceUrl": "http://h/", "condition": "x"}]))
    (step,) = parsed.spec.nodes["root"].steps or []
    steps = [step.model_copy(update={"condition": path}) for path in paths]
    node = parsed.spec.nodes["root"].model_copy(update={"steps": steps})
    spec = parsed.spec.model_copy(update={"nodes": {"root": node}})
    router = make_router(parsed.model_copy(update={"spec": spec}), {}, Config())
    told = router.pod_spec["containers"][0]["args"][1]
    assert "$$" not in told
    assert "$(" not in told
    told_steps = orjson.loads(told)["nodes"]["root"]["steps"]
    assert [each["condition"] for each in told_steps] == paths


def test_the_mode_of_a_live_graph_stays() -> None:
    standard = graph(annotations={"serving.kserve.io/deploymentMode": "Standard"})
    message = refusal(standard, before={"deploymentMode": "Knative"})
    assert "cannot change from Knative to Standard; delete the InferenceGraph" in message
    kept = compiled(
        graph(),
        config=Config(default_deployment_mode="Standard"),
        before={"deploymentMode": "Knative"},
    )
    assert kept.status["deploymentMode"] == "Knative"


def test_a_node_pool_that_is_not_there_is_refused() -> None:
    assert "rouse.dev/node-pool" in refusal(graph(annotations={"rouse.dev/node-pool": "gpu"}))


def test_what_an_installation_says_nothing_of_is_left_out() -> None:
    nothing = Config.from_config_map(
        {"data": {"router": "{cpuRequest: '', cpuLimit: '', memoryRequest: '', memoryLimit: ''}"}}
    )
    parsed = inferencegraph.parse(graph())
    router = make_router(parsed, {"iris": HOST}, nothing)
    assert "resources" not in router.pod_spec["containers"][0]
    assert "env" not in router.pod_spec["containers"][0]


def test_the_flags_of_knative_that_a_graph_needs_are_known() -> None:
    done = compiled(graph(nodeSelector={"zone": "a"}, tolerations=[{"operator": "Exists"}]))
    assert set(needs_of(done.objects).features) == {
        "kubernetes.podspec-nodeselector",
        "kubernetes.podspec-tolerations",
    }


def test_equal_input_gives_equal_bytes() -> None:
    assert compiled(graph()).encode() == compiled(graph()).encode()


def test_the_same_failure_is_told_once() -> None:
    first = compiled(graph(nodeName="a"))
    assert [event.reason for event in first.events] == ["InvalidGraphSpec"]
    assert not compiled(graph(nodeName="a"), before=first.status).events


def test_the_authorizer_reads_the_policy_of_a_graph() -> None:
    protected = graph(annotations={"rouse.dev/auth": "api-key"})
    found = HostTable.of(
        each for each in compiled(protected).objects if each["kind"] == "AuthorizationPolicy"
    ).find("flow.default.example.com:80", "/")
    assert found is not None
    assert found.service == Key("default", "flow")
    assert found.secret == Key("default", "flow-api-keys")
