"""Kustomization files: what they say, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from rouse.errors import ConfigError
from rouse.kube.objects import Object

__all__ = ["Kustomization", "Patch", "read_kustomization", "read_yaml"]

_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FIELDS: Final = frozenset(
    {
        "apiVersion",
        "kind",
        "resources",
        "components",
        "configMapGenerator",
        "generatorOptions",
        "patches",
        "images",
        "labels",
        "replicas",
    }
)
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of the objects that ``target`` names, or of the one it names itself."""

    body: Any
    """A list of JSON patch operations, or a part of an object (strategic merge)."""
    target: Mapping[str, str] | None
    where: str


@dataclass(frozen=True, slots=True)
class Kustomization:
    """One file; paths are absolute."""

    resources: tuple[Path, ...] = ()
    components: tuple[Path, ...] = ()
    generated: tuple[Object, ...] = ()
    """ConfigMaps made of files."""
    patches: tuple[Patch, ...] = ()
    images: tuple[Mapping[str, str], ...] = ()
    labels: tuple[Mapping[str, Any], ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)


def read_kustomization(folder: Path) -> Kustomization:
    """Read the kustomization of a folder; raises ConfigError for what is not understood."""
    path = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if path is None:
        raise ConfigError(f"{folder}: no kustomization ({', '.join(_NAMES)})")
    documents = read_yaml(path)
    if len(documents) != 1:
        raise ConfigError(f"{path}: one document is wanted, not {len(documents)}")
    said = documents[0]
    unknown = sorted(set(said) - _FIELDS)
    if unknown:
        raise ConfigError(
            f"{path}: {', '.join(unknown)}: not among what is rendered here "
            f"({', '.join(sorted(_FIELDS))}); use `kubectl kustomize` for this one"
        )
    return Kustomization(
        resources=tuple((folder / each).resolve() for each in said.get("resources") or ()),
        components=tuple((folder / each).resolve() for each in said.get("components") or ()),
        generated=tuple(_generated(folder, path, said)),
        patches=tuple(_patch(folder, path, each) for each in said.get("patches") or ()),
        images=tuple(said.get("images") or ()),
        labels=tuple(said.get("labels") or ()),
        replicas={each["name"]: each["count"] for each in said.get("replicas") or ()},
    )


def read_yaml(path: Path) -> list[Any]:
    """Return the documents of a file that are not empty; raises ConfigError."""
    try:
        documents: list[Any] = orjson.loads(_parsed(path.read_text(encoding="utf-8")))
        return documents
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> bytes:
    """Return the documents as JSON: overlays share bases, and YAML is a hundred times slower."""
    documents = [each for each in yaml.load_all(text, Loader=_LOADER) if each]
    return orjson.dumps(documents, option=orjson.OPT_NON_STR_KEYS)


def _generated(folder: Path, path: Path, said: Object) -> Iterator[Object]:
    """Yield the ConfigMaps of the generators, each key a file's text."""
    shared = said.get("generatorOptions") or {}
    for each in said.get("configMapGenerator") or ():
        options = {**shared, **(each.get("options") or {})}
        if set(each) - {"name", "namespace", "files", "options"}:
            raise ConfigError(f"{path}: configMapGenerator: only files are rendered here")
        # A suffix would make a new object of every change, and nothing here refers to one.
        if options.get("disableNameSuffixHash") is not True:
            raise ConfigError(f"{path}: configMapGenerator: wants disableNameSuffixHash: true")
        metadata = {part: each[part] for part in ("name", "namespace") if part in each}
        for part in ("labels", "annotations"):
            merged = {**(shared.get(part) or {}), **(options.get(part) or {})}
            if merged:
                metadata[part] = merged
        data = dict(_file(folder, given) for given in each["files"])
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _file(folder: Path, given: str) -> tuple[str, str]:
    """Read ``path`` or ``key=path``; without a key it is the file's name."""
    key, equals, name = given.partition("=")
    path = folder / (name if equals else given)
    try:
        return (key if equals else path.name), path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _patch(folder: Path, path: Path, said: Object) -> Patch:
    if "path" in said:
        where = folder / said["path"]
        documents = read_yaml(where)
    else:
        where = path
        documents = [yaml.safe_load(said.get("patch") or "")]
    if len(documents) != 1 or not documents[0]:
        raise ConfigError(f"{where}: a patch is one document")
    return Patch(documents[0], said.get("target"), str(where))
