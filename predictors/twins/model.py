"""A twin as a `Model`: the arithmetic where it is sure of it, the original for all else."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InferenceError, InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.tensors import Array, Tensor, TensorSpec
from predictors.tabular.columns import Columns
from predictors.twins.artifact import BadTwinError
from predictors.twins.operations import AskTheOriginal, Step, chained

__all__ = ["TwinModel"]

_HUGE: Final = 1e76
"""Above this sum of squares a value may overflow float32; NaN and infinity compare false too."""


class TwinModel(Model):
    """Answers as the original would, without its framework.

    `original` makes the original of a file, loaded; it is called when a request first needs it.
    `file` is kept open, so that this works when its folder is gone by then. Raises
    `ModelLoadError` for a description that is damaged.
    """

    batchable = True

    def __init__(
        self,
        name: str,
        file: Path,
        description: Mapping[str, Any],
        original: Callable[[Path], Model],
        *,
        predict_proba: bool = False,
    ) -> None:
        super().__init__(name)
        self._file = file
        self._make = original
        self._original: Model | None = None
        self._lock = threading.Lock()
        self._held = -1
        try:
            self._describe(description, predict_proba)
        except (BadTwinError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelLoadError(f"the twin of {file} is damaged: {error}") from error

    def _describe(self, told: Mapping[str, Any], predict_proba: bool) -> None:
        self.platform: str = told["framework"]  # type: ignore[misc]
        self._columns = _columns(told["columns"])
        self.inputs = _specs(told["inputs"])
        self.outputs = _specs(told["outputs"])
        self._methods: tuple[str, ...] = tuple(told["methods"])
        self._base = chained(told["base"])
        self._heads: dict[str, Step] = {
            method: chained(steps) for method, steps in told["heads"].items()
        }
        self._refusals: dict[str, Any] = dict(told["refusals"])
        proba = predict_proba and "predict_proba" in self._methods
        self._default = ("predict_proba",) if proba else self._methods[:1]
        self.metadata_extra = {"twin": "numpy", "twin_agreement": told["agreement"]}

    def load(self) -> None:
        """Keep the original's file open. Raises `ModelLoadError` when it cannot be read."""
        try:
            self._held = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ModelLoadError(f"{self._file} cannot be read: {error}") from error

    def unload(self) -> None:
        """Close the original's file, and take the original down where it was needed."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)
        if self._original is not None:
            self._original.unload()

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Answer, or have the original answer. Raises `InvalidInputError`."""
        rows = self._columns.rows(self.name, inputs)
        names = wanted or self._default
        if type(rows) is not np.ndarray or rows.dtype.char != "d" or rows.ndim != 2:
            return self._asked(inputs, wanted)
        flat = rows.ravel()
        try:
            if rows.size and float(flat.dot(flat)) < _HUGE:
                return self._answered(rows, names)
            return self._unusual(rows, names)
        except AskTheOriginal:
            return self._asked(inputs, wanted)

    def answer(self, method: str, rows: Array) -> Array:
        """One method's answer to ordinary rows. Raises `AskTheOriginal`."""
        return self._answered(rows, (method,))[0].array

    def _answered(self, rows: Array, names: Sequence[str]) -> list[Tensor]:
        heads = []
        for name in names:
            head = self._heads.get(name)
            if head is None:
                self._known(name)
                raise AskTheOriginal
            heads.append(head)
        scores = self._base(rows)
        return [Tensor(name, head(scores)) for name, head in zip(names, heads, strict=True)]

    def _known(self, name: str) -> None:
        if name not in self._methods:
            offered = ", ".join(self._methods)
            raise InvalidInputError(f"Model {self.name} has no output {name}. It has: {offered}.")

    def _unusual(self, rows: Array, names: Sequence[str]) -> list[Tensor]:
        """Rows that are none, not finite, or huge: refused as the original did when asked."""
        for name in names:
            self._known(name)
        if not rows.size:
            self._refuse("empty")
        holes, endless = np.isnan(rows).any(), np.isinf(rows).any()
        if holes and endless:
            raise AskTheOriginal  # which of the two it names depends on its parts
        if holes:
            self._refuse("nan")
        if endless:
            self._refuse("inf")
            raise AskTheOriginal
        with np.errstate(all="ignore"):
            if np.isinf(rows.astype(np.float32)).any():
                self._refuse("huge")
                raise AskTheOriginal
            finite = rows[~np.isnan(rows)]
            if not float(finite.dot(finite)) < _HUGE:
                raise AskTheOriginal
            return self._answered(rows, names)

    def _refuse(self, kind: str) -> None:
        """Refuse rows as the original does; return when it takes them."""
        said = self._refusals.get(kind)
        if said is True:
            return
        if not isinstance(said, str):
            raise AskTheOriginal
        raise InvalidInputError(f"Model {self.name} refused the input: {said}")

    def _asked(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        with self._lock:
            if self._original is None:
                self._original = self._loaded()
        return self._original.predict(inputs, wanted)

    def _loaded(self) -> Model:
        try:
            if self._same():
                return self._make(self._file)
            # The file is gone or another one by now: what it was is still open.
            with tempfile.TemporaryDirectory(prefix="rouse-original-") as folder:
                copy = Path(folder, self._file.name)
                with open(f"/proc/self/fd/{self._held}", "rb") as held, copy.open("wb") as opened:
                    shutil.copyfileobj(held, opened)
                return self._make(copy)
        except Exception as error:
            raise InferenceError(
                f"Model {self.name}: its twin leaves this input to the original, which cannot be "
                f"loaded: {error}"
            ) from error

    def _same(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._file), os.fstat(self._held))
        except OSError:
            return False


def _columns(told: Mapping[str, Any]) -> Columns:
    names = told["names"]
    return Columns(
        told["count"],
        tuple(names) if names is not None else None,
        _matrix if told["by_name"] else None,
        told["datatypes"],
    )


def _matrix(data: Any, columns: Sequence[str] = ()) -> Array:
    """What stands for a data frame: its columns side by side, as numbers where they are."""
    if isinstance(data, np.ndarray):
        return data
    if any(part.dtype.kind not in "biuf" for part in data.values()):
        raise AskTheOriginal
    return np.column_stack([part.astype(np.float64) for part in data.values()])


def _specs(told: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(each["name"], each["datatype"], tuple(each["shape"]), each["parameters"])
        for each in told
    )
