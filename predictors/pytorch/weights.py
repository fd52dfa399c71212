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

__all__ = ["assign", "load_safetensors", "load_state_dict", "read_ahead"]

_NAMED: Final = 5


def read_ahead(files: Iterable[Path]) -> threading.Thread:
    """Have the kernel read `files` into its page cache, in a thread that nobody has to wait for.

    Reading goes on while the framework is imported and the model is built.
    """
    paths = list(files)
    thread = threading.Thread(target=_advise, args=(paths,), name="read-ahead", daemon=True)
    thread.start()
    return thread


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


def load_state_dict(file: Path, device: Device, *, any_code: bool = False) -> dict[str, object]:
    """What ``torch.save`` wrote into `file`: a state_dict, mapped where its format allows that.

    With `any_code` the pickle may be of any classes, and run code; ask the policy first. Raises
    `ModelLoadError`.
    """
    read_ahead([file])
    try:
        with device.out_of_memory(str(file)):
            # The format before torch 1.6 is no archive and cannot be mapped.
            mapped = is_zipfile(file)
            loaded = torch.load(
                file, map_location=device.torch, weights_only=not any_code, mmap=mapped
            )
    except Exception as error:  # unpickling raises whatever it likes
        raise ModelLoadError(f"{file} cannot be loaded: {_why(error)}") from error
    if not isinstance(loaded, Mapping):
        raise ModelLoadError(
            f"{file} holds a {type(loaded).__name__}, not a state_dict. Save model.state_dict()."
        )
    return dict(loaded)


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


def _why(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    if "weights_only" in str(error) or "Weights only" in str(error):
        return (
            "it holds more than tensors, and only those are read "
            "(ROUSE_UNSAFE_FORMATS and ROUSE_TORCH_PICKLES). " + lines[0]
        )
    return f"{type(error).__name__}: {lines[0]}. Is it complete, and written by torch.save?"
