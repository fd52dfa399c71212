"""Where pods go: pools by name, the default pool for GPUs, and what the user set is kept."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.compiler import Config
from rouse.compiler.config import NodePool
from rouse.compiler.errors import CompileError
from rouse.compiler.pools import POOL_ANNOTATION, gpus_of, place
from rouse.errors import ConfigError

Object = dict[str, Any]

TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def terms(*keys: str) -> Object:
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in keys
            ]
        }
    }


CONFIG = Config(
    node_pools={
        "a100": NodePool(
            node_selector={"gpu": "a100", "zone": "a"},
            tolerations=(TAINT,),
            affinity={"nodeAffinity": terms("fast")},
            runtime_class_name="nvidia",
            resources=("nvidia.com/gpu", "nvidia.com/mig-*"),
        ),
        "big": NodePool(node_selector={"memory": "big"}),
    },
    default_gpu_pool="a100",
)


def pod(resource: str = "", amount: object = "1", **fields: Any) -> Object:
    limits = {"limits": {resource: amount}} if resource else {}
    return {"containers": [{"name": "kserve-container", "resources": limits}], **fields}


@pytest.mark.parametrize(
    ("resource", "amount", "wanted"),
    [
        ("nvidia.com/gpu", "1", True),
        ("nvidia.com/gpu", 2, True),
        ("nvidia.com/mig-1g.10gb", "1", True),
        ("nvidia.com/gpu", "0", False),
        ("cpu", "8", False),
        # The pool does not list it: the pod goes where there is one.
        ("amd.com/gpu", "1", False),
    ],
)
def test_a_pod_that_asks_for_a_gpu_goes_to_the_default_pool(
    resource: str, amount: object, wanted: bool
) -> None:
    given = pod(resource, amount)
    before = copy.deepcopy(given)
    placed = place(given, {}, CONFIG)
    assert given == before
    assert (placed.get("nodeSelector") == {"gpu": "a100", "zone": "a"}) is wanted
    assert (placed.get("runtimeClassName") == "nvidia") is wanted
    assert place(placed, {}, CONFIG)["tolerations"] == [TAINT] if wanted else placed == before


def test_requests_count_as_limits_do() -> None:
    container = {"resources": {"requests": {"amd.com/gpu": 1}, "limits": None}}
    assert gpus_of([container, {}]) == {"amd.com/gpu"}


def test_an_annotation_names_the_pool_or_none() -> None:
    assert place(pod(), {POOL_ANNOTATION: "big"}, CONFIG)["nodeSelector"] == {"memory": "big"}
    assert place(pod("nvidia.com/gpu"), {POOL_ANNOTATION: ""}, CONFIG) == pod("nvidia.com/gpu")


def test_what_the_user_set_is_kept() -> None:
    mine = {"key": "mine", "operator": "Exists"}
    neighbours: Object = {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}
    }
    given = pod(
        "nvidia.com/gpu",
        nodeSelector={"zone": "b"},
        tolerations=[mine],
        affinity={"nodeAffinity": terms("x", "y"), **neighbours},
        runtimeClassName="kata",
    )
    placed = place(given, {}, CONFIG)
    assert placed["nodeSelector"] == {"gpu": "a100", "zone": "b"}
    assert placed["tolerations"] == [mine, TAINT]
    assert placed["runtimeClassName"] == "kata"
    both = placed["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    keys = [[e["key"] for e in term["matchExpressions"]] for term in both["nodeSelectorTerms"]]
    assert keys == [["x", "fast"], ["y", "fast"]]
    assert placed["affinity"]["podAntiAffinity"] == neighbours["podAntiAffinity"]


def test_preferences_and_pod_affinities_add_up() -> None:
    preferred, required = (
        f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("preferred", "required")
    )
    config = Config(
        node_pools={"p": NodePool(affinity={"podAffinity": {required: [2], preferred: [4]}})}
    )
    own = {"podAffinity": {required: [1], preferred: [3]}}
    placed = place(pod(affinity=own), {POOL_ANNOTATION: "p"}, config)
    assert placed["affinity"] == {"podAffinity": {required: [1, 2], preferred: [3, 4]}}


@pytest.mark.parametrize(
    ("pool", "resource", "message"),
    [
        ("a10", "", r'there is no node pool "a10"; nodePools of .* has: a100, big\.'),
        ("a100", "amd.com/gpu", "does not have amd.com/gpu, .* it has: nvidia.com/gpu"),
    ],
)
def test_a_pool_that_does_not_fit_is_refused(pool: str, resource: str, message: str) -> None:
    with pytest.raises(CompileError, match=message) as caught:
        place(pod(resource), {POOL_ANNOTATION: pool}, CONFIG)
    assert caught.value.message.startswith("metadata.annotations[rouse.dev/node-pool]: ")


def test_a_pool_spreads_the_pods_of_a_component() -> None:
    zones = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    hosts = {**zones, "topologyKey": "host", "labelSelector": {"matchLabels": {"a": "b"}}}
    config = Config(node_pools={"far": NodePool(topology_spread_constraints=(zones, hosts))})
    annotations, labels = {POOL_ANNOTATION: "far"}, {"component": "predictor"}

    placed = place(pod(), annotations, config, labels=labels)
    selected = {**zones, "labelSelector": {"matchLabels": labels}}
    assert placed["topologySpreadConstraints"] == [selected, hosts]

    own = {**zones, "maxSkew": 3}
    kept = place(pod(topologySpreadConstraints=[own]), annotations, config, labels=labels)
    assert kept["topologySpreadConstraints"] == [own, hosts]


def test_a_constraint_that_kubernetes_would_refuse_is_told() -> None:
    data = {"nodePools": "far: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}]}"}
    with pytest.raises(ConfigError, match=r"far.topologySpreadConstraints\[0\].whenUnsatisfiable"):
        Config.from_config_map({"data": data})


@pytest.mark.parametrize("resource", ["nvidia.com/mig-1g.10gb", "nvidia.com/gpu.shared"])
def test_parts_of_gpus_are_gpus(resource: str) -> None:
    assert gpus_of(pod(resource)["containers"]) == {resource}


def test_the_examples_of_the_documentation_can_be_used() -> None:
    text = (Path(__file__).parents[3] / "docs" / "node-pools.md").read_text("utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    configs = [Config.from_config_map(each) for each in blocks if each.get("kind") == "ConfigMap"]
    assert len(configs) == 5
    for config in configs:
        for name in config.node_pools:
            assert place(pod(), {POOL_ANNOTATION: name}, config) != pod()
