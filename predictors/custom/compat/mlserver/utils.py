"""Helpers of MLServer's models."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from .errors import InvalidModelURI
from .settings import ModelSettings

__all__ = ["generate_uuid", "get_model_uri", "to_absolute_path"]


async def get_model_uri(settings: ModelSettings, wellknown_filenames: Sequence[str] = ()) -> str:
    """The file of the model, of a folder the first well-known one in it, else the folder.

    Raises `InvalidModelURI` where there is none.
    """
    uri = settings.parameters.uri if settings.parameters is not None else None
    if not uri:
        raise InvalidModelURI(settings.name)
    parts = urlsplit(uri, scheme="file")
    if parts.scheme != "file":
        return uri
    path = Path(to_absolute_path(settings, parts.path))
    found = await asyncio.to_thread(_found, path, wellknown_filenames)
    if found is None:
        raise InvalidModelURI(settings.name, str(path))
    return str(found)


def _found(path: Path, wellknown: Sequence[str]) -> Path | None:
    if path.is_dir():
        return next((path / name for name in wellknown if (path / name).is_file()), path)
    return path if path.is_file() else None


def to_absolute_path(model_settings: ModelSettings, uri: str) -> str:
    """A path relative to the settings file, where there is one."""
    source = model_settings._source
    return uri if source is None else str(Path(source).parent.joinpath(uri).resolve())


def generate_uuid() -> str:
    """A new request id."""
    return str(uuid.uuid4())
