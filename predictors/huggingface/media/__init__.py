"""Images and sound: tasks that transformers' pipelines answer.

Belongs here: files in requests, and pipelines' answers as JSON and tensors. Does not belong here:
text, which the fast path serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictors.huggingface.config import ModelFolder
from predictors.huggingface.media.images import Detection, ImageClassification, Segmentation
from predictors.huggingface.media.model import MediaModel
from predictors.huggingface.media.speech import SpeechRecognition
from predictors.huggingface.media.visual_questions import VisualQuestions
from predictors.huggingface.options import Options
from predictors.huggingface.task import Task

__all__ = ["media_model"]

_TASKS: Final[Mapping[Task, type[MediaModel]]] = {
    Task.IMAGE_CLASSIFICATION: ImageClassification,
    Task.OBJECT_DETECTION: Detection,
    Task.IMAGE_SEGMENTATION: Segmentation,
    Task.VISUAL_QUESTION_ANSWERING: VisualQuestions,
    Task.SPEECH_RECOGNITION: SpeechRecognition,
}


def media_model(name: str, files: ModelFolder, options: Options) -> MediaModel:
    """The model of a folder whose task takes images or sound."""
    return _TASKS[files.task](name, files, options)
