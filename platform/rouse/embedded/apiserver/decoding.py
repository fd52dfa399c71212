"""From a request body to an object of the kind the path names."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import orjson
import yaml

from rouse.embedded.apiserver.conversion import to_storage
from rouse.embedded.apiserver.errors import Object, StatusError, bad_request
from rouse.embedded.apiserver.http import Request
from rouse.embedded.apiserver.protobuf import MEDIA_TYPE, decode_protobuf
from rouse.embedded.apiserver.routes import Target

__all__ = [
    "MAX_BODY",
    "check_metadata",
    "decode",
    "media_type",
    "parse",
    "parse_json",
    "parse_yaml",
    "typed",
    "unsupported",
]

MAX_BODY = 3 * 1024 * 1024
MAX_DEPTH = 100
MAX_VALUES = 500_000

_JSON = frozenset({"", "application/json", "*/*"})
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})


def media_type(request: Request) -> str:
    """The Content-Type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def decode(request: Request, target: Target) -> Object:
    """The object in the body, in its storage version.

    400 when it cannot be parsed or is of another kind than the path, 415 for other formats.
    """
    return typed(parse(request), target)


def parse(request: Request) -> Any:
    """The value in the body, by its Content-Type."""
    media = media_type(request)
    if media in _JSON:
        return parse_json(request.body)
    if media in _YAML:
        return parse_yaml(request.body)
    if media == MEDIA_TYPE:
        return decode_protobuf(request.body)
    raise unsupported(media, "application/json, application/yaml")


def typed(obj: Any, target: Target) -> Object:
    """Check that the parsed body is of the path's kind; fills in what may be left out."""
    if not isinstance(obj, dict):
        raise bad_request("the body of the request must be an object")
    wanted = target.resource.kind
    given = obj.get("kind") or wanted
    version = obj.get("apiVersion") or target.api_version
    if given != wanted or version != target.api_version:
        raise bad_request(
            f"the object in the body ({version}, Kind={given}) is not what the path names "
            f"({target.api_version}, Kind={wanted})"
        )
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    rest = {key: value for key, value in obj.items() if key not in _HEAD}
    obj = {"apiVersion": version, "kind": given, "metadata": metadata, **rest}
    check_metadata(metadata)
    return to_storage(obj, target.resource)


_HEAD = frozenset({"apiVersion", "kind", "metadata"})
_TEXTS = ("name", "generateName", "namespace", "resourceVersion", "uid")
_TEXT_MAPS = ("labels", "annotations")


def check_metadata(metadata: Object) -> None:
    """400 when a field of metadata the server relies on has the wrong type."""
    for field in _TEXTS:
        if not isinstance(metadata.get(field) or "", str):
            raise bad_request(f"metadata.{field} must be a string")
    for field in _TEXT_MAPS:
        pairs = metadata.get(field) or {}
        if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
            raise bad_request(f"metadata.{field} must map names to strings")
    finalizers = metadata.get("finalizers") or []
    if not isinstance(finalizers, list) or not all(isinstance(f, str) for f in finalizers):
        raise bad_request("metadata.finalizers must be a list of strings")
    owners = metadata.get("ownerReferences") or []
    if not isinstance(owners, list) or not all(isinstance(o, dict) for o in owners):
        raise bad_request("metadata.ownerReferences must be a list of objects")


def parse_json(body: bytes) -> Any:
    """Parsed JSON; 400 with the position of the mistake."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body of the request is not valid JSON: {error}") from error


def parse_yaml(body: bytes) -> Any:
    """Parsed YAML, with only what JSON can say; 400 with the position of the mistake.

    Controllers apply JSON under YAML's media type: it is tried first, at a hundredth of the time.
    """
    if body.startswith(b"{"):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(body)
    try:
        return _Plain().value(yaml.load(body, Loader=_Loader), 0)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise bad_request(f"the body of the request is not valid YAML: {told}") from error


def unsupported(media: str, accepted: str) -> StatusError:
    """415 with the list of what would be taken."""
    return StatusError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - "
        f"accepted media types include: {accepted}; got {media or 'none'}",
    )


class _Loader(yaml.CSafeLoader):
    """Safe YAML without timestamps (Kubernetes knows none) and without aliases that explode."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _Plain:
    """Turns YAML's values into JSON's; bounded, because aliases can repeat without end."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise bad_request("the body of the request is nested too deeply or expands too much")
        if isinstance(value, dict):
            return {_name(key): self.value(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise bad_request("the body of the request holds a number JSON cannot say")
        if value is None or isinstance(value, str | int | float):
            return value
        raise bad_request(f"the body of the request holds a value JSON cannot say: {value!r:.80}")


def _name(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)
