"""What every encoder's task shares: tokens in, one padded call of the module, results out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch

from predictors.huggingface.batching import Batcher, Outcome, Sized
from predictors.huggingface.calls import Call, Fields
from predictors.huggingface.config import ModelFolder
from predictors.huggingface.loading import load_module
from predictors.huggingface.options import Options
from predictors.huggingface.text import Cut, Row, TextTokenizer, load_tokenizer
from predictors.pytorch.device import Device
from predictors.pytorch.threads import use_all
from predictors.pytorch.weights import read_ahead
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import RequestModel
from predictors.serving.tensors import Array, Tensor

__all__ = ["Encoder", "Results", "numbers"]

Results = list[Any]
"""One result for each item of a call, as V1 answers it."""

_TYPELESS: Final = frozenset({"roberta", "xlm-roberta", "camembert"})
"""Families that have a table of one token type, and no use for it."""


class Encoder(RequestModel):
    """A model of one pass over its tokens. Subclasses are tasks.

    Requests of all protocols, and of OpenAI's, wait in one queue of sequences.
    """

    platform: ClassVar[str] = "huggingface"
    fields: ClassVar[Fields] = Fields(("text",), parameters=("truncation",))
    cut: ClassVar[Cut] = "longest_first"
    stride: ClassVar[int] = 0
    most_tokens: ClassVar[int] = 0
    """A limit of the task's own, below the model's; 0 is none."""

    takes_payload = True
    deterministic = True

    def __init__(self, name: str, files: ModelFolder, options: Options) -> None:
        super().__init__(name)
        self.files = files
        self.options = options
        self.device = Device("cpu")

    def load(self) -> None:
        """Read tokenizer and weights. Raises `StartupError`."""
        self.device = Device.choose()
        read_ahead(self.files.weights())
        tokenizer = load_tokenizer(
            self.files, self.options, cut=self.cut, stride=self.stride, limit=self.most_tokens
        )
        self.install(tokenizer, load_module(self.files, self.options, self.device))
        self.device.show_memory()

    def install(self, tokenizer: TextTokenizer, module: torch.nn.Module) -> None:
        """Serve with these; `load` made them."""
        self.tokenizer = tokenizer
        self.module = module
        embeddings = module.get_input_embeddings()  # type: ignore[operator]
        words = int(embeddings.weight.shape[0])
        if tokenizer.rust.get_vocab_size(with_added_tokens=True) > words:
            raise ModelLoadError(
                f"{self.files.path}: the tokenizer has {tokenizer.rust.get_vocab_size()} tokens, "
                f"the model {words}. They are not of the same model."
            )
        self._pad = int(self.files.config.get("pad_token_id") or 0)
        self._typed = self._takes_types()
        self.batcher: Batcher[Row, Any] = Batcher(
            self.call, name=self.name, max_tokens=self.options.max_batch_tokens
        )
        parameter = next(module.parameters())
        self.metadata_extra = {
            "task": str(self.files.task),
            "revision": self.files.revision(self.options),
            "max_length": tokenizer.limit,
            "truncation": self.options.truncate,
            "device": self.device.name,
            "dtype": str(parameter.dtype).removeprefix("torch."),
        }
        self.prepared()

    def prepared(self) -> None:
        """Fill `inputs` and `outputs`, and read what the task needs of the config."""

    def unload(self) -> None:
        """Let the thread and the weights go."""
        self.batcher.close()
        del self.module

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer over V1 or V2. Raises `RequestError`."""
        call = Call.read(request, self.fields)
        results, spent = await self.answer(call)
        response = InferenceResponse((), queue=spent.queue, predict=spent.run)
        response.batch_rows = spent.rows
        if request.payload is not None:
            response.payload = {"predictions": results}
            return response
        wanted = request.wanted
        outputs = self.tensors(results)
        response.outputs = [t for t in outputs if not wanted or t.name in wanted]
        return response

    @abstractmethod
    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """The results of a call, and what became of its sequences. Raises `RequestError`."""

    @abstractmethod
    def tensors(self, results: Results) -> list[Tensor]:
        """The same as V2's outputs."""

    @abstractmethod
    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """What of the module's output a task keeps for each row; runs in the batcher's thread.

        `mask` is None where no row is padded.
        """

    async def run(self, encodings: Sequence[Row]) -> Outcome[Any]:
        """Queue sequences and wait for what `reduce` keeps of them."""
        return await self.batcher.submit([Sized(each, len(each)) for each in encodings])

    def call(self, encodings: list[Row]) -> list[Any]:
        """One padded call of the module. Raises `OverloadedError` where the device is full."""
        use_all()
        lengths = [len(each) for each in encodings]
        longest = max(lengths)
        with self.device.out_of_memory(self.name), self.device.stream(), torch.inference_mode():
            tensors, mask = self._padded(encodings, lengths, longest)
            output = self.module(**tensors)
            return self.reduce(output, lengths, mask)

    def _padded(
        self, encodings: list[Row], lengths: list[int], longest: int
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
        upload = self.device.upload
        ids = np.full((len(encodings), longest), self._pad, np.int64)
        for row, each in zip(ids, encodings, strict=True):
            row[: len(each)] = each.ids
        tensors = {"input_ids": upload(torch.from_numpy(ids))}
        mask = None
        if min(lengths) < longest:
            padding = np.arange(longest) < np.array(lengths)[:, None]
            mask = upload(torch.from_numpy(padding.astype(np.int64)))
            tensors["attention_mask"] = mask
        if self._typed:
            types = np.zeros_like(ids)
            for row, each in zip(types, encodings, strict=True):
                row[: len(each)] = each.type_ids
            if types.any():
                tensors["token_type_ids"] = upload(torch.from_numpy(types))
        return tensors, mask

    def _takes_types(self) -> bool:
        given = self.options.return_token_type_ids
        if given is not None:
            return given
        several = int(self.files.config.get("type_vocab_size") or 0) > 1
        return several and self.files.model_type not in _TYPELESS


def numbers(tensor: torch.Tensor) -> Array:
    """A tensor of any device as float32."""
    array: Array = tensor.float().cpu().numpy()
    return array
