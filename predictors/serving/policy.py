"""Which models may run code while they are loaded: pickles do, ONNX, skops and XGBoost JSON do not.

``ROUSE_UNSAFE_FORMATS`` is ``allow`` (the default, as KServe's users expect), ``trusted`` (only
from the sources that ``ROUSE_TRUSTED_SOURCES`` lists, a comma list of URI or path prefixes) or
``deny``. Safe formats are never asked about.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from predictors.serving.errors import ModelLoadError

__all__ = ["Mode", "Policy"]

_log = logging.getLogger(__name__)

_ADVICE: Final = "Save the model in a format that cannot (skops, ONNX, XGBoost JSON, LightGBM text)"


class Mode(StrEnum):
    """What is done about a format that can run code."""

    ALLOW = "allow"
    TRUSTED = "trusted"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Policy:
    """The decision for the models of one server.

    `trusted` are prefixes of sources, whole path segments each. `origin` is where the server's
    model came from; None stands for the path it is read from.
    """

    mode: Mode = Mode.ALLOW
    trusted: tuple[str, ...] = ()
    origin: str | None = None

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """Read it from the environment. Raises `ModelLoadError` for an unknown mode."""
        text = env.get("ROUSE_UNSAFE_FORMATS", "").strip().lower() or Mode.ALLOW
        try:
            mode = Mode(text)
        except ValueError:
            raise ModelLoadError(
                f"ROUSE_UNSAFE_FORMATS is {text!r}; it must be one of {', '.join(Mode)}."
            ) from None
        listed = env.get("ROUSE_TRUSTED_SOURCES", "").split(",")
        trusted = tuple(prefix.strip() for prefix in listed if prefix.strip())
        return cls(mode, trusted, env.get("STORAGE_URI") or None)

    def check(self, kind: str, path: str, model: str) -> None:
        """Let `model` be loaded from `path`, a file of the unsafe format `kind`, or refuse it.

        Call it once per model: in mode allow it warns. Raises `ModelLoadError`.
        """
        source = self.origin or path
        if self.trusts(source):
            return
        if self.mode is Mode.ALLOW:
            _log.warning(
                "model %s: %s can run any code while it is loaded; serve only what you trust. "
                "%s, or set ROUSE_UNSAFE_FORMATS=trusted and ROUSE_TRUSTED_SOURCES.",
                model,
                kind,
                _ADVICE,
            )
            return
        reason = (
            f"{source} is not below any of ROUSE_TRUSTED_SOURCES"
            if self.mode is Mode.TRUSTED
            else "such formats are denied here"
        )
        raise ModelLoadError(
            f"{kind} can run any code while it is loaded, and {reason} "
            f"(ROUSE_UNSAFE_FORMATS={self.mode}). {_ADVICE}, or have its source trusted."
        )

    def trusts(self, source: str) -> bool:
        """Whether `source` lies below a trusted prefix; one with ``..`` in it never does."""
        if self.mode is Mode.DENY or ".." in source.split("/"):
            return False
        return any(
            source == prefix or source.startswith(prefix.rstrip("/") + "/")
            for prefix in self.trusted
        )
