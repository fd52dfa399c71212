"""A model that makes text: over V1, V2 with its generate extension, and OpenAI's endpoints."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.loading import Loaded, load
from predictors.huggingface.generation.metrics import Counted, GenerationMetrics
from predictors.huggingface.generation.parameters import asked_of
from predictors.huggingface.generation.routes import generate_routes
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.options import Options
from predictors.openai.abilities import Generation, Message, Prompt, Sampling
from predictors.openai.errors import FieldError
from predictors.openai.usage import count_read
from predictors.serving.errors import InvalidInputError, ModelNotFoundError, ModelNotReadyError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import RequestModel
from predictors.serving.routes import Route
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["GenerationModel"]

_LONG_TEXT: Final = 10_000
"""Characters from which on a text is tokenised in a thread: it takes milliseconds."""

_NOT_THEIRS: Final = ("chat_template", "tokenize", "add_generation_prompt", "conversation")
"""Arguments of transformers' function that are no variables of the template: a template of the
client's own could keep the server busy for ever."""


class GenerationModel(RequestModel):
    """A causal model or an encoder-decoder in `folder`, with the adapters beside it."""

    platform: ClassVar[str] = "huggingface"
    takes_payload = True

    def __init__(
        self,
        name: str,
        folder: Path,
        options: Options | None = None,
        settings: GenerationSettings | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__(name)
        self._folder = folder
        self._options = options or Options()
        self._settings = settings or GenerationSettings.of(env)
        self._env = env
        self._made: Loaded | None = None
        self.inputs = (TensorSpec("text", "BYTES", (-1,)),)
        self.outputs = (TensorSpec("text", "BYTES", (-1,)),)

    def load(self) -> None:
        """Read model, tokenizer and adapters. Raises `StartupError`."""
        made = load(self.name, self._folder, self._options, self._settings, self._env)
        self._made = made
        self._metrics = GenerationMetrics(self.name, made.engine.load)
        self._metrics.show()
        count_read(self, 0)
        self.metadata_extra = {
            "task": made.task,
            "max_length": made.context,
            "adapters": list(made.adapters.names),
            **({"revision": made.revision} if made.revision else {}),
        }

    def unload(self) -> None:
        """End the engine; texts in the making fail."""
        if self._made is not None:
            self._metrics.hide()
            self._made.engine.close()
            self._made = None

    @property
    def adapters(self) -> Sequence[str]:
        """The names of the adapters, each of which OpenAI's endpoints know as a model."""
        return self._made.adapters.names if self._made is not None else ()

    @property
    def most_texts(self) -> int:
        """As many texts of one request as the queue holds."""
        return self._settings.max_waiting

    async def complete(
        self, prompt: Prompt, sampling: Sampling, *, adapter: str | None = None, echo: bool = False
    ) -> Generation:
        """Go on with a text. Raises `InvalidInputError`, `OverloadedError`."""
        made = self._loaded()
        if isinstance(prompt, str):
            ids = await _tokens(made.tokenizer, made.prefix + prompt, special=True)
            told = prompt
        else:
            ids = list(prompt)
            _check_ids(ids, made.tokenizer)
            told = made.tokenizer.decode(ids, skip_special_tokens=True) if echo else ""
        return self._submitted(self._job(ids, sampling, adapter, told if echo else ""))

    async def chat(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> Generation:
        """Answer messages. Raises `InvalidInputError` where the template refuses them."""
        made = self._loaded()
        if not made.tokenizer.chat_template:
            raise InvalidInputError(
                f"Model {self.name} has no chat template: use completions instead of chat."
            )
        if (template or {}).get("tools") and "tools" not in str(made.tokenizer.chat_template):
            raise FieldError("tools", f"the chat template of model {self.name} knows no tools.")
        refused = next((name for name in _NOT_THEIRS if name in (template or {})), None)
        if refused is not None:
            raise InvalidInputError(
                f"chat_template_kwargs.{refused} is not the client's to choose."
            )
        try:
            text = made.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=True,
                **(template or {}),
            )
        except Exception as error:  # whatever a template raises is about the messages
            raise InvalidInputError(
                f"messages do not fit the chat template of {self.name}: {error}"
            ) from error
        ids = await _tokens(made.tokenizer, text, special=False)
        return self._submitted(self._job(ids, sampling, adapter, ""))

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer V1 and V2 with whole texts. Raises `RequestError`."""
        asked = asked_of(request)
        most = self._settings.max_waiting
        if len(asked.texts) > most:
            raise InvalidInputError(
                f"The request has {len(asked.texts)} texts; model {self.name} takes up to {most} "
                "of one (ROUSE_GENERATION_MAX_WAITING). Send fewer at a time."
            )
        begun: list[Generation] = []
        try:
            for text in asked.texts:
                generation = await self.complete(text, asked.sampling, adapter=asked.adapter)
                begun.append(generation)
            texts = await asyncio.gather(*map(_whole, begun))
        finally:
            for generation in begun:
                generation.close()
        if request.payload is not None:
            return InferenceResponse((), payload={"predictions": texts})
        return InferenceResponse([_tensor(texts)])

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Answer V2 part by part; the request must have one text. Raises `RequestError`."""
        asked = asked_of(request)
        if len(asked.texts) != 1:
            raise InvalidInputError("A streamed request must have exactly one text.")
        generation = await self.complete(asked.texts[0], asked.sampling, adapter=asked.adapter)
        try:
            async for piece in generation:
                if piece.text or piece.finish:
                    parameters = {"finish_reason": piece.finish} if piece.finish else {}
                    yield InferenceResponse([_tensor([piece.text])], parameters)
        finally:
            generation.close()

    def routes(self) -> Sequence[Route]:
        """The generate extension of V2."""
        return generate_routes(self)

    def _loaded(self) -> Loaded:
        if self._made is None:
            raise ModelNotReadyError(f"Model {self.name} is not loaded.")
        return self._made

    def _submitted(self, job: Job) -> Generation:
        generation = self._loaded().engine.submit(job)
        count_read(self, generation.prompt_tokens)
        return Counted(generation, self._metrics)

    def _job(self, ids: list[int], sampling: Sampling, adapter: str | None, prefix: str) -> Job:
        made = self._loaded()
        if adapter is not None and adapter not in made.adapters.names:
            known = ", ".join(made.adapters.names) or "none"
            raise ModelNotFoundError(f"Model {self.name} has no adapter {adapter}; it has {known}.")
        if not ids:
            raise InvalidInputError("The prompt is empty: it has no tokens.")
        if max(ids) >= made.words:
            raise InvalidInputError(
                f"The prompt has the token {max(ids)}, but model {self.name} knows only "
                f"{made.words}: its tokenizer is not of this model, or has words added to it."
            )
        virtual = made.adapters.virtual.get(adapter or "")
        used = len(ids) + (0 if virtual is None else len(virtual))
        room = made.context if made.encodes else made.context - used
        if used > made.context or room < 1:
            raise InvalidInputError(
                f"The prompt has {used} tokens; the context of model {self.name} is "
                f"{made.context} tokens, text included. Shorten the prompt."
            )
        wanted = sampling.max_tokens
        if wanted is not None and wanted > room:
            raise InvalidInputError(
                f"max_tokens is {wanted}, and the prompt has {used} tokens; together they exceed "
                f"the context of model {self.name}, {made.context} tokens. At most {room} are left."
            )
        most = min(room, self._settings.max_new_tokens)
        return Job(ids, sampling, wanted or most, adapter, prefix)


async def _tokens(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    def tokenize() -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
        return ids

    if len(text) < _LONG_TEXT:
        return tokenize()
    return await asyncio.to_thread(tokenize)


def _check_ids(ids: Sequence[int], tokenizer: Any) -> None:
    size = len(tokenizer)
    wrong = next((token for token in ids if not 0 <= token < size), None)
    if wrong is not None:
        raise InvalidInputError(f"prompt has the token {wrong}; there are tokens 0 to {size - 1}.")


async def _whole(generation: Generation) -> str:
    return "".join([piece.text async for piece in generation])


def _tensor(texts: Sequence[str]) -> Tensor:
    return Tensor("text", np.array(list(texts), dtype=object))
