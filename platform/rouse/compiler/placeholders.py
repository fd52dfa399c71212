"""Go template placeholders, as far as runtimes and domain templates use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService, ModelSpec
from rouse.compiler.errors import CompileError

__all__ = ["Values", "fill", "fill_text", "values_of"]

_PLACEHOLDER = re.compile(
    r"\{\{-?\s*(?:\.(?P<path>[A-Za-z0-9_.]+)"
    r"|index\s+\.(?P<map>\w+)\s+\"(?P<key>[^\"]*)\")\s*-?\}\}"
)
_OPEN = "{{"

Values = Mapping[str, str | Mapping[str, str]]

_MODEL_CLASSES = {
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    "mlflow": "mlserver_mlflow.MLflowRuntime",
    "sklearn": "mlserver_sklearn.SKLearnModel",
    "xgboost": "mlserver_xgboost.XGBoostModel",
}
_ENVELOPES = {"v1": "kserve"}


def values_of(isvc: InferenceService, model: ModelSpec) -> Values:
    """Return what runtimes' placeholders stand for.

    Two labels that KServe writes onto the InferenceService are there without being written:
    ``modelClass`` (MLServer's implementation for the format) and ``serviceEnvelope`` (TorchServe's
    word for the protocol). Labels that the user gave win.
    """
    labels = {
        "modelClass": _MODEL_CLASSES.get(model.model_format.name, ""),
        "serviceEnvelope": _ENVELOPES.get(model.protocol_version or "v1", "kservev2"),
    }
    return {
        "Name": isvc.name,
        "Namespace": isvc.namespace,
        "Labels": {**labels, **isvc.labels},
        "Annotations": isvc.annotations,
    }


def fill(value: Any, values: Values, where: str) -> Any:
    """Return ``value`` with the placeholders of every text in it filled.

    ``values`` holds ``Name`` and such, and maps such as ``Labels``. A key that a map lacks
    becomes an empty text, as in Go. Raises CompileError for a placeholder that means nothing;
    ``where`` says whose it is.
    """
    if isinstance(value, str):
        return fill_text(value, values, where) if _OPEN in value else value
    if isinstance(value, list):
        return [fill(each, values, where) for each in value]
    if isinstance(value, dict):
        return {key: fill(each, values, where) for key, each in value.items()}
    return value


def fill_text(text: str, values: Values, where: str) -> str:
    """Return the text with its placeholders filled; see `fill`."""

    def replaced(match: re.Match[str]) -> str:
        name, _, key = (match["path"] or match["map"]).partition(".")
        found = values.get(name)
        key = match["key"] if match["map"] else key
        if isinstance(found, str) and not key:
            return found
        if isinstance(found, Mapping) and key:
            return found.get(key, "")
        raise _unknown(match[0], values, where)

    filled = _PLACEHOLDER.sub(replaced, text)
    if _OPEN in filled:
        raise _unknown(filled[filled.index(_OPEN) :][:40], values, where)
    return filled


def _unknown(placeholder: str, values: Values, where: str) -> CompileError:
    known = ", ".join(
        f"{{{{.{name}}}}}" if isinstance(value, str) else f"{{{{.{name}.<key>}}}}"
        for name, value in values.items()
    )
    return CompileError(
        Reason.INVALID_SPEC, f"{where} has the unknown placeholder {placeholder}; known: {known}"
    )
