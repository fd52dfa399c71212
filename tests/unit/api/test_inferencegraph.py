"""Graphs: what is refused and why, what is filled in, when they are ready."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferencegraph import default, parse, validate
from rouse.api.inferencegraph.gjson import explain_path
from rouse.api.inferencegraph.lifecycle import ROUTER_READY, conditions, services_of
from rouse.api.inferenceservice.lifecycle import READY, Finding, Truth

Object = dict[str, Any]


def graph(nodes: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pets", "namespace": "default"},
        "spec": {"nodes": nodes, **spec},
    }


def sequence(*steps: Object) -> Object:
    return {"root": {"routerType": "Sequence", "steps": list(steps)}}


def found(obj: Object) -> dict[str, str]:
    return {finding.path: finding.message for finding in validate(parse(obj))}


STEP = {"serviceName": "cats"}


def test_every_field_of_kserve_is_taken() -> None:
    nodes = {
        "root": {
            "routerType": "Switch",
            "steps": [
                {"serviceName": "cats", "condition": "instances.#(kind==cat)"},
                {"nodeName": "dogs", "condition": "{$.a,b}", "name": "d"},
            ],
        },
        "dogs": {
            "routerType": "Ensemble",
            "steps": [
                {"serviceUrl": "http://dogs.default.svc.cluster.local/v1", "name": "one"},
                {"nodeName": "birds", "name": "two"},
            ],
        },
        "birds": {
            "routerType": "Splitter",
            "steps": [{**STEP, "weight": 20}, {**STEP, "weight": 80, "dependency": "Hard"}],
        },
    }
    assert (
        found(
            graph(
                nodes,
                minReplicas=0,
                maxReplicas=3,
                scaleMetric="rps",
                scaleTarget=5,
                timeout=60,
                routerTimeouts={"serverRead": 1, "serviceClient": 2},
                resources={"limits": {"cpu": "1"}},
                affinity={"nodeAffinity": {}},
                tolerations=[{"key": "a"}],
                nodeSelector={"a": "b"},
                serviceAccountName="s",
            )
        )
        == {}
    )


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        ([{"serviceUrl": "cats"}], "[0].serviceUrl", "is no URL"),
        ([{"serviceUrl": "http://x.{$domain}/y"}], "[0].serviceUrl", "replace placeholders"),
        ([{"serviceUrl": "http:///y"}], "[0].serviceUrl", "is no URL"),
        ([{"serviceName": "Cats"}], "[0].serviceName", "is no name of an InferenceService"),
        ([{"nodeName": "rot"}], "[0].nodeName", 'did you mean "root"?'),
        ([{"nodeName": "x"}], "[0].nodeName", "the nodes are root"),
        ([{**STEP, "nodeName": "root"}], "[0]", "names 2 targets (serviceName, nodeName)"),
        ([{}], "[0]", "names no target; give exactly one"),
        ([{**STEP, "condition": "a.#(b"}], "[0].condition", "never closed"),
        ([{**STEP, "name": "a"}, STEP, {**STEP, "name": "a"}], "[2].name", "is there already"),
        ([], "", "needs at least one step"),
    ],
)
def test_a_finding_names_the_step_and_what_to_do(
    steps: list[Object], path: str, message: str
) -> None:
    assert message in found(graph(sequence(*steps)))[f"spec.nodes.root.steps{path}"]


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("rouse.dev/auth", "magic", '"magic" is unknown; allowed: api-key, jwt, none'),
        ("rouse.dev/auth", "none,jwt", "none does not go with another method"),
        ("rouse.dev/api-keys", "A secret", "cannot be the name of a Secret"),
        ("serving.kserve.io/stop", "yes", "is neither true nor false"),
        ("networking.kserve.io/visibility", "secret", "is unknown; allowed: cluster-local"),
        ("serving.kserve.io/deploymentMode", "ModelMesh", '"ModelMesh" is no mode of a graph'),
        ("serving.kserve.io/deploymentMode", "Magic", "allowed: Knative (Serverless), Standard"),
    ],
)
def test_an_annotation_that_would_be_misunderstood_is_refused(
    annotation: str, value: str, message: str
) -> None:
    given = graph(sequence(STEP))
    given["metadata"]["annotations"] = {annotation: value}
    assert message in found(given)[f"metadata.annotations[{annotation}]"]


@pytest.mark.parametrize(
    ("weights", "path", "message"),
    [
        ((20, 70), "", "the weights add up to 90; they must be 100"),
        ((None, 100), "[0].weight", "is required"),
    ],
)
def test_weights_are_percent(weights: tuple[int | None, ...], path: str, message: str) -> None:
    steps = [STEP if w is None else {**STEP, "weight": w} for w in weights]
    nodes = {"root": {"routerType": "Splitter", "steps": steps}}
    assert message in found(graph(nodes))[f"spec.nodes.root.steps{path}"]


def test_a_circle_is_shown_in_the_order_of_the_calls() -> None:
    nodes = {
        **sequence({"nodeName": "a"}),
        "a": {"routerType": "Sequence", "steps": [{"nodeName": "b"}]},
        "b": {"routerType": "Sequence", "steps": [STEP, {"nodeName": "a"}]},
    }
    assert "a -> b -> a" in found(graph(nodes))["spec.nodes"].replace("b -> a -> b", "a -> b -> a")
    far = {
        **sequence({"nodeName": "a"}),
        "a": {"routerType": "Sequence", "steps": [{"nodeName": "b"}]},
        "b": {"routerType": "Sequence", "steps": [{"nodeName": "root"}]},
    }
    shown = found(graph(far))["spec.nodes"]
    turns = ("root -> a -> b -> root", "a -> b -> root -> a", "b -> root -> a -> b")
    assert any(turn in shown for turn in turns)
    itself = found(graph(sequence({"nodeName": "root"})))["spec.nodes"]
    assert "root -> root" in itself


def test_limits_of_the_router_are_checked() -> None:
    wrong = found(graph(sequence(STEP), minReplicas=3, maxReplicas=2, timeout=601))
    assert set(wrong) == {"spec.maxReplicas", "spec.timeout"}


def test_a_graph_has_a_name_for_its_host() -> None:
    given = graph(sequence(STEP))
    given["metadata"] = {"name": "1.pets"}
    assert "cannot be part of a host name" in found(given)["metadata.name"]


@pytest.mark.parametrize(
    "path",
    [
        "[@this].#(source==client)",
        "instances.#(intval>10)",
        "instances.#(strval%*red-server*)",
        'friends.#(last=="Mur)phy")#.first',
        r"fav\.movie",
        r"a\(b",
        "..0.name",
        "a|@reverse",
        "a|@fromstr|..#",
        "{a,b}",
        "smile:)",
        "a.#(b]",
        "name",
    ],
)
def test_paths_of_gjson_are_taken(path: str) -> None:
    assert explain_path(path) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "is empty"),
        ("a.", "ends with a separator"),
        (".a", "a separator at character 1 without a name before it"),
        ("a..b", "a separator at character 3"),
        ("a.#(b", 'a "(" at character 4 that is never closed'),
        ('a.#(b=="c)', "never closed"),
        ("{a,b", 'a "{" at character 1 that is never closed'),
        ("[a]b", "something behind a multipath, at character 4"),
        ("@this:[1]b", "something behind an argument, at character 10"),
        ("!{}b", "something behind a literal, at character 4"),
        ("a\\", "lone backslash"),
        ("a" * 5000, "longer than 4096 bytes"),
        ("a." * 150 + "a", "more than 128 separators"),
        ("#(" * 25 + ")" * 25, "more than 24 brackets"),
        ("@dig:" * 9 + "a", "digs more than 8 times"),
    ],
)
def test_a_path_that_finds_nothing_is_explained(path: str, message: str) -> None:
    assert message in (explain_path(path) or "")


def test_defaults_are_those_of_kserve() -> None:
    given = parse(graph(sequence(STEP, {**STEP, "data": "$response", "dependency": "Hard"})))
    filled = default(given)
    assert given == parse(
        graph(sequence(STEP, {**STEP, "data": "$response", "dependency": "Hard"}))
    )
    assert filled.spec.min_replicas == 1
    steps = filled.spec.nodes["root"].steps or []
    assert [(s.data, s.dependency) for s in steps] == [("$request", "Soft"), ("$response", "Hard")]
    assert default(filled) == filled


def test_a_graph_is_ready_when_its_router_and_services_are() -> None:
    given = parse(graph(sequence({"serviceName": "b"}, STEP)))
    router = Finding(ROUTER_READY, "True")
    assert services_of(given) == ("b", "cats")

    def ready(**services: tuple[Truth, str]) -> Finding:
        found = {name: Finding(READY, *each) for name, each in services.items()}
        [*_, last] = conditions(given, router=router, services=found)
        assert last.type == READY
        return last

    good: tuple[Truth, str] = ("True", "")
    assert ready(b=good, cats=good).status == "True"
    assert ready(b=good).reason == "InferenceServiceNotFound"
    coming = ready(b=good, cats=("Unknown", ""))
    assert (coming.status, coming.message) == ("Unknown", "waiting for InferenceService cats")
    stopped = ready(b=("Unknown", ""), cats=("False", "Stopped"))
    assert stopped.status == "False"
    assert stopped.message == "waiting for InferenceService b, cats (Stopped)"
