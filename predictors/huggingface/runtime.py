"""How the server imports torch and transformers, and which model answers for a folder."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.huggingface.options import Options
from predictors.pytorch.openmp import wait_passively

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["RUNTIME", "HuggingFaceRuntime"]

_COMMON: Final = ("bert", "roberta", "xlm_roberta", "distilbert", "mpnet", "modernbert")
"""Architectures of most encoders; importing one later costs a wake-up some 20 ms."""


class HuggingFaceRuntime:
    """The runtime of folders with a config.json."""

    name = "huggingface"

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()

    def prepare(self) -> None:
        """Import torch, tokenizers and what every model of transformers needs."""
        wait_passively()
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        importlib.import_module("predictors.huggingface.diet").import_transformers()
        importlib.import_module("predictors.huggingface.loading")
        importlib.import_module("predictors.huggingface.encoders")

    def warm(self) -> None:
        """The same, the classes of common architectures, and the generation of text."""
        self.prepare()
        importlib.import_module("predictors.pytorch.threads").before_fork()
        for family in _COMMON:
            importlib.import_module(f"transformers.models.{family}.modeling_{family}")
        importlib.import_module("transformers.pipelines")
        importlib.import_module("predictors.openai.service")
        importlib.import_module("predictors.huggingface.generation")
        self.rehearse()
        importlib.import_module("predictors.huggingface.generation.rehearsal").rehearse()
        # Last: each class that is registered with an ABC has Python forget what it recognized.
        importlib.import_module("predictors.huggingface.rehearsal").recognize()

    def rehearse(self) -> None:
        """Tokenize for, and ask, a tiny model."""
        importlib.import_module("predictors.huggingface.rehearsal").rehearse()

    def expect(self, args: Sequence[str], env: Mapping[str, str]) -> None:
        """Read what a process started so has read, for others like it."""
        importlib.import_module("predictors.huggingface.kept").expect(args, env)

    def model(self, name: str, folder: Path) -> Model:
        """The model in `folder`, by its task. Raises `StartupError`."""
        from predictors.huggingface.config import ModelFolder
        from predictors.huggingface.task import Task

        if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
            return _generation(name, folder, self._options)
        files = ModelFolder.read(folder, self._options)
        if files.task in (Task.TEXT_GENERATION, Task.TEXT2TEXT):
            return _generation(name, folder, self._options)
        if files.task in Task.encoders():
            from predictors.huggingface.encoders import encoder_model

            return encoder_model(name, files, self._options)
        from predictors.huggingface.media import media_model

        return media_model(name, files, self._options)


def _generation(name: str, folder: Path, options: Options) -> Model:
    from predictors.huggingface.generation import GenerationModel

    return GenerationModel(name, folder, options)


RUNTIME: Final = HuggingFaceRuntime()
