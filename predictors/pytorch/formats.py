"""Which of a folder's files is the model, and what wrote it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import BadZipFile, ZipFile

import orjson

from predictors.serving.errors import ModelLoadError, StorageError

__all__ = ["Format", "Found", "find"]


class Format(StrEnum):
    """What a file is, by its content where its name says too little."""

    TORCHSCRIPT = "torchscript"
    PT2 = "pt2"
    PICKLE = "torch.save"
    SAFETENSORS = "safetensors"


class Found(NamedTuple):
    """The model's files, of one format; several are the shards of one safetensors model."""

    format: Format
    files: tuple[Path, ...]


_SUFFIXES: Final = (".pt2", ".pt", ".pth", ".torchscript", ".ts", ".jit", ".safetensors", ".bin")
_INDEX: Final = "model.safetensors.index.json"


def find(folder: Path) -> Found:
    """The one model in `folder`, or `folder` itself if it is a file.

    ``model.*`` comes before files of other names; a safetensors index stands for its shards.
    Raises `StorageError` if there is none or a shard is missing, `ModelLoadError` for a file that
    is of no format served here.
    """
    if folder.is_file():
        return Found(_format(folder), (folder,))
    index = folder / _INDEX
    if index.is_file():
        return Found(Format.SAFETENSORS, _shards(index))
    inside = sorted(folder.iterdir())
    models = [file for file in inside if file.is_file() and file.suffix in _SUFFIXES]
    named = [file for file in models if file.stem == "model"] or models
    if len(named) == 1:
        return Found(_format(named[0]), (named[0],))
    if named:
        listed = ", ".join(file.name for file in named)
        raise StorageError(f"{folder} holds several models ({listed}); exactly one is expected.")
    names = ", ".join(file.name for file in inside[:8]) or "nothing"
    raise StorageError(
        f"{folder} holds no PyTorch model: a file that ends in {', '.join(_SUFFIXES)}. "
        f"It holds: {names}."
    )


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(orjson.loads(index.read_bytes())["weight_map"].values()))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(f"{index} is no index of safetensors files: {error!r}") from error
    files = tuple(index.parent / Path(name).name for name in names)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise StorageError(f"{index.parent} lacks {', '.join(missing)}, which {index.name} names.")
    return files


def _format(file: Path) -> Format:
    if file.suffix == ".safetensors":
        return Format.SAFETENSORS
    try:
        with ZipFile(file) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except BadZipFile:
        # Before torch 1.6 torch.save wrote a bare pickle; everything else is an archive.
        if file.suffix in (".pt2", ".torchscript", ".ts", ".jit") or not _is_pickle(file):
            raise ModelLoadError(
                f"{file} is no PyTorch archive. Is it complete? A git-lfs pointer is a text of "
                "three lines in the place of the file."
            ) from None
        return Format.PICKLE
    if "archive_format" in names or any(name.startswith("models/") for name in names):
        return Format.PT2
    if "constants.pkl" in names:
        return Format.TORCHSCRIPT
    if "data.pkl" in names:
        return Format.PICKLE
    raise ModelLoadError(f"{file} is an archive, but none that PyTorch writes.")


def _is_pickle(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(1) == b"\x80"
