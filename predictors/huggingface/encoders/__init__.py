"""The tasks of the fast path, one module each.

Belongs here: what a task reads of a request, keeps of the module's output and answers. Does not
belong here: tokens, batches and weights, which all of them share (`encoder`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictors.huggingface.config import ModelFolder
from predictors.huggingface.encoder import Encoder
from predictors.huggingface.encoders.classification import TextClassification
from predictors.huggingface.encoders.embedding import Embedding
from predictors.huggingface.encoders.masks import FillMask
from predictors.huggingface.encoders.questions import QuestionAnswering
from predictors.huggingface.encoders.rerank import Rerank
from predictors.huggingface.encoders.tokens import TokenClassification
from predictors.huggingface.encoders.zero_shot import ZeroShot
from predictors.huggingface.options import Options
from predictors.huggingface.task import Task

__all__ = ["encoder_model"]

_TASKS: Final[Mapping[Task, type[Encoder]]] = {
    Task.TEXT_CLASSIFICATION: TextClassification,
    Task.TOKEN_CLASSIFICATION: TokenClassification,
    Task.FILL_MASK: FillMask,
    Task.QUESTION_ANSWERING: QuestionAnswering,
    Task.ZERO_SHOT: ZeroShot,
    Task.EMBEDDING: Embedding,
    Task.RERANK: Rerank,
}


def encoder_model(name: str, files: ModelFolder, options: Options) -> Encoder:
    """The model of a folder whose task is one of `Task.encoders`."""
    return _TASKS[files.task](name, files, options)
