"""The flavors of which a predictor of ours makes a faster model than MLflow's pyfunc is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from predictors.mlflow.mlmodel import MLmodel
from predictors.serving.errors import ModelLoadError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.tabular.cpus import usable_cpus

__all__ = ["native"]


def native(name: str, described: MLmodel, policy: Policy) -> Model | None:
    """The model of the first such flavor, None when there is none. Raises `ModelLoadError`."""
    for flavor, make in _MAKERS.items():
        details = described.flavors.get(flavor)
        # Code of its own beside the model is pyfunc's to put on the path; so are custom predictors.
        if details is None or details.get("code") or not _plain(described):
            continue
        try:
            return make(name, described.folder, details, policy)
        except ModuleNotFoundError as error:
            raise ModelLoadError(
                f"the flavor {flavor} needs the Python module {error.name}, which is not "
                "installed here; use an image that has it."
            ) from error
    return None


def _plain(described: MLmodel) -> bool:
    function = described.flavors.get("python_function", {})
    return str(function.get("predict_fn", "predict")) == "predict"


def _file(folder: Path, details: Mapping[str, Any], key: str) -> Path:
    told = details.get(key)
    file = folder / str(told)
    if not told or not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
        raise ModelLoadError(f"{folder}/MLmodel: {key} is {told!r}, which is no file of the model.")
    return file


def _sklearn(name: str, folder: Path, details: Mapping[str, Any], policy: Policy) -> Model:
    from predictors.sklearn.model import SklearnModel

    return SklearnModel(name, _file(folder, details, "pickled_model"), policy=policy)


def _xgboost(name: str, folder: Path, details: Mapping[str, Any], policy: Policy) -> Model:
    from predictors.xgboost.model import BoosterModel, WrapperModel

    file = _file(folder, details, "data")
    kind = str(details.get("model_class", "Booster")).rpartition(".")[2]
    if kind == "Booster":
        return BoosterModel(name, file, threads=usable_cpus())
    return WrapperModel(name, file, threads=usable_cpus(), kind=kind, policy=policy)


def _lightgbm(name: str, folder: Path, details: Mapping[str, Any], policy: Policy) -> Model:
    from predictors.lightgbm.model import BoosterModel, WrapperModel

    file = _file(folder, details, "data")
    if file.suffix in (".lgb", ".txt"):
        return BoosterModel(name, file, threads=usable_cpus())
    return WrapperModel(name, file, threads=usable_cpus(), policy=policy)


def _onnx(name: str, folder: Path, details: Mapping[str, Any], policy: Policy) -> Model:
    from predictors.onnx.model import OnnxModel

    return OnnxModel(name, _file(folder, details, "data"), threads=usable_cpus())


_MAKERS: Final[Mapping[str, Callable[[str, Path, Mapping[str, Any], Policy], Model]]] = {
    "onnx": _onnx,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "sklearn": _sklearn,
}
