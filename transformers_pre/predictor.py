"""What a predictor is to a transformer, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from predictors.serving.inference import InferenceResponse
from predictors.serving.passing import LINEAGE_HEADER, PASSED_ON, lineage_of
from predictors.serving.tracing import trace_headers

__all__ = ["Predictor", "PredictorProtocol", "PredictorSettings", "passed_on", "predictor_of"]

PredictorProtocol = Literal["v1", "v2", "grpc-v2"]


@dataclass(frozen=True)
class PredictorSettings:
    """Where the predictor is and how patiently it is asked; times are in seconds.

    ``host`` may have a port. ``retries`` are for connections that were refused, before any byte of
    a request was sent; ``connections`` are open at a time (over gRPC: calls), and further requests
    wait for one.
    """

    host: str
    model_name: str
    protocol: PredictorProtocol = "v1"
    tls: bool = False
    timeout_s: float = 600.0
    retries: int = 3
    connections: int = 256


class Predictor(Protocol):
    """One predictor. Its coroutines run in one event loop."""

    def encode(self, payload: object) -> bytes:
        """The message for what `preprocess` returned.

        Raises `InvalidInputError` for what cannot be sent, `TypeError` for what is no payload.
        """

    async def ask(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        deadline: float | None = None,
        explain: bool = False,
    ) -> dict[str, Any] | InferenceResponse:
        """Send a message and return the answer: over V1 an object, else tensors.

        ``headers`` are the client's; ``deadline`` is the event loop's time. A request that entered
        by a side of a canary asks that side's predictor, and where that side is gone the one that
        is there. Raises `PredictorError`, `UnreachableError`, `DeadlineError`, `OverloadedError`,
        `UnsupportedError`.
        """

    def stream(
        self, body: bytes, headers: Mapping[str, str], *, deadline: float | None = None
    ) -> AsyncGenerator[dict[str, Any] | InferenceResponse, None]:
        """Send a message and return the parts of the answer as they come; raises as `ask`."""

    async def close(self) -> None:
        """Close the connections."""


def predictor_of(settings: PredictorSettings, forwarded: Sequence[str] = ()) -> Predictor:
    """The predictor of these settings, not yet connected; ``forwarded`` are further headers.

    Imports the client of its protocol and of no other.
    """
    if settings.protocol == "grpc-v2":
        from transformers_pre.grpc_predictor import GrpcPredictor

        return GrpcPredictor(settings, forwarded)
    from transformers_pre.http_predictor import HttpPredictor

    return HttpPredictor(settings, forwarded)


def passed_on(headers: Mapping[str, str], forwarded: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the predictor is told of the client's headers: trace, request id, side of a canary."""
    for name in (*PASSED_ON, *forwarded):
        if name in headers:
            yield name, headers[name]
    # Where this process makes spans, what it asks for belongs to them and not to the client's.
    yield from trace_headers().items()
    lineage = lineage_of(headers)
    if lineage is not None:
        yield LINEAGE_HEADER, lineage
