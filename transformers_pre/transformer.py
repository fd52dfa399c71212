"""The class that users write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

__all__ = ["Transformer"]


class Transformer:
    """What happens to a request before the predictor, and to its answer afterwards.

    Both steps may be ``async def``; a plain one runs in a thread, so that it may compute or block.
    They see what the client sent: over V1 the body as a dict (``{"instances": ...}``), over V2 and
    gRPC an `InferenceRequest`. The answer is a dict from a predictor that is asked over V1, and
    an `InferenceResponse` from one over V2. Either form may be returned, whatever the client and
    the predictor speak.

    Raise `InvalidInputError` for a request that cannot be used: the client gets a 400 with its
    message. Any other exception is a 500, and the log has the whole of it.
    """

    forwarded: ClassVar[tuple[str, ...]] = ()
    """Further request headers, in lower case, that the predictor gets (e.g. ``authorization``)."""

    def __init__(
        self, name: str, folder: Path = Path(), options: Mapping[str, str] | None = None
    ) -> None:
        """``name`` is the model's, ``folder`` has what STORAGE_URI named (else the working
        folder), ``options`` are those of ``--option KEY=VALUE``."""
        self.name = name
        self.folder = folder
        self.options = dict(options or {})

    def load(self) -> None:
        """Read what the steps need; called once, in a thread, before the first request."""

    def preprocess(self, payload: Any, headers: Mapping[str, str]) -> Any:
        """Return what the predictor is asked; ``headers`` have lower-case names."""
        return payload

    def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
        """Return what the client is answered."""
        return response
