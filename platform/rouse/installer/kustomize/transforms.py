"""What a kustomization does to all its objects: labels, replicas, images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rouse.errors import ConfigError
from rouse.kube.objects import Object

__all__ = ["map_images", "split_image", "with_images", "with_labels", "with_replicas"]

_LISTS: Final = ("containers", "initContainers")
_SCALED: Final = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")


def with_labels(objects: Iterable[Object], said: Mapping[str, Any]) -> list[Object]:
    """Return the objects with ``pairs`` among their labels; selectors and templates are left."""
    if said.get("includeSelectors") or said.get("includeTemplates") or said.get("fields"):
        raise ConfigError("labels: only pairs are rendered here")
    return [_labelled(obj, said["pairs"]) for obj in objects]


def with_replicas(objects: Iterable[Object], counts: Mapping[str, int]) -> list[Object]:
    """Return the objects, those of these names with so many replicas."""
    return [
        {**obj, "spec": {**obj["spec"], "replicas": counts[obj["metadata"]["name"]]}}
        if obj["kind"] in _SCALED and obj["metadata"]["name"] in counts
        else obj
        for obj in objects
    ]


def with_images(objects: Iterable[Object], said: Iterable[Mapping[str, str]]) -> list[Object]:
    """Return the objects with other images: ``{name, newName, newTag, digest}``, as kustomize."""
    changes = {each["name"]: each for each in said}
    return [map_images(obj, lambda image: _changed(image, changes)) for obj in objects]


def map_images(obj: Object, change: Callable[[str], str]) -> Object:
    """Return the object with ``change`` done to the image of every container, wherever it is."""
    # The containers of a definition's schema are types and no containers.
    if obj["kind"] == "CustomResourceDefinition":
        return obj
    mapped: Object = _mapped(obj, change)
    return mapped


def _labelled(obj: Object, pairs: Mapping[str, str]) -> Object:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **pairs}}}


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: [_container(each, change) for each in part]
        if name in _LISTS and isinstance(part, list)
        else _mapped(part, change)
        for name, part in value.items()
    }


def _container(container: Any, change: Callable[[str], str]) -> Any:
    if not isinstance(container, dict) or not isinstance(container.get("image"), str):
        return container
    return {**container, "image": change(container["image"])}


def _changed(image: str, changes: Mapping[str, Mapping[str, str]]) -> str:
    name, tag, digest = split_image(image)
    said = changes.get(name)
    if said is None:
        return image
    name = said.get("newName") or name
    if said.get("digest"):
        return f"{name}@{said['digest']}"
    if said.get("newTag"):
        return f"{name}:{said['newTag']}"
    return f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"


def split_image(image: str) -> tuple[str, str, str]:
    """Split an image into name, tag and digest; a port in its registry's address is no tag."""
    rest, _, digest = image.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag, digest
