"""From a folder with a kustomization to objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rouse.errors import ConfigError
from rouse.installer.kustomize.files import Patch, read_kustomization, read_yaml
from rouse.installer.kustomize.jsonpatch import apply_json_patch
from rouse.installer.kustomize.strategic import merge
from rouse.installer.kustomize.transforms import with_images, with_labels, with_replicas
from rouse.kube.objects import Object

__all__ = ["identity", "render"]

_TARGETS: Final = frozenset({"group", "version", "kind", "name", "namespace"})

Identity = tuple[str, str, str, str]


def render(folder: Path, *, components: Iterable[Path] = ()) -> list[Object]:
    """Return the objects of a kustomization, with further components added to it.

    Raises ConfigError naming the file for what cannot be read, does not fit, or is there twice.
    """
    objects = _rendered(folder.resolve(), [])
    for component in components:
        objects = _rendered(component.resolve(), objects)
    return objects


def identity(obj: Object) -> Identity:
    """Return what tells an object from every other: group, kind, namespace, name."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    metadata = obj["metadata"]
    return group, obj["kind"], metadata.get("namespace", ""), metadata["name"]


def _rendered(folder: Path, before: list[Object]) -> list[Object]:
    """Accumulate in the order of kustomize: what is there, components, then what changes all.

    ``before`` are the objects that a component is laid over; empty for anything else.
    """
    said = read_kustomization(folder)
    objects = list(before)
    for path in said.resources:
        _add(objects, _rendered(path, []) if path.is_dir() else read_yaml(path), path)
    _add(objects, said.generated, folder)
    for component in said.components:
        objects = _rendered(component, objects)
    for patch in said.patches:
        objects = _patched(objects, patch)
    for labels in said.labels:
        objects = with_labels(objects, labels)
    if said.replicas:
        objects = with_replicas(objects, said.replicas)
    return with_images(objects, said.images) if said.images else objects


def _add(objects: list[Object], more: Iterable[Object], path: Path) -> None:
    known = {identity(obj) for obj in objects}
    for obj in more:
        if identity(obj) in known:
            kind, namespace, name = identity(obj)[1:]
            raise ConfigError(f"{path}: {kind} {namespace}/{name} is there already")
        known.add(identity(obj))
        objects.append(obj)


def _patched(objects: list[Object], patch: Patch) -> list[Object]:
    target = patch.target
    if target is None:
        if isinstance(patch.body, list):
            raise ConfigError(f"{patch.where}: a JSON patch needs a target")
        wanted = identity(patch.body)
        chosen = [identity(obj) == wanted for obj in objects]
    else:
        if unknown := set(target) - _TARGETS:
            raise ConfigError(f"{patch.where}: target: {sorted(unknown)} is not rendered here")
        chosen = [_matches(obj, target) for obj in objects]
    if not any(chosen):
        raise ConfigError(f"{patch.where}: no object to patch is there")
    return [_apply(obj, patch) if hit else obj for obj, hit in zip(objects, chosen, strict=True)]


def _apply(obj: Object, patch: Patch) -> Object:
    if isinstance(patch.body, list):
        return apply_json_patch(obj, patch.body, where=patch.where)
    return merge(obj, patch.body)


def _matches(obj: Object, target: Mapping[str, str]) -> bool:
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    metadata = obj["metadata"]
    has = {
        "group": group,
        "version": version,
        "kind": obj["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
    }
    return all(re.fullmatch(pattern, has[field]) for field, pattern in target.items())
