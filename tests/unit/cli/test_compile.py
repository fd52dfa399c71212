"""`rouse compile`: the same bytes for the same input, and a word about everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]

ISVC = "apiVersion: serving.kserve.io/v1beta1, kind: InferenceService"
RUNTIME = "apiVersion: serving.kserve.io/v1alpha1, kind: ServingRuntime"


def service(name: str, **spec: Any) -> Object:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "labels": {"b": "2", "a": "1"}},
        "spec": {"predictor": {"model": {**model, **spec}}},
    }


def written(path: Path, *objects: Any) -> Path:
    path.write_text(yaml.safe_dump_all(objects, sort_keys=False), encoding="utf-8")
    return path


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(each) for each in value] if isinstance(value, list) else value


def names(text: str) -> list[str]:
    return [f"{obj['kind']} {obj['metadata']['name']}" for obj in yaml.safe_load_all(text)]


def test_services_compile_without_a_cluster(cli: Any, tmp_path: Path) -> None:
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", service("iris")))
    assert (ran.code, ran.err) == (0, "")
    assert names(ran.out) == ["Service iris", "Service iris-predictor"]
    for obj in yaml.safe_load_all(ran.out):
        # No API would take an owner without a uid.
        assert "ownerReferences" not in obj["metadata"]
        assert obj["metadata"]["namespace"] == "default"


def graph(*called: str) -> Object:
    steps = [{"serviceName": name} for name in called]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "flow"},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}},
    }


def test_a_graph_compiles_beside_the_services_that_it_calls(cli: Any, tmp_path: Path) -> None:
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", graph("iris"), service("iris")))
    assert (ran.code, ran.err) == (0, "")
    assert names(ran.out) == ["Service flow", "Service iris", "Service iris-predictor"]
    assert "http://iris.default.svc.cluster.local/v1/models/iris:predict" in ran.out


def test_a_graph_whose_services_are_elsewhere_is_told_so(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", graph("iris"))
    ran = cli("compile", "-f", file)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no InferenceService iris in the namespace" in ran.err
    live = service("iris")
    live["metadata"]["namespace"] = "default"
    live["status"] = {"address": {"url": "http://iris.default.svc.other"}}
    seen = written(tmp_path / "live.yaml", live)
    ran = cli("compile", "-f", file, "--observed", seen)
    assert ran.code == 0
    assert "http://iris.default.svc.other/v1/models/iris:predict" in ran.out


def test_a_graph_that_is_wrong_is_refused(cli: Any, tmp_path: Path) -> None:
    wrong = graph("iris")
    wrong["spec"]["nodeName"] = "a"
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", wrong, service("iris")))
    assert ran.code == 1
    assert "spec.nodeName: Knative chooses the node" in ran.err
    wrong["spec"]["nodes"]["root"]["routerType"] = "Magic"
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", wrong, service("iris")))
    assert "spec.nodes.root.routerType" in ran.err


def test_order_of_files_and_keys_changes_no_byte(cli: Any, tmp_path: Path) -> None:
    one, two = service("one"), service("two")
    a, b = written(tmp_path / "a.yaml", one), written(tmp_path / "b.yaml", two)
    c = written(tmp_path / "c.yaml", reversed_keys(two), reversed_keys(one))
    outputs = {
        cli("compile", "-f", a, "-f", b).out,
        cli("compile", "-f", b, "-f", a).out,
        cli("compile", "-f", c).out,
        cli("compile", "-f", a, "-f", b, "-f", c).out,
    }
    assert len(outputs) == 1


def test_json_holds_what_yaml_holds(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", service("iris"))
    listed = json.loads(cli("compile", "-f", file, "-o", "json").out)
    assert listed["kind"] == "List"
    assert listed["items"] == list(yaml.safe_load_all(cli("compile", "-f", file).out))


def test_the_refused_are_told_and_the_rest_compiled(cli: Any, tmp_path: Path) -> None:
    bad = service("bad")
    bad["spec"]["predictor"]["minReplica"] = 1
    bad["spec"]["predictor"]["containerConcurrency"] = -1
    file = written(tmp_path / "a.yaml", bad, service("good"))
    ran = cli("compile", "-f", file)
    assert ran.code == 1
    assert names(ran.out) == ["Service good", "Service good-predictor"]
    assert "InferenceService default/bad: refused" in ran.err
    assert 'spec.predictor.minReplica: unknown field; did you mean "minReplicas"?' in ran.err
    assert "spec.predictor.containerConcurrency:" in ran.err


def test_what_no_runtime_serves_is_refused(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", service("x", modelFormat={"name": "nothing"}))
    ran = cli("compile", "-f", file)
    assert (ran.code, ran.out) == (1, "")
    assert "spec.predictor.model.modelFormat: no runtime serves nothing" in ran.err


def test_storage_containers_of_the_input_and_of_a_folder_bring_schemes(
    cli: Any, tmp_path: Path
) -> None:
    container = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": "registry"},
        "spec": {
            "container": {"name": "c", "image": "i"},
            "supportedUriFormats": [{"prefix": "model-registry://"}],
        },
    }
    asked = service("iris", storageUri="model-registry://iris/v1")
    alone = written(tmp_path / "iris.yaml", asked)
    refused = cli("compile", "-f", alone)
    assert refused.code == 1
    assert "nobody fetches model-registry://" in refused.err
    beside = cli("compile", "-f", written(tmp_path / "both.yaml", asked, container))
    assert beside.code == 0
    assert "used to fetch models" in beside.err
    folder = tmp_path / "cluster"
    folder.mkdir()
    built_in = Path(__file__).parents[3] / "manifests" / "runtimes" / "sklearn.yaml"
    (folder / "sklearn.yaml").write_text(built_in.read_text("utf-8"), encoding="utf-8")
    written(folder / "containers.yaml", container)
    assert cli("compile", "-f", alone, "--runtimes", folder).out == beside.out


def test_runtimes_of_the_input_and_of_a_folder_are_used(cli: Any, tmp_path: Path) -> None:
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "mine"},
        "spec": {
            "supportedModelFormats": [{"name": "own", "version": "1", "autoSelect": True}],
            "containers": [{"name": "kserve-container", "image": "example.com/own:1"}],
        },
    }
    own = service("x", modelFormat={"name": "own"})
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", own, runtime))
    assert ran.code == 0
    assert "example.com/own:1" in ran.out
    assert "ServingRuntime default/mine: used as a runtime" in ran.err
    folder = tmp_path / "runtimes"
    folder.mkdir()
    written(folder / "r.yaml", {**runtime, "kind": "ClusterServingRuntime"})
    alone = written(tmp_path / "b.yaml", own)
    assert cli("compile", "-f", alone, "--runtimes", folder).code == 0
    assert cli("compile", "-f", alone).code == 1


def test_other_kinds_are_told(cli: Any, tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    odd = {"apiVersion": "serving.kserve.io/v1", "kind": "Odd", "metadata": {"name": "x"}}
    trained = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": "t"},
        "spec": {
            "inferenceService": "iris",
            "model": {"framework": "sklearn", "storageUri": "gs://a/b", "memory": "1Gi"},
        },
    }
    ran = cli("compile", "-f", written(tmp_path / "a.yaml", config_map, trained))
    assert (ran.code, ran.out) == (0, "")
    assert "ConfigMap x: not compiled: apply it as it is" in ran.err
    assert "TrainedModel default/t: not compiled: a running InferenceService loads it" in ran.err
    ran = cli("compile", "-f", written(tmp_path / "b.yaml", odd))
    assert ran.code == 1
    assert "kind: serving.kserve.io has no kind Odd" in ran.err


def test_one_object_given_differently_is_refused(cli: Any, tmp_path: Path) -> None:
    a = written(tmp_path / "a.yaml", service("x"), service("y"))
    b = written(tmp_path / "b.yaml", service("x", storageUri="pvc://models/other"))
    ran = cli("compile", "-f", b, "-f", a)
    assert ran.code == 1
    assert names(ran.out) == ["Service y", "Service y-predictor"]
    assert "InferenceService default/x: refused\n" in ran.err
    assert "given differently in a.yaml and b.yaml: keep one" in ran.err
    report = cli("compile", "-f", b, "-f", a, "--report").out
    assert report.count("Knative Service x-predictor, Service x (given differently in") == 2


def test_the_report_has_a_row_for_each_document(cli: Any, tmp_path: Path) -> None:
    bad = service("bad", modelFormat={"name": "nothing"})
    file = written(tmp_path / "a.yaml", bad, service("good"))
    ran = cli("compile", "-f", file, "--report")
    assert ran.code == 1
    header, first, second = ran.out.splitlines()
    assert header.split() == ["FILE", "OBJECT", "RESULT"]
    assert "refused: spec.predictor.model.modelFormat" in first
    assert "Knative Service good-predictor, Service good" in second


def test_observed_revisions_make_routes(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", service("iris"))
    template = next(
        obj["spec"]["template"]
        for obj in yaml.safe_load_all(cli("compile", "-f", file).out)
        if obj["apiVersion"] == "serving.knative.dev/v1"
    )
    labels = {
        "serving.knative.dev/service": "iris-predictor",
        "serving.kserve.io/inferenceservice": "iris",
    }
    ready = [{"type": "Ready", "status": "True"}]
    revision = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": "iris-predictor-00001",
            "namespace": "default",
            "labels": labels,
            "annotations": template["metadata"]["annotations"],
            "generation": 1,
        },
        "status": {"observedGeneration": 1, "conditions": ready},
    }
    knative = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "iris-predictor", "namespace": "default", "labels": labels},
        "status": {
            "latestReadyRevisionName": "iris-predictor-00001",
            "latestCreatedRevisionName": "iris-predictor-00001",
            "conditions": ready,
        },
    }
    observed = written(
        tmp_path / "live.yaml", {"kind": "List", "apiVersion": "v1", "items": [revision, knative]}
    )
    ran = cli("compile", "-f", file, "--observed", observed, "--engine", "embedded")
    assert ran.code == 0
    routes = next(o for o in yaml.safe_load_all(ran.out) if o["kind"] == "VirtualService")
    assert "iris.default.localhost" in routes["spec"]["hosts"]
    [destination] = routes["spec"]["http"][0]["route"]
    assert destination["destination"]["host"] == "iris-predictor-00001.default.svc.cluster.local"


def test_configuration_of_a_file(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", service("iris"))
    kserve = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "inferenceservice-config"},
        "data": {"ingress": '{"localGatewayService": "gateway.example"}'},
    }
    config = written(tmp_path / "config.yaml", kserve)
    assert "externalName: gateway.example" in cli("compile", "-f", file, "--config", config).out
    own = {**kserve, "metadata": {"name": "rouse-config"}, "data": {"domian": "x"}}
    ran = cli("compile", "-f", file, "--config", written(config, own))
    assert ran.code == 1
    assert 'rouse: ConfigMap rouse-config: domian: unknown key; did you mean "domain"?' in ran.err
    ran = cli("compile", "-f", file, "--config", file)
    assert "holds no ConfigMap named rouse-config or inferenceservice-config" in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no Kubernetes object found"),
        ("{", "not valid YAML"),
        ("- 1", "a mapping is wanted, not list"),
        ("&a [*a]", "nested too deep"),
        ("kind: X", "apiVersion: required"),
        ("{apiVersion: v1, kind: X}", "metadata.name: required"),
        ("{apiVersion: v1, kind: X, metadata: {name: 1}}", "metadata.name: required"),
        (f"{{{ISVC}, metadata: {{name: x}}}}", "spec: is required"),
        (f"{{{ISVC}, metadata: {{name: x, namespace: [1]}}}}", "metadata.namespace: must be"),
        (f"{{{ISVC}, metadata: {{name: x, labels: 1, 1: 2}}, spec: 1}}", "metadata.labels: must"),
        (f"{{{ISVC}, metadata: {{name: x}}, spec: {{predictor: {{1: 2}}}}}}", "1: unknown field"),
        (f"{{{RUNTIME}, metadata: {{name: x}}, spec: []}}", "spec: must be an object"),
        ("\x00", "not valid YAML"),
    ],
)
def test_wrong_input_is_told_in_a_line(cli: Any, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    ran = cli("compile", "-f", file)
    assert ran.code == 1
    assert message in ran.err


def test_a_bad_document_keeps_none_of_the_others_back(cli: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", service("good"), [1])
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\xff")
    ran = cli("compile", "-f", file, "-f", tmp_path / "b.yaml", "-f", tmp_path / "absent.yaml")
    assert ran.code == 1
    assert names(ran.out) == ["Service good", "Service good-predictor"]
    assert "document 2: a mapping is wanted" in ran.err
    assert "b.yaml: not" in ran.err
    assert "absent.yaml: No such file" in ran.err


def test_usage_errors(cli: Any, tmp_path: Path) -> None:
    assert cli("compile").code == 2
    file = written(tmp_path / "a.yaml", service("x"))
    assert cli("compile", "-f", file, "--engine", "other").code == 2
    ran = cli("compile", "-f", file, "--runtimes", file)
    assert "holds no ServingRuntime or ClusterServingRuntime" in ran.err
    labels = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": [1]}}
    ran = cli("compile", "-f", file, "--observed", written(tmp_path / "live.yaml", labels))
    assert (ran.code, "no live object" in ran.err) == (1, True)
