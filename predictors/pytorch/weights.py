"""Weights read so that all replicas of a machine share them: mapped files, never private copies."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open

from predictors.pytorch.device import Device
from predictors.serving.errors import ModelLoadError, StorageError

__all__ = ["NotOnlyTensorsError", "assign", "load_safetensors", "load_state_dict", "read_ahead"]

_NAMED: Final = 5
_WORTH_BYTES: Final = 1 << 20
_REFUSED: Final = "Unsupported global"
"""In torch's message for a pickle that names a class it does not know to be harmless."""


class NotOnlyTensorsError(ModelLoadError):
    """A pickle holds objects of classes that could run code; it is read with `any_code` only."""


def read_ahead(files: Iterable[Path]) -> None:
    """Have the kernel read `files` into its page cache, in a thread that nobody waits for.

    Reading goes on while modules are imported and the model is built. Files below 1 MiB are left
    alone, so that a parent that forks has no thread by this.
    """
    paths = [path for path in files if path.stat().st_size >= _WORTH_BYTES]
    if paths:
        threading.Thread(target=_advise, args=(paths,), name="read-ahead", daemon=True).start()


def load_safetensors(files: Path | Sequence[Path], device: Device) -> dict[str, torch.Tensor]:
    """The tensors of all `files` by name: mapped on the processor, else straight to `device`.

    Mapped tensors share the page cache with other processes until somebody writes to them. Raises
    `StorageError` for a file that is missing, `ModelLoadError` for one that is broken and for a
    name that two files have.
    """
    paths = [files] if isinstance(files, Path) else list(files)
    for path in paths:
        if not path.is_file():
            raise StorageError(f"{path} is missing.")
    read_ahead(paths)
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        try:
            with (
                device.out_of_memory(str(path)),
                safe_open(path, framework="pt", device=device.name) as opened,
            ):
                for name in opened.keys():  # noqa: SIM118 - it is no mapping
                    if name in tensors:
                        raise ModelLoadError(f"{path}: tensor {name} is in another file as well.")
                    tensors[name] = opened.get_tensor(name)
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelLoadError(f"{path} is no complete safetensors file: {error}") from error
    return tensors


def load_state_dict(file: Path, device: Device, *, any_code: bool = False) -> object:
    """What ``torch.save`` wrote into `file`, mapped where its format allows that.

    With `any_code` the pickle may be of any classes, and run code: ask the policy first. Raises
    `NotOnlyTensorsError`, or `ModelLoadError` for a file that is broken.
    """
    read_ahead([file])
    try:
        with device.out_of_memory(str(file)):
            # The format before torch 1.6 is no archive and cannot be mapped.
            return torch.load(
                file,
                map_location=device.torch,
                weights_only=not any_code,
                mmap=is_zipfile(file),
            )
    except Exception as error:  # unpickling raises whatever it likes
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "Weights only load failed" in reason and _REFUSED in str(error):
            raise NotOnlyTensorsError(
                f"{file} holds more than tensors. Save model.state_dict() instead."
            ) from error
        raise ModelLoadError(
            f"{file} cannot be loaded: {type(error).__name__}: {reason} Is it complete, and "
            "written by torch.save?"
        ) from error


def assign(module: torch.nn.Module, tensors: Mapping[str, object], source: object) -> None:
    """Make `tensors` the parameters and buffers of `module`, without a copy.

    Raises `ModelLoadError` naming what is missing, unexpected or of another shape in `source`.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in tensors]
    unexpected = [name for name in tensors if name not in own]
    misshaped = [
        f"{name} is {list(given.shape)}, the class has {list(own[name].shape)}"
        for name, given in tensors.items()
        if name in own and isinstance(given, torch.Tensor) and given.shape != own[name].shape
    ]
    told = [
        f"{what}: {', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshaped),
        )
        if names
    ]
    if told:
        raise ModelLoadError(
            f"{source} does not fit {type(module).__name__}: {'; '.join(told)}. Check the class "
            "and its arguments."
        )
    module.load_state_dict(tensors, strict=True, assign=True)


def _advise(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # whoever loads the file says what is wrong with it
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(fd)
