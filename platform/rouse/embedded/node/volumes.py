"""Volumes of a pod as folders of this machine.

There are no mount namespaces here: a mount is a pair (path the container was told, host path), and
command.py rewrites the former to the latter in arguments and environment.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.embedded.node.fields import field_value
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.sources import Sources

__all__ = ["MODEL_MOUNT", "by_uri", "mounts_of", "prepare_volumes", "remove_scratch"]

MODEL_MOUNT: Final = "/mnt/models"
"""Where runtimes look for the model; one that fetches for itself gets a folder of its own."""

_KNOWN: Final = (
    "persistentVolumeClaim, emptyDir, configMap, secret, downwardAPI, projected, hostPath"
)


def prepare_volumes(pod: dict[str, Any], paths: NodePaths, sources: Sources) -> dict[str, Path]:
    """Make the host folder of every volume: volume name -> folder.

    Raises PodSetupError ``VolumeNotFound`` for a claim without a folder, ``VolumeNotSupported``
    for a type that needs a cluster, ``CreateContainerConfigError`` for a missing source.
    """
    metadata = pod["metadata"]
    scratch = paths.pod(metadata["namespace"], metadata["name"]) / "volumes"
    return {
        volume["name"]: _folder(volume, pod, scratch / volume["name"], paths, sources)
        for volume in pod.get("spec", {}).get("volumes") or []
    }


def mounts_of(
    container: dict[str, Any], volumes: Mapping[str, Path], scratch: Path
) -> dict[str, str]:
    """Mount path -> host path for one container; ``scratch`` is the container's own folder.

    MODEL_MOUNT is always there, because a local process must not write to the host's /mnt.
    """
    mounts: dict[str, str] = {}
    for mount in container.get("volumeMounts") or []:
        name = mount["name"]
        if name not in volumes:
            raise PodSetupError(
                Reason.VOLUME_NOT_FOUND, f'volumeMounts names no volume "{name}" of the pod'
            )
        mounts[mount["mountPath"].rstrip("/")] = str(
            _below(volumes[name], mount.get("subPath", ""))
        )
    if MODEL_MOUNT not in mounts:
        models = scratch / "models"
        models.mkdir(parents=True, exist_ok=True)
        mounts[MODEL_MOUNT] = str(models)
    return mounts


def by_uri(lines: Iterable[str], pod: dict[str, Any], paths: NodePaths) -> tuple[str, ...]:
    """Return lines of a log with the folders of the pod's claims as their users call them.

    They wrote ``pvc://<claim>/<path>``; where that is on this machine tells them nothing.
    """
    namespace = pod["metadata"]["namespace"]
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod.get("spec", {}).get("volumes") or []
        if "persistentVolumeClaim" in volume
    ]
    folders = {f"{paths.claim(namespace, claim)}/": f"pvc://{claim}/" for claim in claims}
    said = []
    for line in lines:
        told = line
        for folder, uri in folders.items():
            told = told.replace(folder, uri)
        said.append(told)
    return tuple(said)


async def remove_scratch(*folders: Path) -> None:
    """Delete folders that are the node's own, off the event loop: a scratch can hold gigabytes."""
    present = [folder for folder in folders if folder.exists()]
    if present:
        await asyncio.to_thread(_remove, present)


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(
    volume: dict[str, Any], pod: dict[str, Any], scratch: Path, paths: NodePaths, sources: Sources
) -> Path:
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        return _claim_folder(paths.claim(pod["metadata"]["namespace"], claim), claim)
    if "hostPath" in volume:
        return _host_folder(volume["hostPath"])
    files = _files(volume, pod, sources)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        target = _below(scratch, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o600)
    return scratch


def _claim_folder(folder: Path, claim: str) -> Path:
    if not folder.is_dir():
        raise PodSetupError(
            Reason.VOLUME_NOT_FOUND,
            f'PersistentVolumeClaim "{claim}" has no folder on this machine; create it and put the '
            f"files there: mkdir -p {folder}",
        )
    return folder


def _host_folder(source: dict[str, Any]) -> Path:
    path = Path(source["path"])
    if source.get("type") == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        raise PodSetupError(
            Reason.VOLUME_NOT_FOUND, f"hostPath {path} does not exist on this machine"
        )
    return path


def _files(volume: dict[str, Any], pod: dict[str, Any], sources: Sources) -> dict[str, bytes]:
    """The files of a volume made of API data, by relative path."""
    if "emptyDir" in volume:
        return {}
    if "configMap" in volume:
        return _source_files("ConfigMap", volume["configMap"], "name", sources)
    if "secret" in volume:
        return _source_files("Secret", volume["secret"], "secretName", sources)
    if "downwardAPI" in volume:
        return _downward_files(volume["downwardAPI"], pod)
    if "projected" in volume:
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or []:
            files |= _projected_files(source, volume["name"], pod, sources)
        return files
    raise _unsupported(volume["name"], next((k for k in volume if k != "name"), "none"))


def _projected_files(
    source: dict[str, Any], volume: str, pod: dict[str, Any], sources: Sources
) -> dict[str, bytes]:
    if "configMap" in source:
        return _source_files("ConfigMap", source["configMap"], "name", sources)
    if "secret" in source:
        return _source_files("Secret", source["secret"], "name", sources)
    if "downwardAPI" in source:
        return _downward_files(source["downwardAPI"], pod)
    raise _unsupported(volume, f"projected {next(iter(source), 'none')}")


def _source_files(
    kind: Any, source: dict[str, Any], name_key: str, sources: Sources
) -> dict[str, bytes]:
    name, optional = source[name_key], bool(source.get("optional"))
    items = source.get("items")
    if items is None:
        return dict(sources.all(kind, name, optional=optional))
    found = {i["path"]: sources.key(kind, name, i["key"], optional=optional) for i in items}
    return {path: content for path, content in found.items() if content is not None}


def _downward_files(source: dict[str, Any], pod: dict[str, Any]) -> dict[str, bytes]:
    return {
        item["path"]: field_value(pod, item["fieldRef"]["fieldPath"]).encode()
        for item in source.get("items") or []
        if "fieldRef" in item
    }


def _below(folder: Path, relative: str) -> Path:
    """``folder/relative``, refused when it would leave the folder."""
    parts = Path(relative).parts
    if ".." in parts or relative.startswith("/"):
        raise PodSetupError(
            Reason.INVALID_PATH, f'"{relative}" must be a relative path without ".."'
        )
    return folder.joinpath(*parts)


def _unsupported(volume: str, type_: str) -> PodSetupError:
    return PodSetupError(
        Reason.VOLUME_NOT_SUPPORTED,
        f'volume "{volume}" of type {type_} needs a cluster; the embedded node has: {_KNOWN}',
    )
