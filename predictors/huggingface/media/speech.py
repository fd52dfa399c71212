"""Automatic speech recognition: the text of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from transformers import AutoFeatureExtractor

from predictors.huggingface.calls import Call, Fields, text_column
from predictors.huggingface.media.files import example_sound, sounds_of
from predictors.huggingface.media.model import Asked, MediaModel
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["SpeechRecognition"]


class SpeechRecognition(MediaModel):
    """WAV files of PCM samples at any rate; other formats where soundfile is installed."""

    fields: ClassVar[Fields] = Fields(("audio",), parameters=("return_timestamps", "language"))
    outputs = (TensorSpec("text", "BYTES", (-1,)),)

    def load(self) -> None:
        """As for every pipeline. Raises `StartupError`."""
        super().load()
        told = {"content_type": "base64", "example": [example_sound()]}
        self.inputs = (TensorSpec("audio", "BYTES", (-1,), told),)
        self._rate = int(self.ask.feature_extractor.sampling_rate)  # type: ignore[attr-defined]

    def extractor(self, path: str) -> Any:
        """The folder's."""
        make: Any = AutoFeatureExtractor
        return make.from_pretrained(path, local_files_only=True)

    def asked(self, call: Call) -> list[Asked]:
        """The sounds at the model's rate, and whether times are told."""
        told: dict[str, Any] = {}
        stamps = call.parameters.get("return_timestamps")
        if stamps not in (None, True, False, "word", "char"):
            raise InvalidInputError(
                'parameters.return_timestamps must be true, false, "word" or "char".'
            )
        if stamps:
            told["return_timestamps"] = stamps
        language = call.parameters.get("language")
        if language is not None:
            if not isinstance(language, str):
                raise InvalidInputError("parameters.language must be a language's name.")
            told["generate_kwargs"] = {"language": language}
        return [
            Asked({"raw": samples, "sampling_rate": self._rate}, told)
            for samples in sounds_of(call, self._rate)
        ]

    def told(self, answer: Any) -> Any:
        """``{"text"}``, and ``chunks`` with their times where those were asked for."""
        return answer

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`text`, one for each sound."""
        return [Tensor("text", text_column([each["text"] for each in results]))]
