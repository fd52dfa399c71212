"""The file MLmodel of an MLflow model: its flavors and its signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import orjson
import yaml

from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import TensorSpec, datatype_of

__all__ = ["FILE", "MLmodel"]

FILE: Final = "MLmodel"

_COLUMNS: Final[Mapping[str, str]] = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}


@dataclass(frozen=True)
class MLmodel:
    """What MLmodel says. Without a signature `inputs` and `outputs` are empty."""

    folder: Path
    flavors: Mapping[str, Mapping[str, Any]]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    tensors: bool = False
    """Whether the inputs are arrays, not columns of a data frame."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """For the model's metadata: the version of MLflow, the run, the flavors."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it. Raises `ModelLoadError` naming the file and the field."""
        file = folder / FILE
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ModelLoadError(f"{file}:{line} is no YAML: {error.problem}.") from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ModelLoadError(f"{file} cannot be read: {error}") from error
        flavors = found.get("flavors") if isinstance(found, dict) else None
        if not isinstance(flavors, dict) or not all(isinstance(f, dict) for f in flavors.values()):
            raise ModelLoadError(f"{file} has no mapping flavors; is it an MLflow model?")
        signature = found.get("signature") or {}
        inputs = _schema(file, signature, "inputs")
        told = {name: found[name] for name in ("mlflow_version", "run_id") if found.get(name)}
        return cls(
            folder,
            flavors,
            tuple(_spec(item, f"input-{n}", file) for n, item in enumerate(inputs)),
            tuple(
                _spec(item, f"output-{n}" if n else "predict", file)
                for n, item in enumerate(_schema(file, signature, "outputs"))
            ),
            any(item.get("type") == "tensor" for item in inputs),
            {**told, "flavors": sorted(flavors)},
        )


def _schema(file: Path, signature: Any, side: str) -> list[dict[str, Any]]:
    text = signature.get(side) if isinstance(signature, dict) else None
    if not text:
        return []
    try:
        items = orjson.loads(text)
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            return items
    except (orjson.JSONDecodeError, TypeError):
        pass
    raise ModelLoadError(f"{file}: signature.{side} is no JSON list of columns or tensors.")


def _spec(item: Mapping[str, Any], fallback: str, file: Path) -> TensorSpec:
    name = str(item.get("name") or fallback)
    kind = item.get("type")
    if kind == "tensor":
        try:
            described = item["tensor-spec"]
            dtype = np.dtype(described["dtype"])
            return TensorSpec(name, datatype_of(dtype), tuple(int(n) for n in described["shape"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelLoadError(f"{file}: signature of {name}: {error!r} is amiss.") from error
    # Arrays, objects and maps travel as JSON text.
    told = None if item.get("required", True) else {"optional": True}
    return TensorSpec(name, _COLUMNS.get(str(kind), "BYTES"), (-1, 1), told)
