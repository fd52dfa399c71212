"""A session of ONNX Runtime on the best device there is."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Final

import onnxruntime

from predictors.serving.errors import ModelLoadError

__all__ = ["open_session"]

_log = logging.getLogger(__name__)

_PREFERRED: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")
_FATAL: Final = 4


def open_session(file: Path, *, threads: int) -> Any:
    """A session of the model in `file`. Raises `ModelLoadError`.

    ``ROUSE_ONNX_PROVIDERS`` lists providers instead of CUDA, then the processor.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A pool that spins between requests takes the core from the server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _FATAL
    wanted = _wanted()
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=wanted)
    except Exception as error:  # its errors have no class of their own in common
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelLoadError(
            f"{file} cannot be loaded by ONNX Runtime {onnxruntime.__version__}: {reason}"
        ) from error
    used = session.get_providers()
    if used[0] != wanted[0]:
        _log.warning("%s could not be used; the model runs on %s", wanted[0], used[0])
    return session


def _wanted() -> list[str]:
    available = onnxruntime.get_available_providers()
    listed = [p for p in os.environ.get("ROUSE_ONNX_PROVIDERS", "").split(",") if p]
    missing = [name for name in listed if name not in available]
    if missing:
        raise ModelLoadError(
            f"ROUSE_ONNX_PROVIDERS names {', '.join(missing)}; this build of ONNX Runtime has "
            f"{', '.join(available)}."
        )
    return listed or [name for name in _PREFERRED if name in available]
