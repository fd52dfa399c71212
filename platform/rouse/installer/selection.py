"""What is to be installed: overlay, components and images -> objects."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rouse.compiler.config import CONFIG_MAP
from rouse.errors import ConfigError
from rouse.installer.authorizer import GATEWAY_NAMESPACE, AuthorizerScope, with_scope
from rouse.installer.kustomize import map_images, render, split_image
from rouse.kube.objects import Object
from rouse.manifests import manifests_dir

__all__ = ["Selection", "component_names", "images_of", "overlay_names", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are wanted."""

    overlay: str = "production"
    """The name of an overlay, or the path of a folder with a kustomization."""
    components: tuple[str, ...] = ()
    """Names of components that the overlay does not have."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Other images: the repository, or its last part alone, to the image to be used."""
    authorizer: AuthorizerScope = field(default_factory=AuthorizerScope)
    """How far the authorizer of the component ``api-keys`` may see."""

    @property
    def options(self) -> str:
        """The options of `rouse install` that select this again, for a shell."""
        words = ["--overlay", self.overlay]
        for component in self.components:
            words += ["--component", component]
        for name, image in self.images.items():
            words += ["--set-image", f"{name}={image}"]
        if self.authorizer.namespaces:
            words += ["--authorizer-namespaces", ",".join(self.authorizer.namespaces)]
        if self.authorizer.gateway_namespace != GATEWAY_NAMESPACE:
            words += ["--gateway-namespace", self.authorizer.gateway_namespace]
        return shlex.join(words)


def overlay_names() -> list[str]:
    """Return the names of the overlays that ship with Rouse."""
    return sorted(path.name for path in (manifests_dir() / "overlays").iterdir())


def component_names() -> list[str]:
    """Return the names of the components that ship with Rouse."""
    return sorted(path.name for path in (manifests_dir() / "components").iterdir())


def select(selection: Selection) -> list[Object]:
    """Return the wanted objects; raises ConfigError for what is not there, naming what is."""
    folder = _folder(selection.overlay)
    unknown = sorted(set(selection.components) - set(component_names()))
    if unknown:
        known = ", ".join(component_names())
        raise ConfigError(f"there is no component {', '.join(unknown)}; there are: {known}")
    components = [manifests_dir() / "components" / name for name in selection.components]
    objects = render(folder, components=components)
    if selection.authorizer != AuthorizerScope():
        objects = with_scope(objects, selection.authorizer)
    return _with_images(objects, selection.images) if selection.images else objects


def images_of(objects: Iterable[Object]) -> list[str]:
    """Return every image that the objects name, once, sorted."""
    found: set[str] = set()

    def note(image: str) -> str:
        found.add(image)
        return image

    for obj in objects:
        map_images(obj, note)
        if _is_settings(obj):
            _map_settings(obj, note)
    return sorted(found)


def _folder(overlay: str) -> Path:
    if overlay in overlay_names():
        return manifests_dir() / "overlays" / overlay
    if Path(overlay).is_dir():
        return Path(overlay)
    raise ConfigError(
        f'there is no overlay "{overlay}", and no such folder; there are: '
        f"{', '.join(overlay_names())}"
    )


def _with_images(objects: list[Object], wanted: Mapping[str, str]) -> list[Object]:
    used: set[str] = set()

    def change(image: str) -> str:
        repository, _, _ = split_image(image)
        for name in (repository, repository.rpartition("/")[2]):
            if name in wanted:
                used.add(name)
                return wanted[name]
        return image

    changed = [
        _map_settings(obj, change) if _is_settings(obj) else map_images(obj, change)
        for obj in objects
    ]
    if unknown := sorted(set(wanted) - used):
        known = sorted({split_image(image)[0] for image in images_of(objects)})
        raise ConfigError(f"no image is named {', '.join(unknown)}; there are: {', '.join(known)}")
    return changed


def _is_settings(obj: Object) -> bool:
    return bool(obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == CONFIG_MAP)


def _map_settings(obj: Object, change: Any) -> Object:
    """Change the images that the settings name: those of the containers put into pods."""
    data = dict(obj.get("data") or {})
    for key, text in data.items():
        said = yaml.safe_load(text)
        if isinstance(said, dict) and isinstance(said.get("image"), str):
            image = change(said["image"])
            if image != said["image"]:
                data[key] = yaml.safe_dump({**said, "image": image})
    return {**obj, "data": data}
