"""Kubernetes objects out of YAML and JSON: files, folders, streams and dicts alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import yaml

from rouse.errors import InvalidError
from rouse.kube.objects import Object

__all__ = ["Source", "load_documents"]

Source = str | Path | Mapping[str, Any] | IO[str]
"""A file, a folder of ``*.yaml|*.yml|*.json``, an open stream, or an object itself."""

_SUFFIXES = {".yaml", ".yml", ".json"}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_documents(sources: Iterable[Source] | Source) -> list[Object]:
    """Every object of the sources, in order; a ``List`` counts as its items.

    Raises InvalidError naming the file, the place and what is wrong.
    """
    if isinstance(sources, str | Path | Mapping) or hasattr(sources, "read"):
        found = [*_load(cast(Source, sources))]
    else:
        found = [document for source in sources for document in _load(source)]
    if not found:
        raise InvalidError("no Kubernetes object found in what was given")
    return found


def _load(source: Source) -> Iterable[Object]:
    if isinstance(source, Mapping):
        return _objects([dict(source)], "the given object")
    if isinstance(source, str | Path):
        return _load_path(Path(source))
    return _parse(source.read(), getattr(source, "name", "the stream"))


def _load_path(path: Path) -> Iterable[Object]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        return [document for file in files for document in _load_path(file)]
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"{path}: not a text file: {error}") from error
    return _parse(text, str(path))


def _parse(text: str, where: str) -> Iterable[Object]:
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise InvalidError(f"{where}: not valid YAML: {error}") from error
    return _objects([document for document in documents if document is not None], where)


def _objects(documents: list[Any], where: str) -> list[Object]:
    found: list[Object] = []
    for number, document in enumerate(documents, 1):
        place = f"{where}, document {number}" if len(documents) > 1 else where
        if not isinstance(document, dict):
            raise InvalidError(f"{place}: a mapping is wanted, not {type(document).__name__}")
        for field in ("apiVersion", "kind"):
            if not isinstance(document.get(field), str):
                raise InvalidError(f"{place}: {field}: required, a string")
        if document["kind"] == "List" and isinstance(document.get("items"), list):
            found.extend(_objects(document["items"], place))
            continue
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            raise InvalidError(f"{place}: metadata.name: required, a string")
        found.append(document)
    return found
