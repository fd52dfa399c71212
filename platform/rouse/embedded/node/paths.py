"""Where the node keeps things under ROUSE_HOME. Pure path arithmetic, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["NodePaths"]


@dataclass(frozen=True, slots=True)
class NodePaths:
    """The node's folders and files, below one home but for the sockets."""

    home: Path
    run: Path | None = None
    """Folder of sockets, when it is not ``home/run``: a socket's path holds 107 bytes."""

    @property
    def notify_socket(self) -> Path:
        """Where replicas report phases and readiness."""
        return (self.run or self.home / "run") / "notify.sock"

    @property
    def images_file(self) -> Path:
        """The user's own image repository -> local command entries."""
        return self.home / "images.yaml"

    @property
    def pods(self) -> Path:
        """Scratch of every pod: working folders and non-persistent volumes."""
        return self.home / "pods"

    @property
    def pod_logs(self) -> Path:
        """CRI-format logs of every pod."""
        return self.home / "logs" / "pods"

    @property
    def warm_logs(self) -> Path:
        """Logs of the warm parents."""
        return self.home / "logs" / "warm"

    def claim(self, namespace: str, claim: str) -> Path:
        """The folder that stands for a PersistentVolumeClaim."""
        return self.home / "volumes" / namespace / claim

    def pod(self, namespace: str, name: str) -> Path:
        """One pod's scratch folder, removed with the pod."""
        return self.pods / f"{namespace}_{name}"

    def pod_log(self, namespace: str, name: str) -> Path:
        """One pod's log folder, removed with the pod."""
        return self.pod_logs / f"{namespace}_{name}"

    def container_log(self, namespace: str, name: str, container: str, attempt: int) -> Path:
        """The log file of one attempt (0, 1, 2 ...) at running a container."""
        return self.pod_log(namespace, name) / container / f"{attempt}.log"
