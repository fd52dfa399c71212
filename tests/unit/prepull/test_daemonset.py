"""The DaemonSet of a pool, and how far its images are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.controllers.prepull.daemonset import (
    container_name,
    images_of,
    make_daemon_set,
    pool_of_set,
)
from rouse.controllers.prepull.progress import counted, progress_of
from rouse.embedded.apiserver.schema import schema_for_builtin
from rouse.kube.objects import Object

POOLS = """
a100:
  nodeSelector: {gpu: a100}
  tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  runtimeClassName: nvidia
  topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}
"""
AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
IMAGES = ["repo/b@sha256:12", "repo/a:v1"]


def configured(**more: str) -> Config:
    settings = {"prePull": "{enabled: true, imagePullSecrets: [registry]}", "nodePools": POOLS}
    return Config.from_config_map({"data": {**settings, **more}})


def test_images_without_a_shell_run_a_program_that_is_brought_along() -> None:
    made = make_daemon_set("a100", IMAGES, configured(), {}, AT)
    assert schema_for_builtin("apps", "DaemonSet").validate(made) == []
    assert made["metadata"]["name"] == "rouse-pre-pull-a100"
    assert (images_of(made), pool_of_set(made)) == (IMAGES, "a100")
    pod = made["spec"]["template"]["spec"]
    (writer,) = pod["initContainers"]
    assert writer["command"][-1] == "/rouse/hold"
    assert [one["image"] for one in pod["containers"]] == IMAGES
    for one in pod["containers"]:
        assert one["command"] == ["/rouse/hold"]
        assert one["workingDir"] == "/"
        assert one["imagePullPolicy"] == "IfNotPresent"
        assert one["volumeMounts"][0]["readOnly"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_the_program_comes_out_of_the_image_that_the_controller_runs() -> None:
    own = "registry.example.com/rouse/controller:v1"

    def writer(config: Config) -> str:
        pod = make_daemon_set("a100", IMAGES, config, {}, AT, own_image=own)["spec"]["template"][
            "spec"
        ]
        return str(pod["initContainers"][0]["image"])

    assert writer(configured()) == own
    assert writer(configured(prePull="{enabled: true, image: another}")) == "another"


def test_it_goes_to_the_nodes_of_its_pool_and_gives_way() -> None:
    pod = make_daemon_set("a100", IMAGES, configured(), {}, AT)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"gpu": "a100", "kubernetes.io/os": "linux"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert pod["priorityClassName"] == "rouse-balloon"
    assert not {"runtimeClassName", "topologySpreadConstraints"} & pod.keys()
    with pytest.raises(CompileError, match='there is no node pool "lost"'):
        make_daemon_set("lost", IMAGES, configured(), {}, AT)


def test_where_there_are_image_volumes_no_program_is_needed() -> None:
    config = configured(prePull="{enabled: true, imageVolumes: true}")
    made = make_daemon_set("", IMAGES, config, {}, AT)
    assert schema_for_builtin("apps", "DaemonSet").validate(made) == []
    assert (made["metadata"]["name"], pool_of_set(made)) == ("rouse-pre-pull-any-node", "")
    pod = made["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert [volume["image"]["reference"] for volume in pod["volumes"]] == IMAGES
    assert {one["image"] for one in pod["containers"]} == {config.balloon_image}
    mounted = [one["volumeMounts"][0]["name"] for one in pod["containers"]]
    assert mounted == [volume["name"] for volume in pod["volumes"]]


def test_progress_changes_nothing_that_runs() -> None:
    first, then = (
        make_daemon_set("", IMAGES, configured(), {"repo/a:v1": {"present": number}}, AT)
        for number in (0, 1)
    )
    assert first["spec"] == then["spec"]
    assert first != then


def pod(node: str, **states: Any) -> Object:
    statuses = [{"name": container_name(image), "state": state} for image, state in states.items()]
    metadata = {"name": f"on-{node}", "namespace": "rouse-system"}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"containerStatuses": statuses},
    }


def test_progress_by_node_and_image() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such manifest"}}
    found = progress_of(
        ["a", "b", "c"],
        [
            pod("two", a={"running": {}}, b=waiting, c={"waiting": {"reason": "PodInitializing"}}),
            pod("one", a=waiting, b={"waiting": {"reason": "CrashLoopBackOff"}}),
            pod(""),
        ],
        {"one": {"a": 10}},
    )
    assert [(each.node, each.image, each.state.value) for each in found] == [
        ("one", "a", "present"),  # the kubelet lists it, whatever the pod says
        ("one", "b", "present"),
        ("one", "c", "pulling"),
        ("two", "a", "present"),
        ("two", "b", "failed"),
        ("two", "c", "pulling"),
    ]
    assert found[4].message == "no such manifest"
    assert counted(["a", "b"], found) == {
        "a": {"present": 2, "pulling": 0, "failed": 0},
        "b": {"present": 1, "pulling": 0, "failed": 1},
    }


def test_what_others_wrote_is_no_list_of_images() -> None:
    for text in ("{", orjson.dumps({"a": 1}).decode()):
        annotations = {"rouse.dev/pre-pull-images": text}
        assert images_of({"metadata": {"annotations": annotations}}) == []
