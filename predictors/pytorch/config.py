"""What a model's folder says about it, in ``model.json`` or MLServer's ``model-settings.json``.

::

    {"class": "Net", "arguments": {"hidden": 16},
     "inputs": [{"name": "tokens", "datatype": "INT64", "shape": [-1, -1],
                 "pad": {"axis": 1, "value": 0}}],
     "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, -1, 2], "trim": 1}],
     "batch": true, "max_batch_size": 32, "max_batch_latency_ms": 2}

Every key may be left out. In ``model-settings.json`` the keys that MLServer does not know stand
below ``parameters.extra``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from predictors.pytorch.types import DTYPES
from predictors.serving.errors import ModelLoadError
from predictors.serving.settings import BatchSettings
from predictors.serving.tensors import TensorSpec

__all__ = ["ModelConfig", "read_config"]

_OWN: Final = "model.json"
_MLSERVER: Final = "model-settings.json"
_KEYS: Final = frozenset(
    {
        "arguments",
        "batch",
        "class",
        "inputs",
        "max_batch_latency_ms",
        "max_batch_size",
        "outputs",
    }
)


@dataclass(frozen=True)
class ModelConfig:
    """The same, read; `name` is ``module:Class``, or ``Class`` of the module beside the weights.

    `padding` has, by input, the axis along which requests of different lengths are joined and the
    value they are filled with; `trimmed` has, by output, the axis that has that length again.
    `batch` is None where nothing is said about joining requests.
    """

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    padding: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    trimmed: Mapping[str, int] = field(default_factory=dict)
    batch: bool | None = None
    batching: BatchSettings | None = None


def read_config(folder: Path) -> ModelConfig:
    """The configuration in `folder`, an empty one if there is none. Raises `ModelLoadError`."""
    if not folder.is_dir():
        folder = folder.parent
    for name in (_OWN, _MLSERVER):
        file = folder / name
        if file.is_file():
            raw = _parsed(file)
            return _Reader(file, raw if name == _OWN else _from_mlserver(raw)).config()
    return ModelConfig()


def _parsed(file: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelLoadError(f"{file} is not readable as JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ModelLoadError(f"{file} must hold a JSON object.")
    return raw


def _from_mlserver(raw: Mapping[str, Any]) -> dict[str, Any]:
    parameters = raw.get("parameters")
    extra = parameters.get("extra") if isinstance(parameters, Mapping) else None
    merged = {key: raw[key] for key in ("inputs", "outputs", "max_batch_size") if key in raw}
    seconds = raw.get("max_batch_time")
    if seconds is not None:
        told = isinstance(seconds, int | float)
        merged["max_batch_latency_ms"] = seconds * 1e3 if told else seconds
    known = extra if isinstance(extra, Mapping) else {}
    return {**merged, **{key: value for key, value in known.items() if key in _KEYS}}


class _Reader:
    """Reads one file; an error names the key."""

    def __init__(self, file: Path, raw: Mapping[str, Any]) -> None:
        self._file = file
        self._raw = raw

    def config(self) -> ModelConfig:
        unknown = sorted(self._raw.keys() - _KEYS)
        if unknown:
            raise self._wrong(unknown[0], f"is not known; known are {', '.join(sorted(_KEYS))}")
        batch = self._raw.get("batch")
        if batch is not None and not isinstance(batch, bool):
            raise self._wrong("batch", "must be true or false")
        arguments = self._raw.get("arguments", {})
        if not isinstance(arguments, dict):
            raise self._wrong("arguments", "must be an object")
        inputs, outputs = self._tensors("inputs"), self._tensors("outputs")
        specs = tuple(self._spec("inputs", i, entry) for i, entry in enumerate(inputs))
        return ModelConfig(
            name=str(self._raw.get("class", "")),
            arguments=arguments,
            inputs=specs,
            outputs=tuple(self._spec("outputs", i, entry) for i, entry in enumerate(outputs)),
            padding=self._padding(inputs, specs),
            trimmed={
                entry["name"]: self._axis(f"outputs[{index}].trim", entry["trim"])
                for index, entry in enumerate(outputs)
                if "trim" in entry
            },
            batch=batch,
            batching=self._batching(),
        )

    def _tensors(self, key: str) -> list[dict[str, Any]]:
        entries = self._raw.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self._wrong(key, "must be a list of objects")
        return entries

    def _spec(self, key: str, index: int, entry: Mapping[str, Any]) -> TensorSpec:
        where = f"{key}[{index}]"
        name, kind, shape = entry.get("name"), entry.get("datatype", "FP32"), entry.get("shape")
        if not isinstance(name, str) or not name:
            raise self._wrong(f"{where}.name", "must be a name")
        if kind not in DTYPES:
            raise self._wrong(f"{where}.datatype", f"must be one of {', '.join(DTYPES)}")
        if not isinstance(shape, list) or not all(
            isinstance(size, int) and size >= -1 for size in shape
        ):
            raise self._wrong(f"{where}.shape", "must be a list of sizes, -1 for any")
        return TensorSpec(name, kind, tuple(shape))

    def _padding(
        self, inputs: list[dict[str, Any]], specs: tuple[TensorSpec, ...]
    ) -> dict[str, tuple[int, float]]:
        found: dict[str, tuple[int, float]] = {}
        for index, (entry, spec) in enumerate(zip(inputs, specs, strict=True)):
            pad = entry.get("pad")
            if pad is None:
                continue
            where = f"inputs[{index}].pad"
            if not isinstance(pad, dict) or not isinstance(pad.get("value", 0), int | float):
                raise self._wrong(where, 'must be like {"axis": 1, "value": 0}')
            axis = self._axis(f"{where}.axis", pad.get("axis", 1))
            if axis >= len(spec.shape) or spec.shape[axis] != -1:
                raise self._wrong(f"{where}.axis", f"is {axis}, which shape does not leave open")
            found[spec.name] = (axis, pad.get("value", 0))
        return found

    def _axis(self, where: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._wrong(where, "must be the number of an axis, 1 or more")
        return value

    def _batching(self) -> BatchSettings | None:
        size, latency = self._raw.get("max_batch_size"), self._raw.get("max_batch_latency_ms", 0)
        if size is None:
            return None
        if not isinstance(size, int) or size < 0:
            raise self._wrong("max_batch_size", "must be a number of rows")
        if not isinstance(latency, int | float) or latency < 0:
            raise self._wrong("max_batch_latency_ms", "must be a number of milliseconds")
        return BatchSettings(size, latency / 1e3)

    def _wrong(self, key: str, what: str) -> ModelLoadError:
        return ModelLoadError(f"{self._file}: {key} {what}.")
