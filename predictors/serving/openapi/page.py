"""A page for people: a model's signature, requests to copy, and a form to try it.

One self-contained HTML document: no script, style or font from elsewhere. Everything that comes
from a model or a request is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

import orjson

from predictors.serving.model import Model
from predictors.serving.openapi.examples import v1_example, v2_example
from predictors.serving.repository.states import IndexEntry, State
from predictors.serving.routes import Described
from predictors.serving.tensors import TensorSpec

__all__ = ["contents", "page"]

_FIELD: Final = re.compile(r"\{\{(\w+)\}\}")


def page(model: Model, base: str = "", described: Iterable[Described] = ()) -> str:
    """The HTML of ``/v2/models/M/docs``; `base` is the server's URL in the examples.

    Without `base` the page fills in the address it was read from. `described` are further
    endpoints of the model.
    """
    template = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    name = quote(model.name)
    fields = {
        "name": escape(model.name),
        "version": escape(model.version),
        "platform": escape(model.platform or "custom"),
        "metadata": f"/v2/models/{name}",
        "openapi": f"/v2/models/{name}/openapi.json",
        "inputs": _table(model.inputs),
        "outputs": _table(model.outputs),
        "v1": _example("v1", "V1", f"{base}/v1/models/{name}:predict", v1_example(model)),
        "v2": _example(
            "v2",
            "Open Inference Protocol (V2)",
            f"{base}/v2/models/{name}/infer",
            v2_example(model),
        ),
        "more": "".join(
            _example(f"more-{index}", each.summary, base + each.path, dict(each.example))
            for index, each in enumerate(described)
            if each.request is not None
        ),
    }
    # In one pass: what a model is called may look like a field of the template.
    return _FIELD.sub(lambda match: fields[match[1]], template)


def contents(entries: Iterable[IndexEntry]) -> str:
    """The HTML of ``/docs`` where there is not one model: a link to the page of each."""
    lines = "".join(f"<li>{_entry(entry)}" for entry in entries)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        "<meta name=color-scheme content='light dark'><link rel=icon href='data:,'>"
        "<title>Models</title><style>body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; "
        "font: 16px/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }</style><h1>Models</h1>"
        f"<ul>{lines}</ul><p>{'' if lines else 'There is none. '}"
        "<a href='/openapi.json'>OpenAPI document</a>"
    )


def _entry(entry: IndexEntry) -> str:
    name = escape(f"{entry.name} {entry.version}".strip())
    if entry.state != State.READY:
        return escape(f"{entry.name} {entry.version}: {entry.state} {entry.reason}".strip())
    path = f"/v2/models/{quote(entry.name, safe='')}/versions/{quote(entry.version, safe='')}/docs"
    return f"<a href='{path}'>{name}</a>"


def _table(specs: tuple[TensorSpec, ...]) -> str:
    if not specs:
        return "<p class=quiet>The model's files do not say; any tensor is handed to it.</p>"
    rows = "".join(_line(spec) for spec in specs)
    return (
        "<table><thead><tr><th>Name<th>Datatype<th>Shape<th>Notes</thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _line(spec: TensorSpec) -> str:
    shape = " × ".join("any" if size < 0 else str(size) for size in spec.shape)
    return (
        f"<tr><td><code>{escape(spec.name)}</code><td>{escape(spec.datatype)}"
        f"<td>{escape(shape)}<td>{_notes(spec)}"
    )


def _notes(spec: TensorSpec) -> str:
    parameters = spec.parameters or {}
    told = []
    if parameters.get("description"):
        told.append(escape(str(parameters["description"])))
    for key, words in (("feature_names", "columns"), ("categories", "values")):
        if parameters.get(key):
            shown = [escape(str(value)) for value in list(parameters[key])[:40]]
            more = ", …" if len(parameters[key]) > 40 else ""
            told.append(f"{words}: {', '.join(shown)}{more}")
    return "<br>".join(told)


def _example(key: str, title: str, url: str, body: dict[str, Any]) -> str:
    text = orjson.dumps(body, default=str).decode()
    quoted = text.replace("'", "'\\''")
    curl = f"curl {{origin}}{url} \\\n  -H 'Content-Type: application/json' \\\n  -d '{quoted}'"
    return (
        f"<section class=card><h2>{escape(title)}</h2>"
        f"<div class=copy><pre id={key}-curl>{escape(curl)}</pre>"
        f"<button type=button data-copy={key}-curl>Copy</button></div>"
        f'<form data-url="{escape(url)}"><label for={key}-body>Request body</label>'
        f"<textarea id={key}-body rows=6 spellcheck=false>{escape(text)}</textarea>"
        "<button type=submit>Send</button> <output class=status></output>"
        "<pre class=answer hidden></pre></form></section>"
    )
