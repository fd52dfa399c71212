"""How a model is run, as the environment says: each option is off unless it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from predictors.pytorch.types import dtype_named, is_half
from predictors.serving.errors import ModelLoadError

__all__ = ["Options"]

_YES: Final = frozenset({"1", "true", "on", "yes"})
_NO: Final = frozenset({"", "0", "false", "off", "no"})


@dataclass(frozen=True)
class Options:
    """`autocast` is the dtype to compute in where that is safe, `dtype` that of the weights.

    `cache` is the node's folder for what the compiler made.
    """

    autocast: torch.dtype | None = None
    dtype: torch.dtype | None = None
    channels_last: bool = False
    compile: bool = False
    cache: str | None = None

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Options:
        """Read ``ROUSE_TORCH_...``. Raises `ModelLoadError` naming the variable."""
        autocast = _dtype(env, "ROUSE_TORCH_AUTOCAST")
        if autocast is not None and not is_half(autocast):
            raise ModelLoadError("ROUSE_TORCH_AUTOCAST must be bf16, fp16 or off.")
        return cls(
            autocast=autocast,
            dtype=_dtype(env, "ROUSE_TORCH_DTYPE"),
            channels_last=_flag(env, "ROUSE_TORCH_CHANNELS_LAST"),
            compile=_flag(env, "ROUSE_TORCH_COMPILE"),
            cache=_cache(env),
        )


def _cache(env: Mapping[str, str]) -> str | None:
    """torch's own variable first; it is read here because torch writes to it when imported."""
    named = env.get("TORCHINDUCTOR_CACHE_DIR") or env.get("ROUSE_TORCH_COMPILE_CACHE")
    # What an agent keeps is mounted read-only.
    models = None if env.get("ROUSE_MODEL_CACHE_KEPT") else env.get("ROUSE_MODEL_CACHE")
    return named or (str(Path(models) / "inductor") if models else None)


def _dtype(env: Mapping[str, str], name: str) -> torch.dtype | None:
    text = env.get(name, "").strip().lower()
    if text in _NO:
        return None
    dtype = dtype_named(text)
    if dtype is None:
        raise ModelLoadError(f"{name} is {text!r}; it takes bf16, fp16, fp32, fp64 or off.")
    return dtype


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "").strip().lower()
    if text not in _YES | _NO:
        raise ModelLoadError(f"{name} is {text!r}; it takes true or false.")
    return text in _YES
