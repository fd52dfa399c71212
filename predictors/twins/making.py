"""From a loaded original to a twin's description, or the reason why there is none."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from predictors.serving.model import Model
from predictors.serving.tensors import Array, TensorSpec
from predictors.twins.agreement import (
    CHECKS,
    Disagreement,
    Tolerance,
    agree,
    close,
    outcome,
    refusals,
)
from predictors.twins.artifact import Operation, packed, unpacked
from predictors.twins.drawing import extreme_rows, rows_near
from predictors.twins.model import TwinModel
from predictors.twins.operations import AskTheOriginal, chained
from predictors.twins.translation import Translated, UntranslatableError, translate_original

__all__ = ["Verdict", "make"]


class Verdict(NamedTuple):
    """A description that agrees with its original, or None; `reason` says what was found."""

    description: Mapping[str, Any] | None
    reason: str


def make(original: Model, file: Path, scratch: Path, *, checks: int = CHECKS) -> Verdict:
    """The twin of the loaded `original` of `file`, held against it on `checks` rows.

    It is written to and read from the folder `scratch` first, as a server would read it.
    """
    try:
        return _made(original, file, scratch, checks)
    except UntranslatableError as error:
        return Verdict(None, f"not translated: {error}")
    except Disagreement as error:
        return Verdict(None, f"the translation disagrees: {error}")


def _made(original: Model, file: Path, scratch: Path, checks: int) -> Verdict:
    known, translated, tolerance = translate_original(original)
    columns, methods = known.columns, known.methods
    if columns.count is None or columns.text or columns.strings or columns.count == 0:
        raise UntranslatableError("its rows are not numbers in columns")
    if not original.batchable:
        raise UntranslatableError("it holds classes that are not its framework's own")
    random = np.random.default_rng(0)
    first = next(iter(translated.heads.get(methods[0], ())), ())
    with np.errstate(all="ignore"):
        rows = rows_near([*translated.base, *first], columns.count, checks, random)
        heads = _heads(original, methods, translated, rows, tolerance)
    description: dict[str, Any] = {
        "framework": original.platform,
        "made_with": _version(original.platform),
        "columns": {
            "count": columns.count,
            "names": list(columns.names) if columns.names is not None else None,
            "by_name": columns.frame is not None,
            "datatypes": dict(columns.datatypes),
        },
        "inputs": _specs(original.inputs),
        "outputs": _specs(original.outputs),
        "methods": list(methods),
        "base": list(translated.base),
        "heads": heads,
        "refusals": refusals(original, methods[0], rows),
        "agreement": {"rows": 0, "tolerance": tolerance.relative, "methods": list(heads)},
    }
    twin_file = scratch / "candidate.twin"
    twin_file.write_bytes(packed(description))
    twin = TwinModel(original.name, file, unpacked(twin_file), lambda _: original)
    twin.load()
    try:
        checked = agree(original, twin, list(methods), rows, extreme_rows(rows), tolerance)
    finally:
        twin.unload()
    if checked.alone < 0.5:
        raise Disagreement(f"it could answer only {checked.alone:.0%} of the rows by itself")
    description["agreement"]["rows"] = checked.rows
    left = [method for method in methods if method not in heads]
    told = f"; left to the original: {', '.join(left)}" if left else ""
    words = f"agrees on {checked.rows} rows in {', '.join(heads)}{told}"
    return Verdict(description, words)


def _heads(
    original: Model,
    methods: Sequence[str],
    translated: Translated,
    rows: Array,
    tolerance: Tolerance,
) -> dict[str, list[Operation]]:
    """For each method the first of its ways that agrees on ordinary rows.

    A further method that none agrees on is left to the original. Raises `Disagreement` when the
    first method is among them.
    """
    base = chained(translated.base)
    found: dict[str, list[Operation]] = {}
    block = rows[:200]
    for method in methods:
        for way in translated.heads.get(method, ()):
            wanted = outcome(original, method, block)
            try:
                given = chained(way)(base(block))
            except (AskTheOriginal, ValueError):
                continue  # or a formula for scores of another shape
            if close(wanted, given, tolerance):
                found[method] = list(way)
                break
    primary = methods[0]
    if primary not in found:
        raise Disagreement(f"{primary} differs on ordinary rows")
    return found


def _specs(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "datatype": each.datatype,
            "shape": list(each.shape),
            "parameters": dict(each.parameters) if each.parameters else None,
        }
        for each in specs
    ]


def _version(framework: str) -> str:
    return f"{framework} {importlib.import_module(framework).__version__}"
