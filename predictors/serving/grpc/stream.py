"""ModelStreamInfer, for Triton's clients and for MLServer's.

Both call the same method with the same requests and expect different responses: Triton's a
ModelStreamInferResponse, {error_message = 1, infer_response = 2}, MLServer's a ModelInferResponse,
{model_name = 1, model_version = 2, ...}. No message is both: the fields 1 and 2 differ in meaning,
and a response inside field 2 would have to be UTF-8 to pass as a version. So the form is chosen by
the request:

- the call's metadata ``stream-response: triton | mlserver`` says it outright;
- otherwise raw contents mean Triton's form: all its clients send them, in streams always;
- otherwise, with typed contents, MLServer's.

In Triton's form an error is a response and the stream goes on; in MLServer's it is the call's
status and ends it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Final

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InvalidInputError, RequestError
from predictors.serving.grpc.decoding import decode, parsed
from predictors.serving.grpc.encoding import encode
from predictors.serving.grpc.framing import framed
from predictors.serving.grpc.messages import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from predictors.serving.grpc.service import (
    GRPC,
    Context,
    deadline_of,
    headers_of,
    observed,
    refuse,
)
from predictors.serving.inference import InferenceResponse
from predictors.serving.observation import Call

__all__ = ["Streams"]

_log = logging.getLogger(__name__)

_FORM: Final = "stream-response"
_FORMS: Final = ("triton", "mlserver")
_FINAL: Final = "triton_final_response"
_EMPTY_FINAL: Final = "triton_enable_empty_final_response"


class Streams:
    """Answers streams of requests, in the order they come; a request may have several answers."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def model_stream_infer(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """The answers of a stream. grpcio reads on only when it is asked: nothing piles up."""
        headers = headers_of(context)
        form = headers.get(_FORM)
        if form is not None and form not in _FORMS:
            wrong = InvalidInputError(f"{_FORM} must be one of {', '.join(_FORMS)}, got {form!r}.")
            await refuse(context, wrong)
        triton = form == "triton"
        async for data in requests:
            message = ModelInferRequest()
            try:
                message = parsed(data)
                if form is None:
                    triton = bool(message.raw_input_contents)
                answers = self._answers(message, headers, deadline_of(context))
                async for answer in _tritons(message, answers) if triton else answers:
                    yield answer.SerializeToString()
            except RequestError as error:
                failure = error
            except Exception:
                _log.exception("unforeseen error on ModelStreamInfer")
                failure = RequestError("Internal server error.")
            else:
                continue
            if not triton:
                await refuse(context, failure)
            refused = ModelStreamInferResponse(error_message=str(failure))
            refused.infer_response.id = message.id
            yield refused.SerializeToString()

    async def _answers(
        self, message: ModelInferRequest, headers: dict[str, str], deadline: float | None
    ) -> AsyncIterator[ModelInferResponse]:
        answers = self._asked(message, headers, deadline)
        call = None
        if self._plane.observers is not None:
            data = message.SerializeToString()
            call = observed(self._plane.observers, message, headers, data, "stream")
        if call is None:
            async for answer in answers:
                yield answer
            return
        try:
            async for answer in self._watched(call, answers):
                yield answer
        except RequestError as error:
            call.refused(error.status, str(error))
            raise
        finally:
            call.end()

    async def _asked(
        self, message: ModelInferRequest, headers: dict[str, str], deadline: float | None
    ) -> AsyncIterator[ModelInferResponse]:
        request = decode(message, headers, deadline)
        started = perf_counter()
        parts = self._plane.stream(message.model_name, message.model_version or None, request)
        raw = bool(message.raw_input_contents)
        version = message.model_version
        async for response in parts:
            version = response.model_version
            yield encode(response, raw=raw)
        metrics = self._plane.metrics.model(message.model_name).version(version)
        metrics.succeeded(InferenceResponse((), predict=perf_counter() - started))

    async def _watched(
        self, call: Call, answers: AsyncIterator[ModelInferResponse]
    ) -> AsyncIterator[ModelInferResponse]:
        """The answers, kept for the observers. The stream's calls follow each other in its task."""
        call.enter()
        parts: list[bytes] = []
        async for answer in answers:
            parts.append(answer.SerializeToString())
            yield answer
        call.answered(framed(parts), GRPC)


async def _tritons(
    message: ModelInferRequest, answers: AsyncIterator[ModelInferResponse]
) -> AsyncIterator[ModelStreamInferResponse]:
    """Answers in Triton's form, which marks the last of a request's when asked to."""
    marked = _EMPTY_FINAL in message.parameters and message.parameters[_EMPTY_FINAL].bool_param
    async for answer in answers:
        if marked:
            answer.parameters[_FINAL].bool_param = False
        yield ModelStreamInferResponse(infer_response=answer)
    if marked:
        final = ModelInferResponse(
            model_name=message.model_name, model_version=message.model_version, id=message.id
        )
        final.parameters[_FINAL].bool_param = True
        yield ModelStreamInferResponse(infer_response=final)
