"""A model's folder: its configuration files, read once, and what of it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from predictors.huggingface.options import Options
from predictors.huggingface.task import Task, infer_task, named_task
from predictors.serving.errors import ModelLoadError, StorageError

__all__ = ["ModelFolder"]

_UNBOUNDED: Final = 1_000_000
"""Tokenizers without a limit write 1e30."""


@dataclass(frozen=True)
class ModelFolder:
    """`config` is config.json, `tokenizer` tokenizer_config.json, `sentence` the settings of
    sentence-transformers, `modules` its modules.json (paths by type, in order)."""

    path: Path
    task: Task
    config: Mapping[str, Any]
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    sentence: Mapping[str, Any] = field(default_factory=dict)
    modules: Sequence[tuple[str, str]] = ()

    @classmethod
    def read(cls, folder: Path, options: Options) -> ModelFolder:
        """Raises `StorageError` for what is missing, `ModelLoadError` for what is broken."""
        modules = _modules(folder)
        at = folder / next((path for kind, path in modules if kind == "Transformer"), "")
        if not (at / "config.json").is_file():
            raise StorageError(
                f"{at / 'config.json'} is missing: the folder is no model of transformers. "
                f"It has: {', '.join(sorted(p.name for p in folder.iterdir())[:8]) or 'nothing'}."
                if folder.is_dir()
                else f"{folder} is no folder."
            )
        config = _object(at / "config.json")
        task = named_task(options.task) if options.task else None
        if task is None:
            # sentence-transformers marks its cross-encoders as well, which have a head.
            task = infer_task(config, sentences=bool(modules))
        sentence = _optional(at / "sentence_bert_config.json")
        prompts = _optional(folder / "config_sentence_transformers.json")
        return cls(
            at,
            task,
            config,
            _optional(at / "tokenizer_config.json"),
            {**prompts, **sentence},
            [(kind, str(folder / path)) for kind, path in modules],
        )

    @property
    def model_type(self) -> str:
        """transformers' name of the architecture's family, e.g. ``bert``."""
        return str(self.config.get("model_type", ""))

    @property
    def labels(self) -> list[str]:
        """The labels of a classifier, in the order of its outputs."""
        named = self.config.get("id2label")
        if isinstance(named, dict) and named:
            return [str(named[key]) for key in sorted(named, key=int)]
        return [f"LABEL_{index}" for index in range(int(self.config.get("num_labels", 2)))]

    def max_length(self, wanted: int | None) -> int:
        """Tokens the model takes, special ones included, and no more than `wanted`.

        Raises `ModelLoadError` where more are wanted than there are positions.
        """
        limits = [self.sentence.get("max_seq_length"), self.tokenizer.get("model_max_length")]
        positions = self._positions()
        if wanted is not None:
            if positions is not None and wanted > positions:
                raise ModelLoadError(
                    f"--max_length {wanted} is more than the {positions} positions of the model."
                )
            return wanted
        known = [int(v) for v in limits if isinstance(v, int | float) and 0 < v < _UNBOUNDED]
        return min([*known, *([positions] if positions else [])], default=512)

    def revision(self, options: Options) -> str:
        """The commit, tag or branch the folder was made of, as far as anybody told."""
        return options.revision or str(self.config.get("_commit_hash") or "")

    def weights(self) -> list[Path]:
        """The files of weights, safetensors before pickles. Raises `StorageError`."""
        for stem, single in (("model", "safetensors"), ("pytorch_model", "bin")):
            index = self.path / f"{stem}.{single}.index.json"
            if index.is_file():
                return self._shards(index)
            if (self.path / f"{stem}.{single}").is_file():
                return [self.path / f"{stem}.{single}"]
        raise StorageError(
            f"{self.path} has no weights: neither model.safetensors nor pytorch_model.bin."
        )

    def _shards(self, index: Path) -> list[Path]:
        named = _object(index).get("weight_map")
        if not isinstance(named, dict):
            raise ModelLoadError(f"{index} has no weight_map.")
        files = [self.path / str(name) for name in sorted(set(named.values()))]
        missing = [file.name for file in files if not file.is_file()]
        if missing or not files:
            raise StorageError(
                f"{self.path} lacks {', '.join(missing) or 'any shard'}, which {index.name} names."
            )
        return files

    def _positions(self) -> int | None:
        size = self.config.get("max_position_embeddings")
        if not isinstance(size, int) or size <= 0:
            return None
        if self.model_type in _OFFSET:
            return size - int(self.config.get("pad_token_id") or 0) - 1
        return size


_OFFSET: Final = frozenset(
    {
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "longformer",
        "data2vec-text",
    }
)
"""Families whose positions begin behind the padding token's id."""


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Last names of the types in modules.json, and their paths."""
    file = folder / "modules.json"
    if not file.is_file():
        return []
    found = _json(file)
    if not isinstance(found, list):
        raise ModelLoadError(f"{file} is no list of modules.")
    try:
        return [(str(each["type"]).rpartition(".")[2], str(each["path"])) for each in found]
    except (KeyError, TypeError):
        raise ModelLoadError(f"{file}: each module needs a type and a path.") from None


def _optional(file: Path) -> Mapping[str, Any]:
    found = _json(file) if file.is_file() else {}
    return found if isinstance(found, dict) else {}


def _object(file: Path) -> Mapping[str, Any]:
    found = _json(file)
    if not isinstance(found, dict):
        raise ModelLoadError(f"{file} must hold a JSON object.")
    return found


def _json(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error}") from error
    except orjson.JSONDecodeError as error:
        raise ModelLoadError(f"{file} is no JSON: {error}") from error
