"""Kubernetes objects out of YAML and JSON: files, folders, streams and dicts alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import yaml

from rouse.errors import InvalidError
from rouse.kube.objects import Object

__all__ = ["Document", "Source", "load_documents", "read_documents"]

Source = str | Path | Mapping[str, Any] | IO[str]
"""A file, a folder of ``*.yaml|*.yml|*.json``, an open stream, or an object itself."""

_SUFFIXES = {".yaml", ".yml", ".json"}
_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Document:
    """An object, and the file it is from."""

    origin: str
    object: Object


def load_documents(sources: Iterable[Source] | Source) -> list[Object]:
    """Every object of the sources, in order; a ``List`` counts as its items.

    Raises InvalidError naming the file, the place and what is wrong.
    """
    found: list[Object] = []
    for each in read_documents(sources):
        if isinstance(each, InvalidError):
            raise each
        found.append(each.object)
    if not found:
        given = str(sources) if isinstance(sources, str | Path) else "what was given"
        raise InvalidError(f"no Kubernetes object found in {given}")
    return found


def read_documents(sources: Iterable[Source] | Source) -> Iterator[Document | InvalidError]:
    """Like `load_documents`, but what cannot be read is yielded as an error among the rest."""
    if isinstance(sources, str | Path | Mapping) or hasattr(sources, "read"):
        yield from _load(cast(Source, sources))
        return
    for source in sources:
        yield from _load(source)


def _load(source: Source) -> Iterator[Document | InvalidError]:
    if isinstance(source, Mapping):
        return _documents([dict(source)], "the given object")
    if isinstance(source, str | Path):
        return _load_path(Path(source))
    return _parse(source, getattr(source, "name", "the stream"))


def _load_path(path: Path) -> Iterator[Document | InvalidError]:
    try:
        if path.is_dir():
            for file in sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES):
                yield from _load_path(file)
            return
        with path.open(encoding="utf-8") as stream:
            yield from _parse(stream, str(path))
    except OSError as error:
        yield InvalidError(f"{path}: {error.strerror}")


def _parse(stream: IO[str], where: str) -> Iterator[Document | InvalidError]:
    try:
        # Not from the stream itself: the loader would hold back its errors until halfway through.
        documents = list(yaml.load_all(stream.read(), Loader=_Loader))
        found = [_plain(each) for each in documents if each is not None]
    except UnicodeDecodeError as error:
        yield InvalidError(f"{where}: not a text file: {error}")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield InvalidError(f"{where}: not valid YAML: {error}")
    else:
        yield from _documents(found, where)


def _documents(documents: list[Any], where: str) -> Iterator[Document | InvalidError]:
    for number, document in enumerate(documents, 1):
        place = f"{where}, document {number}" if len(documents) > 1 else where
        problem = _problem(document)
        if problem:
            yield InvalidError(f"{place}: {problem}")
        elif document["kind"] == "List" and isinstance(document.get("items"), list):
            for item in _documents(document["items"], place):
                # Where the list is tells more than where in it an item is.
                yield Document(where, item.object) if isinstance(item, Document) else item
        else:
            yield Document(where, document)


def _problem(document: Any) -> str:
    if not isinstance(document, dict):
        return f"a mapping is wanted, not {type(document).__name__}"
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str):
            return f"{field}: required, a string"
    if document["kind"] == "List" and isinstance(document.get("items"), list):
        return ""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return "metadata.name: required, a string"
    if not isinstance(metadata.get("namespace"), str | None):
        return "metadata.namespace: must be a string"
    return ""


def _plain(value: Any, depth: int = 0) -> Any:
    """Return the value as JSON can hold it: text for keys, nothing within itself."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_key(key): _plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, bytes | set):
        raise ValueError("!!binary and !!set have no meaning in Kubernetes")
    return value


def _key(key: Any) -> str:
    return {True: "true", False: "false", None: "null"}[key] if _is_word(key) else str(key)


def _is_word(key: Any) -> bool:
    return key is None or isinstance(key, bool)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as Kubernetes does: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
