"""A class of the user's with its weights: ``model.py`` beside them, or ``module:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import torch

from predictors.pytorch.config import ModelConfig
from predictors.pytorch.device import Device
from predictors.pytorch.empty import WithoutInitialization
from predictors.pytorch.formats import Format, Found
from predictors.pytorch.program import Program, unknown
from predictors.pytorch.types import datatype
from predictors.pytorch.weights import (
    NotOnlyTensorsError,
    assign,
    load_safetensors,
    load_state_dict,
)
from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Policy
from predictors.serving.tensors import TensorSpec

__all__ = ["load_class"]

_KSERVE: Final = "PyTorchModel"
"""The class that KServe's pytorchserver looks for unless told otherwise."""


def load_class(
    found: Found, folder: Path, config: ModelConfig, device: Device, policy: Policy, model: str
) -> Program:
    """An instance of the class with the weights of `found`, in eval mode on `device`.

    A whole module that was pickled needs no class, but a policy that lets pickles in. Raises
    `ModelLoadError`.
    """
    file = found.files[0]
    if found.format is Format.SAFETENSORS:
        module = _made(folder, config, policy, model)
        assign(module, load_safetensors(found.files, device), file.parent)
    else:
        module = _from_pickle(file, folder, config, device, policy, model)
    # Buffers that are no part of the state are still where the class made them.
    module = module.to(device.torch).eval().requires_grad_(False)
    inputs = config.inputs or tuple(_inputs(module))
    names = {spec.name for spec in inputs}
    by_name = names <= set(inspect.signature(module.forward).parameters)

    def call(values: Sequence[torch.Tensor]) -> object:
        if by_name:
            given = zip(inputs, values, strict=True)
            return module(**{spec.name: value for spec, value in given})
        return module(*values)

    return Program(found.format.value, call, inputs, config.outputs, module)


def _from_pickle(
    file: Path, folder: Path, config: ModelConfig, device: Device, policy: Policy, model: str
) -> torch.nn.Module:
    module = None
    if _source(folder) is not None or config.name:
        module = _made(folder, config, policy, model)
    try:
        loaded = load_state_dict(file, device)
    except NotOnlyTensorsError:
        policy.check("a pickled PyTorch module", str(file), model)
        loaded = load_state_dict(file, device, any_code=True)
    if isinstance(loaded, torch.nn.Module):
        return loaded
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]  # a checkpoint of a trainer
    if not isinstance(loaded, dict):
        raise ModelLoadError(
            f"{file} holds a {type(loaded).__name__}, not a state_dict. Save model.state_dict()."
        )
    if module is None:
        raise ModelLoadError(
            f"{file} holds weights without a program. Put the class into model.py beside it, name "
            'one that is installed in model.json ({"class": "package.module:Class"}), or save the '
            "model by torch.export."
        )
    assign(module, loaded, file)
    return module


def _made(folder: Path, config: ModelConfig, policy: Policy, model: str) -> torch.nn.Module:
    """An instance without weights: they come by assignment, so that none are made twice."""
    kind = _class(folder, config.name, policy, model)
    try:
        with WithoutInitialization():
            made = kind(**config.arguments)
    except Exception as error:
        raise ModelLoadError(
            f"{kind.__name__} cannot be made with the arguments {dict(config.arguments)}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, torch.nn.Module):
        raise ModelLoadError(f"{kind.__name__} makes a {type(made).__name__}, no torch.nn.Module.")
    return made


def _class(folder: Path, name: str, policy: Policy, model: str) -> type[torch.nn.Module]:
    package, _, wanted = name.rpartition(":")
    if package:
        module = _imported(package)
    else:
        source = _source(folder)
        if source is None:
            raise ModelLoadError(
                f"{folder} holds weights, but neither model.py with their class nor a model.json "
                'that names an installed one: {"class": "package.module:Class"}.'
            )
        policy.check(f"{source.name}, the model's own code,", str(source), model)
        module = _executed(source)
    found = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, torch.nn.Module)
    }
    own = {key: kind for key, kind in found.items() if kind.__module__ == module.__name__}
    if not wanted:
        wanted = _KSERVE if _KSERVE in own else next(iter(own), "") if len(own) == 1 else ""
    factory = getattr(module, wanted, None) if package else found.get(wanted)
    if factory is None or not callable(factory):
        listed = ", ".join(own) or "no class of torch.nn.Module"
        raise ModelLoadError(
            f"{module.__file__ or package} has {listed}; name the model's in model.json: "
            f'{{"class": "{wanted or next(iter(own), "Net")}"}}.'
        )
    kind: type[torch.nn.Module] = factory
    return kind


def _source(folder: Path) -> Path | None:
    """``model.py``, or the only Python file there, as KServe's server takes it."""
    if (folder / "model.py").is_file():
        return folder / "model.py"
    files = sorted(folder.glob("*.py"))
    return files[0] if len(files) == 1 else None


def _imported(package: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModelLoadError(
            f"model.json names a class of {package}, which cannot be imported: {error}. Install "
            "it in the predictor's image."
        ) from error


def _executed(source: Path) -> ModuleType:
    """The module of a file, by the name that a pickle of its class has: that of the file."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    if spec is None or spec.loader is None:
        raise ModelLoadError(f"{source} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[source.stem] = module
    folder = str(source.parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelLoadError(
            f"{source} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove(folder)
    return module


def _inputs(module: torch.nn.Module) -> list[TensorSpec]:
    """The required arguments of ``forward``; of what shape and datatype, its code does not say."""
    weight = next((each.dtype for each in module.parameters()), torch.float32)
    required = [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    return [unknown(name, datatype(weight)) for name in required]
