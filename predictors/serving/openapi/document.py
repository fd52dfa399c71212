"""OpenAPI 3.1 documents of one model or of a whole server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from predictors.serving.model import Model
from predictors.serving.openapi import schemas
from predictors.serving.openapi.examples import v1_example, v2_example
from predictors.serving.routes import Described
from predictors.serving.tensors import TensorSpec

__all__ = ["document"]

Json = dict[str, Any]


def document(
    models: Iterable[Model],
    *,
    server: bool = True,
    described: Callable[[Model], Iterable[Described]] = lambda model: (),
) -> Json:
    """The document of `models`; with the paths of the server itself unless `server` is false.

    `described` are further endpoints of a model; those of one path are one with several examples.
    """
    known = list(models)
    paths: Json = _server_paths() if server else {}
    for model in known:
        paths |= _model_paths(model)
        for each in described(model):
            operations = paths.setdefault(each.path, _operations(each))
            if each.request is not None:
                content = operations["post"]["requestBody"]["content"]["application/json"]
                content["examples"][model.name] = {"value": each.example}
    title = known[0].name if len(known) == 1 else "Models"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": known[0].version if len(known) == 1 else "1",
            "description": "V1 and Open Inference Protocol (V2), from the models' signatures.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": schemas.ERROR}},
    }


def _model_paths(model: Model) -> Json:
    name = model.name
    v1, v2 = f"/v1/models/{quote(name)}", f"/v2/models/{quote(name)}"
    metadata = {"type": "object", "required": ["name", "versions", "platform"]}
    ready = {"type": "object", "required": ["name", "ready"]}
    return {
        f"{v1}:predict": {
            "post": _inference(
                f"predict-{name}",
                f"Predict with {name} (V1)",
                _told(model),
                schemas.v1_request(model),
                schemas.v1_response(),
                v1_example(model),
            )
        },
        f"{v2}/infer": {
            "post": _inference(
                f"infer-{name}",
                f"Infer with {name} (V2)",
                _told(model),
                schemas.v2_request(model),
                schemas.v2_response(model),
                v2_example(model),
            )
        },
        v1: _get(f"status-{name}", f"Whether {name} is ready (V1)", ready),
        v2: _get(f"metadata-{name}", f"Signature of {name}", metadata),
        f"{v2}/ready": _get(f"ready-{name}", f"Whether {name} is ready (V2)", ready),
    }


def _told(model: Model) -> str:
    """The signature in words, for readers of the document."""
    lines = [f"{kind} {_line(spec)}" for kind, specs in _sides(model) for spec in specs]
    return "\n".join(f"- {line}" for line in lines)


def _sides(model: Model) -> tuple[tuple[str, tuple[TensorSpec, ...]], ...]:
    return ("input", model.inputs), ("output", model.outputs)


def _line(spec: TensorSpec) -> str:
    parameters = spec.parameters or {}
    line = f"`{spec.name}`: {spec.datatype} {list(spec.shape)}"
    if parameters.get("feature_names"):
        line += f", columns {', '.join(map(str, parameters['feature_names']))}"
    if parameters.get("description"):
        line += f", {parameters['description']}"
    return line


def _inference(
    operation: str, summary: str, description: str, request: Json, response: Json, example: Json
) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": request,
                    "examples": {"one row": {"value": example}},
                }
            },
        },
        "responses": {
            "200": {
                "description": "The model's answer",
                "content": {
                    "application/json": {"schema": response},
                    "application/octet-stream": {"schema": {}},
                },
            },
            "4XX": _error("The request does not fit"),
            "5XX": _error("The model failed, is not ready, or the server is overloaded"),
        },
    }


def _operations(each: Described) -> Json:
    """An endpoint without examples yet."""
    error = {"$ref": "#/components/schemas/Error"} if each.error is None else each.error

    def refused(description: str) -> Json:
        return {"description": description, "content": {"application/json": {"schema": error}}}

    content: Json = {"application/json": {"schema": each.response}}
    told: Json = {"operationId": each.path.strip("/").replace("/", "-"), "summary": each.summary}
    if each.request is not None:
        content["text/event-stream"] = {"schema": {"type": "string"}}
        body = {"application/json": {"schema": each.request, "examples": {}}}
        told["requestBody"] = {"required": True, "content": body}
    told["responses"] = {
        "200": {"description": "The answer", "content": content},
        "4XX": refused("The request does not fit"),
        "5XX": refused("The model failed, is not ready, or the server is overloaded"),
    }
    return {"get" if each.request is None else "post": told}


def _get(operation: str, summary: str, schema: Json) -> Json:
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "responses": _answers(schema),
        }
    }


def _answers(schema: Json) -> Json:
    return {
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
        "4XX": _error("No such path or model"),
        "5XX": _error("Not ready, or not able to"),
    }


def _error(description: str) -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": description, "content": content}


def _server_paths() -> Json:
    anything = {"type": "object"}
    index = {"type": "array", "items": {"type": "object", "required": ["name", "state"]}}
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    paths = {
        "/v2": _get("server", "The server's name, version and extensions", anything),
        "/v2/health/live": _get("live", "Whether the process answers", anything),
        "/v2/health/ready": _get("ready", "Whether every model is ready", anything),
        "/v1/models": _get("models-v1", "Names of the models (V1)", anything),
        "/v2/models": _get("models-v2", "Names of the models (V2)", anything),
    }
    paths["/v2/repository/index"] = {
        "post": {
            "operationId": "repository-index",
            "summary": "Models and versions, and their states",
            "requestBody": _optional({"ready": {"type": "boolean"}}),
            "responses": _answers(index),
        }
    }
    for verb in ("load", "unload"):
        paths[f"/v2/repository/models/{{model}}/{verb}"] = {
            "post": {
                "operationId": f"repository-{verb}",
                "summary": f"{verb.capitalize()} a model of the repository",
                "parameters": [name],
                "requestBody": _optional({"parameters": anything}),
                "responses": _answers({}),
            }
        }
    return paths


def _optional(properties: Json) -> Json:
    schema = {"type": "object", "properties": properties}
    return {"required": False, "content": {"application/json": {"schema": schema}}}
