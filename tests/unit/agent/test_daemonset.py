"""The manifests of the agent fit its command, and the rules fit what is asked of the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rouse.agent.agent import LOCAL_MODEL_NODES
from rouse.agent.credentials import NAMESPACE
from rouse.cli.main import rouse
from rouse.compiler.config import Config
from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.localmodel import make_local_models
from rouse.embedded.apiserver.memory import memory_api
from rouse.installer.selection import Selection, select
from rouse.kube import EventRecorder, KubeClient

Object = dict[str, Any]


def rendered(kind: str, name: str) -> Object:
    objects = select(Selection("minimal", ("node-agent",)))
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def rules(name: str) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in rendered("ClusterRole", name)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_the_daemonset_runs_the_command_as_nobody_special() -> None:
    pod = rendered("DaemonSet", "rouse-node-agent")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name, *options = container["args"]
    made = rouse.commands[name].make_context(name, [*options])
    path = str(made.params["folder"])
    assert container["command"] == ["python", "-m", "rouse"]
    assert {"name": "models", "mountPath": path} in container["volumeMounts"]
    assert pod["volumes"][0]["hostPath"] == {"path": path, "type": "DirectoryOrCreate"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    # One container is root, for one call.
    (folder,) = pod["initContainers"]
    assert folder["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
    assert path in folder["command"][-1]


def test_the_agent_may_do_what_it_does_and_no_more() -> None:
    group = LOCAL_MODEL_NODES.group
    assert rules("rouse-node-agent") == {
        (group, "localmodelnodes"): {"get", "list", "watch"},
        (group, "localmodelnodes/status"): {"patch"},
        ("", "pods"): {"get", "list", "watch"},
    }


def test_credentials_are_read_by_name_and_in_its_own_namespace_only() -> None:
    may = rules("rouse-node-agent-credentials")
    kinds = ("serviceaccounts", "secrets", "configmaps")
    assert may == {("", kind): {"get"} for kind in kinds}
    bound = rendered("RoleBinding", "rouse-node-agent-credentials")
    assert bound["metadata"]["namespace"] == NAMESPACE
    assert bound["subjects"][0]["namespace"] == NAMESPACE
    objects = select(Selection("minimal", ("node-agent",)))
    everywhere = [o["roleRef"]["name"] for o in objects if o["kind"] == "ClusterRoleBinding"]
    assert "rouse-node-agent-credentials" not in everywhere


async def test_the_controller_may_read_what_caches_are_about() -> None:
    may = rules("rouse-controller")
    async with memory_api(manifests=False) as (_, http):
        client = KubeClient(http)
        followed = Sources.of(client)
        parts = make_local_models(
            client,
            followed.services,
            followed.pods,
            lambda _key: "",
            Config,
            EventRecorder(client, "test"),
            clock=lambda: datetime.now(UTC),
        )
        for informer in parts.informers:
            resource = informer.resource
            assert may[resource.group, resource.plural] >= {"get", "list", "watch"}, resource
