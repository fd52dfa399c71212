"""A repository in a folder: ``<name>/``, ``<name>/<version>/``, or MLServer's settings files.

::

    models/
    ├── iris/model.joblib                       version 1
    ├── prices/1/model.joblib
    ├── prices/2/model.joblib                   the newest is served
    └── spam/model-settings.json                {"name": ..., "parameters": {"uri": ...}}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from predictors.serving.errors import StorageError
from predictors.serving.repository.source import ModelSource
from predictors.serving.repository.states import age, newest
from predictors.serving.settings import BatchSettings

__all__ = ["SETTINGS_FILE", "find_models", "parse_settings"]

SETTINGS_FILE: Final = "model-settings.json"
_DEPTH: Final = 3


def find_models(folder: Path, *, all_versions: bool = False) -> list[ModelSource]:
    """The models in `folder`; of each the newest version, or all. Raises `StorageError`."""
    if not folder.is_dir():
        raise StorageError(f"{folder} is no folder; --model_repository needs one.")
    found: dict[str, dict[str, ModelSource]] = {}
    for source in _all(folder):
        versions = found.setdefault(source.name, {})
        if source.version in versions:
            raise StorageError(
                f"model {source.name} version {source.version} is twice in {folder}: "
                f"{versions[source.version].location} and {source.location}."
            )
        versions[source.version] = source
    kept: list[ModelSource] = []
    for _, versions in sorted(found.items()):
        if all_versions:
            kept.extend(versions[version] for version in sorted(versions, key=age))
        else:
            kept.append(versions[newest(versions)])
    return kept


def _all(folder: Path) -> Iterator[ModelSource]:
    if (folder / SETTINGS_FILE).is_file():
        yield from _settled(folder, folder.name)
        return
    for child in sorted(folder.iterdir()):
        if not child.is_dir() or child.name.startswith("."):
            continue
        settled = list(_settled(child, child.name))
        if settled:
            yield from settled
            continue
        numbers = [v for v in child.iterdir() if v.is_dir() and v.name.isdecimal()]
        for version in numbers:
            yield ModelSource(child.name, str(int(version.name)), version)
        if not numbers and any(child.iterdir()):
            yield ModelSource(child.name, "1", child)


def _settled(folder: Path, name: str, depth: int = _DEPTH) -> Iterator[ModelSource]:
    """The models of the settings files in `folder`, or below it: one a version."""
    file = folder / SETTINGS_FILE
    if file.is_file():
        try:
            data = file.read_bytes()
        except OSError as error:
            raise StorageError(f"{file} cannot be read: {error}.") from error
        version = folder.name if folder.name.isdecimal() else "1"
        yield parse_settings(data, file, name=name, version=version)
    elif depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                yield from _settled(child, name, depth - 1)


def parse_settings(data: bytes, file: Path, *, name: str, version: str) -> ModelSource:
    """MLServer's settings of one model. Raises `StorageError` naming file and field."""
    try:
        settings = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StorageError(f"{file} is not valid JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise StorageError(f"{file} must hold a JSON object.")
    parameters = settings.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise StorageError(f"{file}: parameters must be an object.")
    size = _number(settings, "max_batch_size", file)
    latency = _number(settings, "max_batch_time", file)
    uri = _text(parameters, "uri", file, ".")
    return ModelSource(
        name=_text(settings, "name", file, name),
        version=_text(parameters, "version", file, version),
        location=uri if "://" in uri else file.parent / uri,
        implementation=_text(settings, "implementation", file, ""),
        batching=BatchSettings(int(size), latency) if size else None,
    )


def _text(settings: dict[str, Any], field: str, file: Path, default: str) -> str:
    value = settings.get(field)
    if value is None:
        return default
    if not isinstance(value, str) or not value:
        raise StorageError(f"{file}: {field} must be a non-empty string, got {value!r}.")
    return value


def _number(settings: dict[str, Any], field: str, file: Path) -> float:
    value = settings.get(field) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise StorageError(f"{file}: {field} must be a number of zero or more, got {value!r}.")
    return float(value)
