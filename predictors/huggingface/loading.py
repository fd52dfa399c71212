"""A torch module of a model's folder: its class by name, its weights mapped, not copied."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
import transformers
from transformers.initialization import no_init_weights
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from predictors.huggingface.options import Options
from predictors.huggingface.task import Task
from predictors.pytorch.device import Device
from predictors.pytorch.linear import use_onednn
from predictors.pytorch.weights import load_safetensors, load_state_dict
from predictors.serving.errors import ModelLoadError, StartupError
from predictors.serving.policy import Policy

if TYPE_CHECKING:
    from predictors.huggingface.config import ModelFolder

__all__ = ["allow_code", "build", "complete", "load_module", "tensors_of"]

_log = logging.getLogger(__name__)

_AUTO: Final[Mapping[Task, tuple[str, str]]] = {
    Task.TEXT_CLASSIFICATION: (
        "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
        "SequenceClassification",
    ),
    Task.ZERO_SHOT: ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES", "SequenceClassification"),
    Task.RERANK: ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES", "SequenceClassification"),
    Task.TOKEN_CLASSIFICATION: (
        "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
        "TokenClassification",
    ),
    Task.FILL_MASK: ("MODEL_FOR_MASKED_LM_MAPPING_NAMES", "MaskedLM"),
    Task.QUESTION_ANSWERING: ("MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES", "QuestionAnswering"),
    Task.EMBEDDING: ("MODEL_MAPPING_NAMES", ""),
    Task.TEXT_GENERATION: ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "CausalLM"),
    Task.TEXT2TEXT: ("MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "Seq2SeqLM"),
}
"""Where transformers lists the classes of a task, by family, and what its Auto class is called."""


_NOT_USED: Final = ("pooler", "masked_spec_embed")
"""Parts of names of weights that answers do not need, and that often were not saved."""


def load_module(files: ModelFolder, options: Options, device: Device) -> torch.nn.Module:
    """The module of an encoder's folder, on `device`, for inference. Raises `StartupError`."""
    name = _class_of(files)
    if name is None:
        return _loaded_by_transformers(files, options, device)
    try:
        config = CONFIG_MAPPING[files.model_type].from_dict(dict(files.config))
        module = build(name, config)
    except StartupError:
        raise
    except Exception as error:
        raise ModelLoadError(
            f"{files.path / 'config.json'} does not fit {name}: {type(error).__name__}: {error}"
        ) from error
    if not _filled(module, files, device):
        module = _loaded_by_transformers(files, options, device)
    return _placed(module, options, device)


def build(name: str, config: Any) -> torch.nn.Module:
    """An empty module of a class of transformers; its memory is not touched."""
    with no_init_weights():
        module: torch.nn.Module = getattr(transformers, name)(config)
    return module.eval()


def tensors_of(paths: Sequence[Path], device: Device) -> Mapping[str, Any]:
    """The tensors of files, all safetensors or all pickles of tensors. Raises `StartupError`."""
    if paths[0].suffix == ".safetensors":
        return load_safetensors(paths, device)
    tensors: dict[str, Any] = {}
    for path in paths:
        loaded = load_state_dict(path, device)
        if not isinstance(loaded, dict):
            raise ModelLoadError(f"{path} holds a {type(loaded).__name__}, not a state_dict.")
        tensors |= loaded
    return tensors


def allow_code(files: ModelFolder, options: Options) -> bool:
    """Whether Python code of the folder may be run: it needs the flag, and the policy's leave.

    Raises `ModelLoadError` where the policy refuses what the flag asks for.
    """
    if not options.trust_remote_code:
        return False
    Policy.of(os.environ).check("Python code in a model's folder", str(files.path), files.path.name)
    return True


def _class_of(files: ModelFolder) -> str | None:
    """The name of the class, as transformers has it for the family; None if it has none."""
    listed, _ = _AUTO[files.task]
    found = getattr(modeling_auto, listed).get(files.model_type)
    if isinstance(found, tuple | list):
        architectures = files.config.get("architectures") or ()
        found = next((name for name in architectures if name in found), found[0])
    return found if files.model_type in CONFIG_MAPPING else None


def _filled(module: torch.nn.Module, files: ModelFolder, device: Device) -> bool:
    """Make the folder's tensors the module's parameters; False where names need translation."""
    paths = files.weights()
    tensors = tensors_of(paths, device)
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    tied = set(getattr(module, "all_tied_weights_keys", None) or ())
    found, missing = {}, []
    for name, own in module.state_dict().items():
        tensor = tensors.get(name, tensors.get(prefix + name))
        if tensor is None and name not in tied:
            missing.append(name)
        elif tensor is not None:
            if tensor.shape != own.shape:
                raise ModelLoadError(
                    f"{paths[0].parent}: {name} is {list(tensor.shape)}, and config.json makes it "
                    f"{list(own.shape)}. Are config and weights of the same model?"
                )
            found[name] = tensor
    if missing:
        _log.debug("%d names differ from the module's, e.g. %s", len(missing), missing[0])
        return False
    module.load_state_dict(found, strict=False, assign=True)
    if tied:
        module.tie_weights()  # type: ignore[operator]
    return True


def _loaded_by_transformers(
    files: ModelFolder, options: Options, device: Device
) -> torch.nn.Module:
    """The same by ``from_pretrained``, which knows old names and may run the folder's code."""
    code = allow_code(files, options)
    if files.config.get("auto_map") and not code and files.model_type not in CONFIG_MAPPING:
        raise ModelLoadError(
            f"{files.path} needs Python code of its own (auto_map in config.json), which is not "
            "run. If you trust it, give --trust_remote_code."
        )
    files.weights()
    auto = getattr(
        transformers, f"AutoModel{'For' if _AUTO[files.task][1] else ''}{_AUTO[files.task][1]}"
    )
    return _placed(complete(auto, files, trust_remote_code=code), options, device)


def complete(auto: Any, files: ModelFolder, **given: Any) -> torch.nn.Module:
    """The module that a class of transformers makes of a folder.

    Raises `ModelLoadError`, also where the folder has not all weights: transformers would fill
    in random ones.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module, told = auto.from_pretrained(
                str(files.path), local_files_only=True, output_loading_info=True, **given
            )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(f"{files.path} cannot be loaded for {files.task}: {reason}") from error
    missing = sorted(
        name for name in told["missing_keys"] if not any(part in name for part in _NOT_USED)
    )
    if missing:
        raise ModelLoadError(
            f"{files.path} has no weights for {', '.join(missing[:5])}, which {files.task} needs. "
            "Is it a model of that task (--task)?"
        )
    made: torch.nn.Module = module.eval()
    return made


def _placed(module: torch.nn.Module, options: Options, device: Device) -> torch.nn.Module:
    """On the device, in the type that is asked for; auto is float32 on a processor."""
    first = next(module.parameters(), None)
    wanted = None
    if options.dtype != "auto":
        wanted = getattr(torch, options.dtype)
    elif not device.accelerated and first is not None and first.dtype is not torch.float32:
        wanted = torch.float32
    with device.out_of_memory(type(module).__name__):
        module = module.to(device.torch)
        if wanted is not None and first is not None and first.dtype is not wanted:
            module = module.to(wanted)
    module.requires_grad_(False)
    use_onednn(module)
    return module
