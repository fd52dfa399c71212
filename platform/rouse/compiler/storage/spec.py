"""What a component says about where its model is, in one form for all its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rouse.api.inferenceservice.component import ComponentSpec, StorageSpec
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.types import FrameworkSpec
from rouse.compiler.storage.names import MODEL_PATH, SCHEME_PLACEHOLDER, STORAGE_URI

__all__ = ["Entry", "Location", "Storage", "custom_uri", "from_entry", "storage_of"]

_WITH_BUCKET = ("s3",)


@dataclass(frozen=True, slots=True)
class Location:
    """A model at ``uri`` that the containers want to see at ``path``."""

    uri: str
    path: str = MODEL_PATH

    @property
    def scheme(self) -> str:
        """What stands before ``://``."""
        return self.uri.partition("://")[0]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the Secret storage-config: by its key, or the default one when that is empty."""

    key: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What is laid over the entry's own fields."""

    @property
    def secret_key(self) -> str:
        """The key of the Secret."""
        if self.key:
            return self.key
        type_ = self.parameters.get("type", "")
        return f"default_{type_}" if type_ else "default"


@dataclass(frozen=True, slots=True)
class Storage:
    """Every location of one component, and the entry of storage-config that opens them."""

    locations: tuple[Location, ...]
    entry: Entry | None = None
    container: str = ""
    """The ClusterStorageContainer that shall fetch them; when empty, the first that fits, or
    nobody's."""


def storage_of(model: FrameworkSpec | None, component: ComponentSpec) -> Storage | None:
    """Read storageUri, storageUris or storage of a (valid) component; None when it has none.

    A server of the user's own names its location by its variable STORAGE_URI, as on KServe.
    """
    container = component.storage_container_name or ""
    if model is not None and model.storage is not None:
        return replace(from_entry(model.storage), container=container)
    single = _custom(component) if model is None else _single(model)
    locations = (*single, *_several(component))
    return Storage(locations, container=container) if locations else None


def custom_uri(env: Iterable[Any]) -> str:
    """The location that a container's environment names; empty when it names none."""
    values = (each.get("value") for each in env if each.get("name") == STORAGE_URI)
    return next((value for value in values if value and "://" in value), "")


def _single(model: FrameworkSpec) -> Iterator[Location]:
    if model.storage_uri is not None:
        yield Location(model.storage_uri)


def _custom(component: ComponentSpec) -> Iterator[Location]:
    given = component.containers or ()
    main = next((each for each in given if each.name == MAIN_CONTAINER), None)
    uri = custom_uri(each.to_object() for each in (main.env or ())) if main is not None else ""
    if uri:
        yield Location(uri)


def _several(component: ComponentSpec) -> Iterator[Location]:
    for each in component.storage_uris or ():
        path = (each.mount_path or MODEL_PATH).rstrip("/")
        yield Location(each.uri, path or MODEL_PATH)


def from_entry(spec: StorageSpec) -> Storage:
    """The location that an entry of storage-config tells."""
    entry = Entry(spec.key or "", dict(spec.parameters or {}))
    return Storage((Location(_entry_uri(spec.path or "", entry.parameters)),), entry)


def _entry_uri(path: str, parameters: Mapping[str, str]) -> str:
    """The uri as far as the parameters tell it; what they leave open is in the Secret."""
    path = path.lstrip("/")
    type_, bucket = parameters.get("type"), parameters.get("bucket")
    if type_ in _WITH_BUCKET and bucket:
        return f"{type_}://{bucket}/{path}"
    if type_ and type_ not in _WITH_BUCKET:
        return f"{type_}://{path}"
    return f"{SCHEME_PLACEHOLDER}://{path}"
