"""The node's own object in the API: what ``kubectl get nodes`` shows."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from rouse.embedded.node.fields import POD_IP
from rouse.embedded.node.status import rfc3339
from rouse.errors import AlreadyExistsError
from rouse.kube import KubeClient, PatchKind
from rouse.kube.resources import NODES

__all__ = ["make_node", "register_node"]

_MAX_PODS = "500"


def make_node(name: str, home: Path, *, ready: bool, now: float) -> dict[str, Any]:
    """The Node object of this machine; capacity is what the operating system reports."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory >> 10}Ki",
        "ephemeral-storage": f"{shutil.disk_usage(home).total >> 10}Ki",
        "pods": _MAX_PODS,
    }
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": machine,
                "node-role.kubernetes.io/rouse": "",
            },
        },
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": POD_IP},
                {"type": "Hostname", "address": name},
            ],
            "conditions": [_ready_condition(ready, now)],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": platform.release(),
                "osImage": _os_name(),
                "containerRuntimeVersion": "process://rouse",
                "kubeletVersion": "rouse",
                "kubeProxyVersion": "rouse",
                "operatingSystem": "linux",
                "architecture": machine,
            },
        },
    }


async def register_node(client: KubeClient, node: dict[str, Any]) -> None:
    """Create the Node object if it is absent, then write its status. Raises ApiError."""
    try:
        await client.create({key: value for key, value in node.items() if key != "status"})
    except AlreadyExistsError:
        pass
    await client.patch(
        NODES,
        node["metadata"]["name"],
        {"status": node["status"]},
        kind=PatchKind.MERGE,
        subresource="status",
    )


def _ready_condition(ready: bool, now: float) -> dict[str, Any]:
    return {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "EngineReady" if ready else "EngineStopped",
        "message": "the engine runs pods" if ready else "the engine has stopped",
        "lastHeartbeatTime": rfc3339(now),
        "lastTransitionTime": rfc3339(now),
    }


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
