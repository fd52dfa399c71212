"""Configuration and runtimes as files, for what works without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rouse.compiler.config import CONFIG_MAP, KSERVE_CONFIG_MAP, Config
from rouse.errors import ConfigError, InvalidError
from rouse.kube.objects import Object
from rouse.manifests import manifests_dir
from rouse.sdk.documents import load_documents

__all__ = ["Engine", "load_config", "load_runtimes", "load_storage_containers"]

Engine = Literal["cluster", "embedded"]

RUNTIME_KINDS = ("ServingRuntime", "ClusterServingRuntime")
STORAGE_CONTAINER_KIND = "ClusterStorageContainer"


def load_config(path: Path | None, engine: Engine = "cluster") -> Config:
    """Read ConfigMaps rouse-config and inferenceservice-config of a file; rouse-config wins.

    For the engine ``embedded`` the embedded engine's own rouse-config comes between them.
    Raises ConfigError when the file holds neither, or what it holds cannot be used.
    """
    given = _config_maps(path) if path is not None else {}
    config = Config()
    if path is not None and not given:
        raise ConfigError(
            f"{path}: holds no ConfigMap named {CONFIG_MAP} or {KSERVE_CONFIG_MAP}; "
            "give the manifest of one of them"
        )
    if KSERVE_CONFIG_MAP in given:
        config = Config.from_kserve(given[KSERVE_CONFIG_MAP].get("data") or {})
    if engine == "embedded":
        own = _config_maps(manifests_dir() / "embedded").get(CONFIG_MAP)
        config = Config.from_config_map(own, base=config)
    return Config.from_config_map(given.get(CONFIG_MAP), base=config)


def load_runtimes(path: Path | None) -> list[Object]:
    """Read the runtimes of a file or folder; those that ship with Rouse when None.

    Raises InvalidError when there are none in it.
    """
    where = path or manifests_dir() / "runtimes"
    found = [obj for obj in load_documents(where) if obj["kind"] in RUNTIME_KINDS]
    if not found:
        raise InvalidError(f"{where}: holds no ServingRuntime or ClusterServingRuntime")
    return found


def load_storage_containers(path: Path | None) -> list[Object]:
    """Read the ClusterStorageContainers of a file or folder; there may be none."""
    if path is None:
        return []
    return [obj for obj in load_documents(path) if obj["kind"] == STORAGE_CONTAINER_KIND]


def _config_maps(path: Path) -> dict[str, Object]:
    return {
        obj["metadata"]["name"]: obj
        for obj in load_documents(path)
        if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] in (CONFIG_MAP, KSERVE_CONFIG_MAP)
    }
