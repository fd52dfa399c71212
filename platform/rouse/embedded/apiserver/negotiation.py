"""Which form of answer a client's Accept header asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rouse.embedded.apiserver.errors import StatusError

__all__ = ["Output", "Shape", "output"]

Shape = Literal["object", "table", "metadata", "metadata-list"]

_SHAPES: dict[str, Shape] = {
    "": "object",
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata-list",
}


@dataclass(frozen=True, slots=True)
class Output:
    """The form of the answer; ``version`` is meta.k8s.io's, for tables and metadata."""

    shape: Shape = "object"
    version: str = "v1"
    yaml: bool = False


@lru_cache(maxsize=256)
def output(accept: str) -> Output:
    """The first form listed that this server has; 406 when there is none.

    Protobuf is never sent: clients list JSON after it.
    """
    if not accept:
        return Output()
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if media not in {"application/json", "*/*", "application/*", "application/yaml"}:
            continue
        named = dict(each.split("=", 1) for each in parameters if "=" in each)
        shape = _SHAPES.get(named.get("as", ""))
        if shape is None or named.get("g", "meta.k8s.io") != "meta.k8s.io":
            continue
        return Output(shape, named.get("v", "v1"), media == "application/yaml")
    raise StatusError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml, "
        "application/json;as=Table, application/json;as=PartialObjectMetadata",
    )
