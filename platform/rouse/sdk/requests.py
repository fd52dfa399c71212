"""Prediction requests, built purely: which path, which host, which body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from rouse.errors import InvalidError, PredictionError
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS

__all__ = ["Prediction", "PredictionRequest", "prediction_request", "read_prediction"]


@dataclass(frozen=True)
class PredictionRequest:
    """A POST, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Prediction:
    """An answer: the decoded JSON body, and what its headers say of a cold start."""

    body: Any
    status: int
    headers: Mapping[str, str]

    @property
    def server_timing(self) -> dict[str, float]:
        """Phases of the Server-Timing header in milliseconds; empty when there was none."""
        phases: dict[str, float] = {}
        for entry in self.headers.get("server-timing", "").split(","):
            name, *parameters = (part.strip() for part in entry.split(";"))
            for parameter in parameters:
                key, _, value = parameter.partition("=")
                if key == "dur":
                    phases[name] = float(value)
        return phases


def prediction_request(service: Object, payload: Any, *, gateway: str | None) -> PredictionRequest:
    """Build the request for an InferenceService or InferenceGraph as the API shows it.

    ``payload`` is a whole V1 body (a mapping with ``instances`` or ``inputs`` as plain rows), a
    whole V2 body (a mapping whose ``inputs`` are named tensors), or just the instances. A graph
    takes any mapping as it is.
    Raises InvalidError when there is no URL yet.
    """
    metadata = service["metadata"]
    is_graph = service.get("kind") == INFERENCE_GRAPHS.kind
    address = service.get("status", {}).get("url")
    if not address:
        kind, short = ("InferenceGraph", "ig") if is_graph else ("InferenceService", "isvc")
        raise InvalidError(
            f"{kind} {metadata['namespace']}/{metadata['name']} has no URL yet: it is "
            f"not ready; its conditions say why (rouse get {short}, kubectl describe {short})"
        )
    body = payload if isinstance(payload, Mapping) else {"instances": payload}
    if is_graph:
        path = urlsplit(address).path or "/"
        address = address.removesuffix(path)
    else:
        path = _path(metadata["name"], body)
    return PredictionRequest(
        url=f"{gateway or address}{path}",
        headers={"host": urlsplit(address).netloc, "content-type": "application/json"},
        body=orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY),
    )


def read_prediction(status: int, headers: Mapping[str, str], body: bytes) -> Prediction:
    """The decoded answer; raises PredictionError with the server's own reason unless it is 200."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = body.decode(errors="replace")
    if status == 200:
        return Prediction(decoded, status, headers)
    reason = decoded.get("error", decoded) if isinstance(decoded, dict) else decoded
    raise PredictionError(f"the service answered {status}: {reason or 'no reason'}", status=status)


def _path(model: str, body: Mapping[str, Any]) -> str:
    return f"/v2/models/{model}/infer" if _is_v2(body) else f"/v1/models/{model}:predict"


def _is_v2(body: Mapping[str, Any]) -> bool:
    inputs = body.get("inputs")
    return (
        isinstance(inputs, list)
        and bool(inputs)
        and all(isinstance(tensor, Mapping) and "datatype" in tensor for tensor in inputs)
    )
