"""Asking the predictor V1 or V2, over HTTP connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from predictors.serving.errors import DeadlineError, OverloadedError
from predictors.serving.inference import InferenceResponse
from predictors.serving.passing import lineage_of
from transformers_pre.errors import PredictorError, UnreachableError
from transformers_pre.lineage import tagged
from transformers_pre.predictor import PredictorSettings, passed_on
from transformers_pre.wire import Wire, from_wire, to_wire

__all__ = ["HttpPredictor"]

_PAUSE_S: Final = 0.05
_CONNECT_S: Final = 10.0
_KEEP_S: Final = 30.0
_MESSAGE: Final = 500
_PATHS: Final[Mapping[tuple[Wire, bool], str]] = {
    ("v1", False): "/v1/models/{}:predict",
    ("v1", True): "/v1/models/{}:explain",
    ("v2", False): "/v2/models/{}/infer",
    ("v2", True): "/v2/models/{}/explain",
}


class HttpPredictor:
    """One predictor that is asked V1 or V2. All methods run in one event loop."""

    def __init__(
        self,
        settings: PredictorSettings,
        forwarded: Sequence[str] = (),
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._wire: Wire = "v1" if settings.protocol == "v1" else "v2"
        self._forwarded = tuple(forwarded)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    def encode(self, payload: object) -> bytes:
        """The body that `ask` sends for what `preprocess` returned.

        Raises `InvalidInputError` for ragged rows, `TypeError` for what is no payload.
        """
        return to_wire(payload, self._wire)

    async def ask(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        deadline: float | None = None,
        explain: bool = False,
    ) -> dict[str, Any] | InferenceResponse:
        """Post a body and return the answer: over V1 its JSON object, over V2 its tensors.

        ``headers`` are the client's; ``deadline`` is the event loop's time. A request that entered
        by a side of a canary asks that side's predictor, and where that side is gone the one that
        is there. Raises `PredictorError`, `UnreachableError`, `DeadlineError`, `OverloadedError`.
        """
        host = self._settings.host
        side = tagged(host, lineage_of(headers))
        told = {"content-type": "application/json", **dict(passed_on(headers, self._forwarded))}
        until = asyncio.get_running_loop().time() + self._settings.timeout_s
        try:
            async with asyncio.timeout_at(until if deadline is None else min(until, deadline)):
                answer = await self._post(
                    side, body, told, explain=explain, may_be_gone=side != host
                )
                if answer is None:
                    answer = await self._post(host, body, told, explain=explain)
        except (TimeoutError, httpx.TimeoutException):
            raise DeadlineError(f"The predictor {host} did not answer in time.") from None
        if answer is None:
            raise UnreachableError(f"The predictor {host} does not exist.")
        return from_wire(_object(answer, host), self._wire)

    async def stream(
        self, body: bytes, headers: Mapping[str, str], *, deadline: float | None = None
    ) -> AsyncGenerator[dict[str, Any] | InferenceResponse, None]:
        """The whole answer as its only part."""
        yield await self.ask(body, headers, deadline=deadline)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(
        self,
        host: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        explain: bool,
        may_be_gone: bool = False,
    ) -> httpx.Response | None:
        """The answer of a host; None from one that ``may_be_gone`` and is."""
        settings = self._settings
        path = _PATHS[self._wire, explain].format(settings.model_name)
        url = f"{'https' if settings.tls else 'http'}://{host}{path}"
        attempt = 0
        while True:
            try:
                answer = await self._connected().post(url, content=body, headers=headers)
            except httpx.ConnectError as error:
                if may_be_gone:
                    return None
                if attempt >= settings.retries:
                    raise UnreachableError(
                        f"The predictor {host} cannot be reached: {error}."
                    ) from error
            except httpx.PoolTimeout:
                raise OverloadedError(
                    f"{settings.connections} requests wait for the predictor {host} already."
                ) from None
            except httpx.TimeoutException:
                raise
            except httpx.HTTPError as error:
                raise UnreachableError(
                    f"The predictor {host} broke off: {error or type(error).__name__}."
                ) from error
            else:
                return None if may_be_gone and _is_no_server(answer) else answer
            await asyncio.sleep(_PAUSE_S * 2**attempt)
            attempt += 1

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            settings = self._settings
            limits = httpx.Limits(
                max_connections=settings.connections,
                max_keepalive_connections=settings.connections,
                keepalive_expiry=_KEEP_S,
            )
            timeout = httpx.Timeout(settings.timeout_s, connect=_CONNECT_S)
            self._client = httpx.AsyncClient(
                limits=limits, timeout=timeout, transport=self._transport
            )
        return self._client


def _is_no_server(answer: httpx.Response) -> bool:
    """Whether a gateway says that there is no such host: a model server's 404 is JSON."""
    return answer.status_code == httpx.codes.NOT_FOUND and not answer.content.startswith(b"{")


def _object(answer: httpx.Response, host: str) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    if answer.is_success:
        raise UnreachableError(f"The predictor {host} answered with something else than JSON.")
    said = body.get("error") or body.get("detail") if isinstance(body, dict) else None
    text = str(said or answer.text.strip() or answer.reason_phrase)[:_MESSAGE]
    raise PredictorError(
        f"The predictor {host} answered {answer.status_code}: {text}",
        answer.status_code,
        answer.headers.get("retry-after"),
    )
