"""Sentence embeddings: pooled and scaled as sentence-transformers' modules.json says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import orjson
import torch
from numpy.typing import NDArray
from tokenizers import Encoding

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.loading import tensors_of
from predictors.huggingface.text import Row, Source
from predictors.openai.abilities import Prompt
from predictors.openai.errors import FieldError
from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["Embedding"]

_POOLINGS: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The switches of older configs, and what newer ones call the same."""
_TINY: Final = 1e-12


class Embedding(Encoder):
    """A vector for each text. Without modules.json the mean of the tokens, as in KServe."""

    fields: ClassVar[Fields] = Fields(("text",), parameters=("truncation", "normalize"))

    def prepared(self) -> None:
        """Pooling, dense layers and scaling. Raises `ModelLoadError` for modules not known."""
        self._pooling = "mean"
        self._normalize = self.options.normalize and not self.files.modules
        self._dense: list[tuple[torch.nn.Linear, torch.nn.Module]] = []
        for kind, path in self.files.modules:
            if kind == "Pooling":
                self._pooling = _pooling_of(Path(path))
            elif kind == "Dense":
                self._dense.append(self._dense_of(Path(path)))
            elif kind == "Normalize":
                self._normalize = True
            elif kind not in ("Transformer", "Dropout"):
                raise ModelLoadError(
                    f"{self.files.path}: modules.json has a module {kind}, which is not known "
                    "here. Known: Transformer, Pooling, Dense, Normalize."
                )
        self._prompt = self._default_prompt()
        width = int(self.module.config.hidden_size)  # type: ignore[arg-type, union-attr]
        if self._dense:
            width = self._dense[-1][0].out_features
        self._width = width
        self.inputs = (TensorSpec("text", "BYTES", (-1,), {"example": ["What a fine day."]}),)
        self.outputs = (TensorSpec("embedding", "FP32", (-1, width)),)
        self.metadata_extra = {
            **self.metadata_extra,
            "pooling": self._pooling,
            "normalize": self._normalize,
        }

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """A vector for each text, of length 1 where the model or the request says so."""
        truncate, normalize = call.switch("truncation"), call.switch("normalize")
        texts = [item["text"] for item in call.items]
        spent = await self.run(await self._tokens(texts, call.where, truncate))
        if normalize and not self._normalize:
            return [row / max(np.linalg.norm(row), _TINY) for row in spent.results], spent
        return spent.results, spent

    async def embed(
        self, texts: Sequence[Prompt], dimensions: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """A row for each text, and their tokens: the ability of OpenAI's ``embeddings``."""
        self._check_width(dimensions)
        places = [f"input[{index}]" for index in range(len(texts))]
        rows: list[Row] = [
            self.tokenizer.given(tokens, where)
            for tokens, where in zip(texts, places, strict=True)
            if not isinstance(tokens, str)
        ]
        if not rows:
            rows += await self._tokens(texts, places, None)
        spent = await self.run(rows)
        vectors: NDArray[np.float32] = np.stack(spent.results)
        if dimensions is not None and dimensions < vectors.shape[1]:
            vectors = vectors[:, :dimensions]
            if self._normalize:
                lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
                vectors = vectors / np.maximum(lengths, _TINY)
        return vectors, sum(map(len, rows))

    def _check_width(self, dimensions: int | None) -> None:
        """Refuse what is neither the model's width nor one that it was trained to be cut to."""
        if dimensions is None or dimensions == self._width:
            return
        config = self.files.config
        trained = config.get("matryoshka_dimensions")
        if isinstance(trained, list) and dimensions in trained:
            return
        if config.get("is_matryoshka") and not trained and dimensions < self._width:
            return
        widths = sorted({self._width, *(trained if isinstance(trained, list) else ())})
        raise FieldError(
            "dimensions",
            f"model {self.name} makes vectors of {', '.join(map(str, widths))}, not of "
            f"{dimensions}. Others need a model trained for them (is_matryoshka or "
            "matryoshka_dimensions in its config.json).",
        )

    def tensors(self, results: Results) -> list[Tensor]:
        """`embedding`, a row for each text."""
        return [Tensor("embedding", np.stack(results))]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The vector of each row."""
        pooled = _pooled(self._pooling, output.last_hidden_state, lengths, mask)
        for linear, activation in self._dense:
            pooled = activation(linear(pooled.to(linear.weight.dtype)))
        if self._normalize:
            pooled = torch.nn.functional.normalize(pooled.float(), p=2.0, dim=1)
        return list(numbers(pooled))

    async def _tokens(
        self, texts: Sequence[object], where: Sequence[str], truncate: bool | None
    ) -> list[Encoding]:
        sources = [
            Source(self._prompt + text_of(text, at), at)
            for text, at in zip(texts, where, strict=True)
        ]
        return await self.tokenizer.encode_all(sources, truncate)

    def _default_prompt(self) -> str:
        name = self.files.sentence.get("default_prompt_name")
        prompts = self.files.sentence.get("prompts") or {}
        return str(prompts.get(name, "")) if name else ""

    def _dense_of(self, folder: Path) -> tuple[torch.nn.Linear, torch.nn.Module]:
        config = _config(folder)
        activation = str(config.get("activation_function", "")).rpartition(".")[2]
        if activation not in ("Tanh", "Identity", "ReLU", "GELU", "Sigmoid"):
            raise ModelLoadError(f"{folder}: activation {activation} is not known here.")
        names = ("model.safetensors", "pytorch_model.bin")
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        if file is None:
            raise ModelLoadError(f"{folder} has no weights, neither {' nor '.join(names)}.")
        weights = tensors_of([file], self.device)
        linear = torch.nn.Linear(
            int(config["in_features"]), int(config["out_features"]), bool(config.get("bias", True))
        )
        linear.load_state_dict(
            {name.removeprefix("linear."): tensor for name, tensor in weights.items()}, assign=True
        )
        return linear.requires_grad_(False), getattr(torch.nn, activation)()


def _config(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads((folder / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelLoadError(
            f"{folder / 'config.json'}, which modules.json names, cannot be read: {error}"
        ) from error
    return found


def _pooling_of(folder: Path) -> str:
    config = _config(folder)
    chosen = config.get("pooling_mode")
    if chosen is None:
        modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    else:
        modes = [chosen] if isinstance(chosen, str) else list(chosen)
    named = [_POOLINGS.get(mode, mode) for mode in modes] or ["mean"]
    if len(named) > 1 or named[0] not in _POOLINGS.values():
        raise ModelLoadError(
            f"{folder / 'config.json'}: pooling by {', '.join(named)} is not known here. "
            f"Known, one at a time: {', '.join(_POOLINGS.values())}."
        )
    return named[0]


def _pooled(
    pooling: str, states: torch.Tensor, lengths: Sequence[int], mask: torch.Tensor | None
) -> torch.Tensor:
    """One row for each row of states (n, tokens, width); `mask` is None where none is padded."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "lasttoken":
        return torch.stack([row[length - 1] for row, length in zip(states, lengths, strict=True)])
    if mask is None:
        if pooling == "max":
            return states.amax(dim=1)
        mean = states.mean(dim=1)
        return mean if pooling == "mean" else mean * states.shape[1] ** 0.5
    weights = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return states.masked_fill(weights == 0, -1e9).amax(dim=1)
    count = weights.sum(dim=1)
    total = (states * weights).sum(dim=1)
    return total / (count if pooling == "mean" else count.sqrt())
