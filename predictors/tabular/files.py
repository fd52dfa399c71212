"""Fitted estimators read from pickle, joblib and skops files, as far as the policy lets them."""

from __future__ import annotations

import importlib
import os
import pickle
from pathlib import Path
from typing import Any, Final

from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Policy

__all__ = ["PICKLES", "read_estimator", "why_unreadable"]

PICKLES: Final = (".joblib", ".pkl", ".pickle")
_MAPPED_BYTES: Final = 1 << 20
"""Arrays of larger joblib files are mapped: replicas then share their pages."""


def read_estimator(file: Path, policy: Policy, model: str) -> Any:
    """The object in `file`. Raises `ModelLoadError`, from the policy or naming what is wrong."""
    if file.suffix == ".skops":
        return _from_skops(file, policy, model)
    policy.check("a pickle or joblib file", str(file), model)
    try:
        return _unpickled(file)
    except Exception as error:
        raise ModelLoadError(f"{file} cannot be loaded: {why_unreadable(error)}") from error


def why_unreadable(error: Exception) -> str:
    """One sentence on why a file could not be made a model of."""
    if isinstance(error, ModuleNotFoundError):
        return f"it needs the Python module {error.name}, which is not installed here."
    if isinstance(error, AttributeError):
        return (
            f"{error}. It was probably saved by another version of its framework than the one "
            "installed here, or refers to code that is not."
        )
    if isinstance(error, EOFError):
        return "it ends too early. Was it copied as a whole?"
    reason = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {reason}. Is it a joblib or pickle file?"


def _unpickled(file: Path) -> Any:
    try:
        joblib = importlib.import_module("joblib")
    except ModuleNotFoundError:
        if file.suffix == ".joblib":
            raise
        with file.open("rb") as opened:
            return pickle.load(opened)  # noqa: S301 - the policy has been asked
    mapped = file.suffix == ".joblib" and file.stat().st_size >= _MAPPED_BYTES
    return joblib.load(file, mmap_mode="r" if mapped else None)


def _from_skops(file: Path, policy: Policy, model: str) -> Any:
    try:
        skops = importlib.import_module("skops.io")
    except ModuleNotFoundError as error:
        raise ModelLoadError(f"{file} cannot be loaded: {why_unreadable(error)}") from error
    trusted = [t for t in os.environ.get("ROUSE_SKOPS_TRUSTED_TYPES", "").split(",") if t]
    try:
        unknown = sorted(set(skops.get_untrusted_types(file=file)) - set(trusted))
        if unknown:
            kind = f"a skops file with the types {', '.join(unknown)} (ROUSE_SKOPS_TRUSTED_TYPES)"
            policy.check(kind, str(file), model)
        return skops.load(file, trusted=[*trusted, *unknown])
    except ModelLoadError:
        raise
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise ModelLoadError(
            f"{file} cannot be loaded: {type(error).__name__}: {reason}. Is it a skops file?"
        ) from error
