"""The weights of archives mapped from their file, in the place of the copies that torch made.

``torch.jit.load`` and ``torch.export.load`` read each record of an archive into memory of their
own. The records are not compressed, so a mapping of the file holds the same bytes, in pages that
all replicas of the machine share.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch.export import ExportedProgram

__all__ = ["share_exported", "share_torchscript"]

_log = logging.getLogger(__name__)

_LOCAL_HEADER: Final = 30
_WORTH_BYTES: Final = 4096
"""Smaller tensors stay where they are: a page is the least that can be shared."""


class _Record(NamedTuple):
    offset: int
    size: int


def share_torchscript(file: Path, module: torch.jit.ScriptModule) -> int:
    """Map the parameters and buffers of `module`, loaded from `file`; the bytes that were."""
    with ZipFile(file) as archive:
        root, records = _records(archive)
        try:
            stored = dict(_attributes(_state(archive.read(f"{root}/data.pkl")), ""))
        except (KeyError, pickle.UnpicklingError, AttributeError, TypeError) as error:
            _log.warning("%s: its weights are not shared with other replicas: %r", file, error)
            return 0
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    found = {
        name: records[f"{root}/data/{key}"]
        for name, key in stored.items()
        if f"{root}/data/{key}" in records
    }
    return _map(file, tensors, found)


def share_exported(file: Path, name: str, program: ExportedProgram) -> int:
    """Map the weights and constants of `program`, model `name` of `file`; the bytes that were."""
    shared = 0
    kinds: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("weights", program.state_dict),
        ("constants", program.constants),
    )
    with ZipFile(file) as archive:
        root, records = _records(archive)
        for kind, tensors in kinds:
            try:
                text = archive.read(f"{root}/data/{kind}/{name}_{kind}_config.json")
            except KeyError:
                continue  # written by an older torch, in one pickle
            found = {
                fqn: records[f"{root}/data/{kind}/{entry['path_name']}"]
                for fqn, entry in json.loads(text)["config"].items()
                if not entry.get("use_pickle")
            }
            shared += _map(file, tensors, found)
    return shared


def _map(file: Path, tensors: Mapping[str, Any], records: Mapping[str, _Record]) -> int:
    """Give each tensor the bytes of its record in a mapping of `file`, where they fit."""
    size = file.stat().st_size
    whole = torch.UntypedStorage.from_file(str(file), shared=False, nbytes=size)
    shared: dict[int, int] = {}
    for name, record in records.items():
        tensor = tensors.get(name)
        if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
            continue
        fits = tensor.untyped_storage().nbytes() == record.size
        aligned = record.offset % tensor.element_size() == 0
        if not fits or not aligned or record.size < _WORTH_BYTES:
            continue
        part = whole[record.offset : record.offset + record.size]
        with torch.no_grad():
            tensor.set_(part, tensor.storage_offset(), tensor.shape, tensor.stride())
        shared[record.offset] = record.size
    return sum(shared.values())


def _records(archive: ZipFile) -> tuple[str, dict[str, _Record]]:
    """The folder that everything in an archive is in, and where its stored records begin."""
    found: dict[str, _Record] = {}
    for info in archive.infolist():
        if info.compress_type != ZIP_STORED or info.is_dir():
            continue
        file = archive.fp
        if file is None:
            raise BadZipFile("closed")
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER)
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        found[info.filename] = _Record(info.header_offset + _LOCAL_HEADER + names, info.file_size)
    return next(iter(found), "").partition("/")[0], found


class _Object:
    """An object of a TorchScript class, of which only the attributes are wanted."""

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Key(NamedTuple):
    """A tensor of the pickle: the record that its storage is in."""

    name: str


class _Reader(pickle.Unpickler):
    """Reads attribute names and record names; makes nothing of any class but `_Object`."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a class or function of the pickle; torch's own calls nothing."""
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return lambda storage, *_: storage
        if module == "collections" and name == "OrderedDict":
            return dict
        if module.startswith("__torch__"):
            return _Object
        return _nothing

    def persistent_load(self, identity: Any) -> _Key:
        """``("storage", type, key, device, count)``."""
        return _Key(str(identity[2]))


def _nothing(*_: object) -> _Object:
    return _Object()


def _state(data: bytes) -> object:
    return _Reader(io.BytesIO(data)).load()


def _attributes(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, _Key):
        yield path, value.name
    elif isinstance(value, _Object) and isinstance(getattr(value, "state", None), dict):
        for name, part in value.state.items():  # type: ignore[attr-defined]
            yield from _attributes(part, f"{path}.{name}" if path else str(name))
