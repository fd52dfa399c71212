"""Automatic speech recognition: the text of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from transformers import AutoFeatureExtractor

from predictors.huggingface.calls import Call, Fields, json_column, text_column
from predictors.huggingface.media.files import example_sound, sounds_of
from predictors.huggingface.media.model import Asked, MediaModel
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["SpeechRecognition"]

_WHISPER: Final = "seq2seq_whisper"
_WHOLE: Final = 60.0
_PART: Final = 30.0
_SHORTEST: Final = 5
_LONGEST: Final = 300


class SpeechRecognition(MediaModel):
    """WAV files at any rate; other formats where soundfile is installed.

    Whisper reads what is longer than its 30 s window by window, each from where the last one's
    times end. Other models hear sounds of more than a minute in parts that overlap.
    """

    fields: ClassVar[Fields] = Fields(
        ("audio",), parameters=("return_timestamps", "language", "task", "chunk_length_s")
    )
    outputs = (
        TensorSpec("text", "BYTES", (-1,)),
        TensorSpec(
            "chunks",
            "BYTES",
            (-1,),
            {
                "content_type": "json",
                "description": "text and timestamp of each part, with return_timestamps",
            },
        ),
    )

    def load(self) -> None:
        """As for every pipeline. Raises `StartupError`."""
        super().load()
        told = {"content_type": "base64", "example": [example_sound()]}
        self.inputs = (TensorSpec("audio", "BYTES", (-1,), told),)
        self._kind = str(self.ask.type)  # type: ignore[attr-defined]
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
        wanted = self._wanted(call)
        if wanted:
            told["generate_kwargs"] = wanted
        seconds = self._parts(call)
        return [
            Asked(
                {"raw": samples, "sampling_rate": self._rate},
                told | self._cut(seconds, len(samples) / self._rate),
            )
            for samples in sounds_of(call, self._rate)
        ]

    def _wanted(self, call: Call) -> dict[str, Any]:
        """What Whisper is told of the language and what to do with it."""
        wanted: dict[str, Any] = {}
        language = call.parameters.get("language")
        if language is not None:
            if not isinstance(language, str):
                raise InvalidInputError("parameters.language must be a language's name.")
            wanted["language"] = language
        if "task" in call.parameters:
            wanted["task"] = call.choice("task", ("transcribe", "translate"), "transcribe")
        if wanted and self._kind != _WHISPER:
            raise InvalidInputError(
                f"parameters.{next(iter(wanted))} is Whisper's; model {self.name} is none."
            )
        return wanted

    def _parts(self, call: Call) -> float | None:
        """How many seconds the parts shall have that a long sound is cut into."""
        seconds = call.parameters.get("chunk_length_s")
        if seconds is None:
            return None
        if type(seconds) not in (int, float) or not _SHORTEST <= seconds <= _LONGEST:
            raise InvalidInputError(
                f"parameters.chunk_length_s must be a number from {_SHORTEST} to {_LONGEST}."
            )
        return float(seconds)

    def _cut(self, wanted: float | None, seconds: float) -> dict[str, Any]:
        if wanted is not None:
            return {"chunk_length_s": wanted}
        # What attention costs grows with the square of the length; Whisper knows a way of its own.
        if self._kind.startswith("ctc") and seconds > _WHOLE:
            return {"chunk_length_s": _PART}
        return {}

    def told(self, answer: Any) -> Any:
        """``{"text"}``, and ``chunks`` with their times where those were asked for."""
        return answer

    def tensors(self, results: Sequence[Any]) -> list[Tensor]:
        """`text`, one for each sound; and `chunks`, as JSON, where times were asked for."""
        told = [Tensor("text", text_column([each["text"] for each in results]))]
        if all("chunks" in each for each in results):
            chunks = json_column([each["chunks"] for each in results])
            told.append(Tensor("chunks", chunks, {"content_type": "json"}))
        return told
