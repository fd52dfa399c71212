"""PEFT adapters beside a model, chosen by each request: LoRA, and prompts of trained vectors.

LoRA adapters are applied row by row in one batch. A trained prompt only stands before the tokens of
its text, so that the steps after it are those of any other row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from predictors.serving.errors import ModelLoadError

__all__ = ["Adapters", "find_adapters", "load_adapters"]

_FOLDER: Final = "adapters"
_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
_LORA: Final = "LORA"
_PROMPTS: Final = ("PROMPT_TUNING", "P_TUNING")


@dataclass(frozen=True, slots=True)
class Adapters:
    """`lora` is the model with its LoRA adapters in place; `virtual` the vectors of prompts."""

    names: Sequence[str] = ()
    lora: torch.nn.Module | None = None
    virtual: dict[str, torch.Tensor] = field(default_factory=dict)


def find_adapters(folder: Path) -> dict[str, Path]:
    """The adapters in ``adapters/`` of a model's folder, by name."""
    found = sorted((folder / _FOLDER).glob(f"*/{_CONFIG}"))
    return {file.parent.name: file.parent for file in found}


def load_adapters(model: PreTrainedModel, folder: Path) -> Adapters:
    """Load them all; LoRA changes `model`'s modules. Raises `ModelLoadError` naming the adapter."""
    folders = find_adapters(folder)
    lora: Any = None
    virtual: dict[str, torch.Tensor] = {}
    for name, path in folders.items():
        kind = _kind(path)
        try:
            if kind == _LORA:
                lora = _with_lora(lora or model, name, path)
            elif kind in _PROMPTS and not model.config.is_encoder_decoder:
                virtual[name] = _vectors(path, model)
            else:
                raise ModelLoadError(
                    f"Adapter {name} is of type {kind}; served are {_LORA}, and for causal models "
                    f"{', '.join(_PROMPTS)}."
                )
        except ModelLoadError:
            raise
        except Exception as error:
            raise ModelLoadError(f"Adapter {name} cannot be loaded from {path}: {error}") from error
    if lora is not None:
        lora.eval().requires_grad_(False)
    return Adapters(list(folders), lora, virtual)


def _with_lora(model: Any, name: str, path: Path) -> Any:
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's, about what it was trained with
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), adapter_name=name, is_trainable=False)
            return model
        return PeftModel.from_pretrained(model, str(path), adapter_name=name)


def _vectors(path: Path, model: PreTrainedModel) -> torch.Tensor:
    vectors = load_file(path / _WEIGHTS)["prompt_embeddings"]
    weight: Any = model.get_input_embeddings().weight
    width = int(weight.shape[1])
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise ModelLoadError(
            f"Adapter {path.name} has vectors of shape {list(vectors.shape)}; this model's tokens "
            f"have {width} numbers. Is it an adapter of this model?"
        )
    return vectors.to(weight)


def _kind(path: Path) -> str:
    try:
        kind = orjson.loads((path / _CONFIG).read_bytes())["peft_type"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelLoadError(f"{path / _CONFIG} has no peft_type: {error!r}") from error
    return str(kind)
