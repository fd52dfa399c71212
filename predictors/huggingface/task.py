"""The tasks served, their names elsewhere, and which one a model's config asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from predictors.serving.errors import ModelLoadError

__all__ = ["Task", "infer_task", "named_task"]


class Task(StrEnum):
    """What a model is asked for, by the hub's names."""

    TEXT_CLASSIFICATION = "text-classification"
    TOKEN_CLASSIFICATION = "token-classification"  # noqa: S105 - no password
    FILL_MASK = "fill-mask"
    QUESTION_ANSWERING = "question-answering"
    ZERO_SHOT = "zero-shot-classification"
    EMBEDDING = "sentence-embedding"
    RERANK = "rerank"
    TEXT_GENERATION = "text-generation"
    TEXT2TEXT = "text2text-generation"
    IMAGE_CLASSIFICATION = "image-classification"
    OBJECT_DETECTION = "object-detection"
    IMAGE_SEGMENTATION = "image-segmentation"
    VISUAL_QUESTION_ANSWERING = "visual-question-answering"
    SPEECH_RECOGNITION = "automatic-speech-recognition"

    @classmethod
    def encoders(cls) -> frozenset[Task]:
        """Those of the fast path."""
        return _ENCODERS


_ENCODERS: Final = frozenset(
    {
        Task.TEXT_CLASSIFICATION,
        Task.TOKEN_CLASSIFICATION,
        Task.FILL_MASK,
        Task.QUESTION_ANSWERING,
        Task.ZERO_SHOT,
        Task.EMBEDDING,
        Task.RERANK,
    }
)

_ALIASES: Final[Mapping[str, Task]] = {
    "sentiment-analysis": Task.TEXT_CLASSIFICATION,
    "sequence-classification": Task.TEXT_CLASSIFICATION,
    "ner": Task.TOKEN_CLASSIFICATION,
    "text-embedding": Task.EMBEDDING,
    "embedding": Task.EMBEDDING,
    "embeddings": Task.EMBEDDING,
    "embed": Task.EMBEDDING,
    "sentence-similarity": Task.EMBEDDING,
    "feature-extraction": Task.EMBEDDING,
    "text-ranking": Task.RERANK,
    "score": Task.RERANK,
    "zero-shot": Task.ZERO_SHOT,
    "summarization": Task.TEXT2TEXT,
    "translation": Task.TEXT2TEXT,
    "vqa": Task.VISUAL_QUESTION_ANSWERING,
    "asr": Task.SPEECH_RECOGNITION,
    "generate": Task.TEXT_GENERATION,
}

_SUFFIXES: Final[tuple[tuple[str, Task], ...]] = (
    ("ForSequenceClassification", Task.TEXT_CLASSIFICATION),
    ("ForTokenClassification", Task.TOKEN_CLASSIFICATION),
    ("ForMaskedLM", Task.FILL_MASK),
    ("ForVisualQuestionAnswering", Task.VISUAL_QUESTION_ANSWERING),
    ("ViltForQuestionAnswering", Task.VISUAL_QUESTION_ANSWERING),
    ("ForQuestionAnswering", Task.QUESTION_ANSWERING),
    ("ForImageClassification", Task.IMAGE_CLASSIFICATION),
    ("ForImageClassificationWithTeacher", Task.IMAGE_CLASSIFICATION),
    ("ForObjectDetection", Task.OBJECT_DETECTION),
    ("ForSegmentation", Task.IMAGE_SEGMENTATION),
    ("ForSemanticSegmentation", Task.IMAGE_SEGMENTATION),
    ("ForInstanceSegmentation", Task.IMAGE_SEGMENTATION),
    ("ForUniversalSegmentation", Task.IMAGE_SEGMENTATION),
    ("ForSpeechSeq2Seq", Task.SPEECH_RECOGNITION),
    ("WhisperForConditionalGeneration", Task.SPEECH_RECOGNITION),
    ("Speech2TextForConditionalGeneration", Task.SPEECH_RECOGNITION),
    ("ForCTC", Task.SPEECH_RECOGNITION),
    ("ForCausalLM", Task.TEXT_GENERATION),
    ("LMHeadModel", Task.TEXT_GENERATION),
    ("ForConditionalGeneration", Task.TEXT2TEXT),
)
"""Ends of architectures' names; the first that fits holds."""


def named_task(name: str) -> Task:
    """The task of a name, KServe's and the pipelines' among them. Raises `ModelLoadError`."""
    plain = name.strip().lower().replace("_", "-")
    if plain.startswith("translation-"):
        plain = "translation"
    found = _ALIASES.get(plain)
    if found is not None:
        return found
    try:
        return Task(plain)
    except ValueError:
        raise ModelLoadError(
            f"--task {name}: there is no such task here. There are: {', '.join(Task)}."
        ) from None


def infer_task(config: Mapping[str, Any], *, sentences: bool) -> Task:
    """The task of a model's config; `sentences` says that it is one of sentence-transformers.

    A classifier of one label is a cross-encoder. A bare encoder makes embeddings. Raises
    `ModelLoadError` where the config does not tell.
    """
    architectures = [str(name) for name in config.get("architectures") or ()]
    task = next(
        (task for name in architectures for end, task in _SUFFIXES if name.endswith(end)), None
    )
    if task is Task.TEXT_CLASSIFICATION and _labels(config) == 1:
        return Task.RERANK if config.get("problem_type") != "regression" else task
    if sentences and task in (None, Task.FILL_MASK):
        return Task.EMBEDDING
    if task is not None:
        return task
    if architectures and architectures[0].endswith("Model") and config.get("model_type"):
        return Task.EMBEDDING
    raise ModelLoadError(
        f"config.json tells no task (architectures: {', '.join(architectures) or 'none'}); "
        f"name one of {', '.join(Task)} as --task."
    )


def _labels(config: Mapping[str, Any]) -> int:
    named = config.get("id2label")
    return len(named) if isinstance(named, dict) else int(config.get("num_labels", 2))
