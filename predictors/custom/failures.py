"""What user code raised: an error for the client, the whole of it for the log."""

from __future__ import annotations

import logging
import traceback
from typing import Final

from predictors.serving.errors import InferenceError, RequestError

__all__ = ["failed", "reason"]

_log = logging.getLogger(__name__)

_KSERVE: Final = {
    "InvalidInput": 400,
    "ModelNotFound": 404,
    "ModelMissingError": 404,
    "ModelNotReady": 503,
    "UnsupportedProtocol": 501,
}


class _ToldError(RequestError):
    """A refusal in user code's own words."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def failed(model: str, error: Exception) -> RequestError:
    """The error to answer with; what was meant for the client keeps its status and words.

    That is a `RequestError`, one of ``kserve.errors``, or anything with a ``status_code`` below
    500 (MLServer's and FastAPI's). Of all else the client is told the class.
    """
    if isinstance(error, RequestError):
        return error
    status = _status(error)
    if status is not None:
        return _ToldError(str(getattr(error, "detail", "") or error), status)
    trace = "".join(traceback.format_exception(error))
    _log.error("model %s: its code failed\n%s", model, trace)
    return InferenceError(
        f"Model {model} failed with {type(error).__name__}; see the predictor's log."
    )


def reason(error: BaseException) -> str:
    """One line on what was raised, and where in the user's files."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {text}{where}"


def _status(error: Exception) -> int | None:
    for kind in type(error).__mro__:
        if kind.__module__ == "kserve.errors" and kind.__name__ in _KSERVE:
            return _KSERVE[kind.__name__]
    code = getattr(error, "status_code", None)
    return code if isinstance(code, int) and 400 <= code < 500 else None
