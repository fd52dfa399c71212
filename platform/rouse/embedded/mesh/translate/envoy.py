"""Small pieces of Envoy's configuration that several modules need."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.kube.objects import Object

__all__ = ["UNLIMITED", "digest", "duration", "seconds_of", "typed"]

UNLIMITED: Final = 4294967295
"""The largest uint32: how Envoy spells "no limit"."""

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")


def typed(type_name: str, fields: Mapping[str, Any] | None = None) -> Object:
    """Return a ``google.protobuf.Any`` in JSON form."""
    return {"@type": f"type.googleapis.com/{type_name}", **(fields or {})}


def duration(seconds: float) -> str:
    """Write seconds as protobuf's JSON does: ``0.25s``."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s"


def seconds_of(text: object, path: str) -> float:
    """Read a Go duration such as ``1m30s``; raises InvalidFieldError."""
    if isinstance(text, str) and text:
        parts = _PART.findall(text)
        if "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        if text == "0":
            return 0.0
    raise InvalidFieldError(path, f'"{text}" is not a duration; write it like 10s or 1m30s')


def digest(value: object) -> str:
    """Return a short fingerprint of JSON-like data; the same data always has the same one."""
    raw = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
