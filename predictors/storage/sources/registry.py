"""What registries and their clients agreed on: challenges, credentials, blobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from predictors.serving.errors import StorageError
from predictors.storage.errors import ChangedError, TransientError
from predictors.storage.http import Answer, Client, chunks
from predictors.storage.plan import RemoteFile

__all__ = ["basic_of", "challenge_of", "read_blob"]

_FIELD: Final = re.compile(r'([a-zA-Z_]+)="([^"]*)"')
_DOCKER_HUB: Final = ("https://index.docker.io/v1/", "docker.io", "index.docker.io")


def challenge_of(header: str) -> tuple[str, dict[str, str]]:
    """The kind of a WWW-Authenticate challenge, in lower case, and its fields."""
    kind, _, rest = header.partition(" ")
    return kind.lower(), {name.lower(): value for name, value in _FIELD.findall(rest)}


def basic_of(env: Mapping[str, str], registry: str) -> str:
    """User and password for a registry as a Docker config holds them (base64), or nothing."""
    path = _config_path(env)
    if path is None:
        return ""
    try:
        auths = orjson.loads(path.read_bytes()).get("auths") or {}
    except OSError:
        return ""
    except (orjson.JSONDecodeError, AttributeError):
        raise StorageError(f"{path} is no Docker config.") from None
    names = [registry, f"https://{registry}", f"https://{registry}/v1/"]
    if registry == "registry-1.docker.io":
        names += _DOCKER_HUB
    found = next((auths[name] for name in names if name in auths), None)
    return str(found.get("auth", "")) if isinstance(found, dict) else ""


def read_blob(
    client: Client, answer: Answer, file: RemoteFile, start: int, end: int | None
) -> Iterator[memoryview]:
    """The asked range of a blob, also from a registry that answers with all of it."""
    if answer.status == 206:
        begins = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if begins != str(start):
            answer.close()
            raise ChangedError(f"{file.path}: the registry answered another range.")
        return chunks(client, answer, None if end is None else end - start)
    return _skipped(chunks(client, answer, end), start)


def _skipped(pieces: Iterator[memoryview], count: int) -> Iterator[memoryview]:
    for piece in pieces:
        if count >= len(piece):
            count -= len(piece)
            continue
        yield piece[count:]
        count = 0
    if count:
        raise TransientError("the blob ended early")


def _config_path(env: Mapping[str, str]) -> Path | None:
    if env.get("REGISTRY_AUTH_FILE"):
        return Path(env["REGISTRY_AUTH_FILE"])
    if env.get("DOCKER_CONFIG"):
        return Path(env["DOCKER_CONFIG"]) / "config.json"
    return Path(env["HOME"]) / ".docker/config.json" if env.get("HOME") else None
