"""Answers in the form a client asked for: the object itself, a table, or its metadata only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import orjson
import yaml

from rouse.embedded.apiserver.conversion import converted, encoded
from rouse.embedded.apiserver.errors import Object, StatusError
from rouse.embedded.apiserver.http import JSON, Request, Response
from rouse.embedded.apiserver.negotiation import Output
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.table import make_table

__all__ = ["IncludeObject", "error", "include_of", "one", "page", "watched"]

IncludeObject = Literal["Metadata", "Object", "None"]


def one(
    state: State, target: Target, request: Request, output: Output, record: Record, status: int
) -> Response:
    """A single object."""
    if output.shape == "table":
        body = _table(state, target, output, [record], include_of(request), str(record.revision))
        return _respond(orjson.dumps(body), output, status)
    if output.shape in ("metadata", "metadata-list"):
        return _respond(orjson.dumps(_metadata(record, output)), output, status)
    return _respond(encoded(record, target.api_version), output, status)


def page(
    state: State,
    target: Target,
    request: Request,
    output: Output,
    records: Sequence[Record],
    metadata: Object,
) -> Response:
    """A list; ``metadata`` is the ListMeta."""
    if output.shape == "table":
        revision = metadata["resourceVersion"]
        body = _table(state, target, output, records, include_of(request), revision)
        body["metadata"] = metadata
        return _respond(orjson.dumps(body), output, 200)
    if output.shape in ("metadata", "metadata-list"):
        kind, api_version = "PartialObjectMetadataList", f"meta.k8s.io/{output.version}"
        items = [orjson.dumps(_metadata(record, output)) for record in records]
    else:
        kind, api_version = target.resource.list_kind_name, target.api_version
        items = [encoded(record, api_version) for record in records]
    head = orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return _respond(head[:-1] + b',"items":[' + b",".join(items) + b"]}", output, 200)


def watched(
    state: State, target: Target, output: Output, record: Record, include: IncludeObject
) -> bytes:
    """The object of one watch event, as JSON."""
    if output.shape == "table":
        body = _table(state, target, output, [record], include, str(record.revision))
        return orjson.dumps(body)
    if output.shape in ("metadata", "metadata-list"):
        return orjson.dumps(_metadata(record, output))
    return encoded(record, target.api_version)


def include_of(request: Request) -> IncludeObject:
    """The includeObject parameter of table requests."""
    asked = request.query.get("includeObject", "Metadata")
    if asked == "Object":
        return "Object"
    return "None" if asked == "None" else "Metadata"


def _table(
    state: State,
    target: Target,
    output: Output,
    records: Sequence[Record],
    include: IncludeObject,
    revision: str,
) -> Object:
    now: datetime = state.clock()
    objects = [converted(record.object(), target.api_version) for record in records]
    printer = state.registry.printer(target.resource, target.version)
    table: Object = make_table(
        objects, printer.columns, now=now, include_object=include, row_maker=printer.row
    )
    table["apiVersion"] = f"meta.k8s.io/{output.version}"
    table["metadata"] = {"resourceVersion": revision}
    return table


def _metadata(record: Record, output: Output) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{output.version}",
        "metadata": record.object()["metadata"],
    }


def _respond(body: bytes, output: Output, status: int) -> Response:
    if not output.yaml:
        return Response(status, body, JSON)
    text: str = yaml.dump(orjson.loads(body), Dumper=yaml.CSafeDumper, sort_keys=False)
    return Response(status, text.encode(), "application/yaml")


def error(refusal: StatusError) -> Response:
    """A refusal as the client gets it."""
    return Response(refusal.status, orjson.dumps(refusal.body()))
