"""What holds for every InferenceService."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.api.inferenceservice.types import FRAMEWORKS
from rouse.api.names import is_dns_label
from rouse.compiler import Compiled, Config, Observed, RuntimeSet, compile_object

Object = dict[str, Any]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
SAMPLES = ROOT.parent / "shared" / "samples" / "kserve"
FORMATS = [name for name in FRAMEWORKS if name != "sklearn"]


def every_runtime() -> RuntimeSet:
    """The built-in runtimes, and one that serves all other formats of KServe."""
    built_in = [
        document
        for file in sorted((ROOT / "manifests" / "runtimes").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text("utf-8"))
    ]
    others = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "custom-kserve-huggingfaceserver"},
        "spec": {
            "supportedModelFormats": [{"name": f, "autoSelect": True} for f in FORMATS],
            "containers": [{"name": "kserve-container", "image": "example.com/all:1"}],
        },
    }
    return RuntimeSet.of([*built_in, others])


RUNTIMES = every_runtime()


def compiled(obj: Object, observed: Observed | None = None) -> Compiled:
    return compile_object(
        obj, runtimes=RUNTIMES, config=Config(), observed=observed or Observed(), now=NOW
    )


def service(name: str, predictor: Object, around: Object | None = None, **metadata: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "ns", "uid": "u", **metadata},
        "spec": {"predictor": predictor, **(around or {})},
    }


def test_the_built_in_runtimes_are_valid() -> None:
    assert RUNTIMES.invalid == {}


texts = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y"]), max_size=4)
containers = st.fixed_dictionaries(
    {},
    optional={
        "image": st.just("i:1"),
        "args": st.lists(st.just("--x"), max_size=2),
        "env": st.lists(st.sampled_from("AB"), unique=True).map(
            lambda names: [{"name": name, "value": "1"} for name in names]
        ),
        "resources": st.fixed_dictionaries(
            {"limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.just("1"))}
        ),
    },
)
models = containers.flatmap(
    lambda container: st.fixed_dictionaries(
        {
            "modelFormat": st.sampled_from([*FORMATS, "sklearn"]).map(lambda name: {"name": name}),
            **{key: st.just(value) for key, value in container.items()},
        },
        optional={"storageUri": st.sampled_from(["pvc://c/p", "pvc://c", "s3://b/m", "hf://o/m"])},
    )
)
predictors = st.one_of(
    st.fixed_dictionaries({"model": models}),
    st.fixed_dictionaries(
        {
            "containers": st.lists(
                containers.map(lambda c: {**c, "name": "c"}), min_size=1, max_size=1
            )
        }
    ),
).flatmap(
    lambda base: st.fixed_dictionaries(
        {key: st.just(value) for key, value in base.items()},
        optional={
            "minReplicas": st.integers(0, 2),
            "maxReplicas": st.integers(2, 5),
            "timeout": st.integers(0, 600),
            "containerConcurrency": st.integers(0, 10),
            "canaryTrafficPercent": st.integers(0, 100),
            "scaleMetric": st.sampled_from(["cpu", "memory", "concurrency", "rps"]),
            "labels": texts,
            "annotations": texts,
            "nodeSelector": texts,
            "logger": st.sampled_from([{"url": "http://x"}, {"url": "http://x", "mode": "all"}]),
            "batcher": st.sampled_from([{}, {"maxBatchSize": 4, "maxLatency": 10}]),
        },
    )
)
around = st.fixed_dictionaries(
    {},
    optional={
        part: st.fixed_dictionaries(
            {"containers": containers.map(lambda c: [{**c, "name": "c"}])},
            optional={
                "minReplicas": st.integers(0, 2),
                "timeout": st.integers(0, 600),
                "canaryTrafficPercent": st.integers(0, 100),
            },
        )
        for part in ("transformer", "explainer")
    },
)
steering = st.fixed_dictionaries(
    {},
    optional={
        "rouse.dev/canary-header": st.sampled_from(["x-canary", "x-canary=a.b"]),
        "rouse.dev/canary-cookie": st.sampled_from(["canary", "canary=1"]),
        "networking.kserve.io/visibility": st.just("cluster-local"),
    },
)
services = st.builds(
    service,
    st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True),
    predictors,
    around,
    labels=texts,
    annotations=st.builds(lambda given, more: {**given, **more}, texts, steering),
)


def shuffled(value: Any, order: random.Random) -> Any:
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, list):
        return [shuffled(each, order) for each in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    order.shuffle(keys)
    return {key: shuffled(value[key], order) for key in keys}


@settings(max_examples=150, deadline=None)
@given(services, st.randoms(use_true_random=False))
def test_equal_inputs_give_equal_bytes(obj: Object, order: random.Random) -> None:
    first = compiled(obj)
    assert first.objects, first.status
    assert first.encode() == compiled(obj).encode() == compiled(shuffled(obj, order)).encode()
    for each in first.objects:
        assert is_dns_label(each["metadata"]["name"])


@settings(max_examples=100, deadline=None)
@given(services, st.sampled_from(["ready", "serving"]), st.integers(0, 100))
def test_weights_sum_to_100(obj: Object, state: str, percent: int) -> None:
    obj["spec"]["predictor"]["canaryTrafficPercent"] = percent
    observed = everything_ready(obj, serving=state == "serving")
    got = compiled(obj, observed)
    for each in got.objects:
        if each["apiVersion"] == "serving.knative.dev/v1":
            assert sum(target["percent"] for target in each["spec"]["traffic"]) == 100
    rules = got.objects[-1]["spec"]["http"]
    for rule in rules:
        assert sum(route["weight"] for route in rule["route"]) == 100
        assert all(route["weight"] > 0 for route in rule["route"])
    explains = [rule for rule in rules if any("uri" in match for match in rule.get("match", []))]
    assert bool(explains) == ("explainer" in obj["spec"])
    assert got.encode() == compiled(obj, observed).encode()


def everything_ready(obj: Object, *, serving: bool) -> Observed:
    """Every component has a ready revision of its template, and one before it if it serves."""
    services: dict[str, Object] = {}
    revisions: dict[str, Object] = {}
    before: Object = {}
    for each in compiled(obj).objects:
        if each["apiVersion"] != "serving.knative.dev/v1":
            continue
        name, template = each["metadata"]["name"], each["spec"]["template"]
        new, old = f"{name}-00002", f"{name}-00001"
        status = {"latestCreatedRevisionName": new, "latestReadyRevisionName": new}
        services[name] = {**each, "status": status}
        revisions |= {new: {"metadata": template["metadata"]}, old: {}}
        before[each["metadata"]["labels"]["component"]] = {"latestRolledoutRevision": old}
    previous = {"components": before} if serving else {}
    return Observed(knative_services=services, revisions=revisions, previous_status=previous)


def test_what_cannot_be_read_is_told_in_the_status() -> None:
    got = compiled(service("iris", {"minReplica": 1, "model": {"modelFormat": {"name": "x"}}}))
    assert got.objects == ()
    assert not got.prune
    [ready] = [c for c in got.status["conditions"] if c["type"] == "Ready"]
    assert ready["reason"] == "InvalidPredictorSpec"
    assert ready["message"] == (
        'spec.predictor.minReplica: unknown field; did you mean "minReplicas"?'
    )


def test_a_condition_of_the_gateways_is_waited_for_where_it_is_required() -> None:
    obj = service("iris", {"sklearn": {"storageUri": "pvc://c"}}, generation=1)
    status = {"latestCreatedRevisionName": "r1", "latestReadyRevisionName": "r1"}
    services = {"iris-predictor": {"metadata": {"name": "iris-predictor"}, "status": status}}

    def ingress(virtual_service: Object | None) -> str:
        got = compile_object(
            obj,
            runtimes=RUNTIMES,
            config=Config(ingress_status="required"),
            observed=Observed(
                knative_services=services, revisions={"r1": {}}, virtual_service=virtual_service
            ),
            now=NOW,
        )
        [condition] = [c for c in got.status["conditions"] if c["type"] == "IngressReady"]
        return f"{condition['status']} {condition.get('reason', '')}".strip()

    wanted = compiled(obj, Observed(knative_services=services, revisions={"r1": {}})).objects[-1]
    wanted["metadata"]["generation"] = 2
    assert ingress(wanted) == "Unknown IngressNotConfigured"
    reconciled = {"type": "Reconciled", "status": "True"}
    wanted["status"] = {"conditions": [reconciled], "observedGeneration": 1}
    assert ingress(wanted) == "Unknown IngressNotConfigured"
    wanted["status"]["observedGeneration"] = 2
    assert ingress(wanted) == "True"
    reconciled |= {"status": "False", "reason": "BadHost"}
    assert ingress(wanted) == "False BadHost"


REFUSED = {
    "explanation__alibi__income__income.yaml": "spec.explainer.alibi: KServe dropped",
    "rollout-strategy__rollout-strategy-example.yaml": "spec.transformer.custom: unknown field",
    "v1beta1__torchserve__v1__bloom__bloom-560m.yaml": "spec.predictor.nodeName?",
}
"""Samples of KServe that this version refuses, and what it says."""


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="KServe's samples are not at ../shared/samples")
def test_the_samples_of_kserve_compile_or_are_refused_for_a_known_reason() -> None:
    refused: dict[str, str] = {}
    for file in sorted(SAMPLES.glob("*.yaml")):
        for obj in filter(None, yaml.safe_load_all(file.read_text("utf-8"))):
            if obj["kind"] != "InferenceService":
                continue
            got = compiled(obj)
            if got.objects:
                components = [part for part in obj["spec"] if obj["spec"][part]]
                assert len(got.objects) > len(components), file.name
            else:
                [ready] = [c for c in got.status["conditions"] if c["type"] == "Ready"]
                refused[file.name] = ready["message"]
    assert refused.keys() == REFUSED.keys()
    for name, reason in REFUSED.items():
        assert reason in refused[name]
