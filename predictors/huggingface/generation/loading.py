"""A model's folder made into an engine, its tokenizer, and what bounds it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GenerationConfig, PreTrainedModel

from predictors.huggingface.config import ModelFolder
from predictors.huggingface.generation.adapters import Adapters, load_adapters
from predictors.huggingface.generation.continuous import ContinuousEngine
from predictors.huggingface.generation.engine import Engine
from predictors.huggingface.generation.runner import Runner
from predictors.huggingface.generation.seq2seq import Seq2SeqEngine
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.loading import allow_code, load_module
from predictors.huggingface.options import Options
from predictors.pytorch.device import Device
from predictors.pytorch.options import Options as Compiler
from predictors.serving.errors import ModelLoadError

__all__ = ["Loaded", "load"]

_log = logging.getLogger(__name__)

_UNBOUNDED = 1_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """`context` are the tokens of prompt and text together, or of the prompt for encoders.

    `prefix` stands before each prompt, as some tasks of T5 want it. `words` are how many tokens
    the model has vectors of.
    """

    engine: Engine
    tokenizer: Any
    context: int
    adapters: Adapters
    encodes: bool
    task: str
    revision: str
    prefix: str = ""
    words: int = sys.maxsize


def load(
    name: str, folder: Path, options: Options, settings: GenerationSettings, env: Mapping[str, str]
) -> Loaded:
    """Load a model and its adapters. Raises `StartupError`."""
    files = ModelFolder.read(folder, options)
    device = Device.choose(env)
    tokenizer = _tokenizer(files, options)
    context = _context(files, options, settings, tokenizer)
    if _wants_vllm(settings, device):
        from predictors.huggingface.generation.vllm import VllmEngine

        remote = VllmEngine(name, files.path, options, settings, context)
        adapters = Adapters(remote.adapters)
        return Loaded(
            remote, tokenizer, context, adapters, False, files.task, files.revision(options)
        )
    model = load_module(files, options, device)
    if not isinstance(model, PreTrainedModel):
        raise ModelLoadError(f"{files.path} holds {type(model).__name__}, which makes no text.")
    _configure(model, files.path)
    adapters = load_adapters(model, files.path)
    embeddings: Any = model.get_input_embeddings()
    encodes = bool(model.config.is_encoder_decoder)
    engine: Engine
    if encodes:
        engine = Seq2SeqEngine(name, model, adapters, tokenizer, settings, device)
    else:
        runner = _runner(name, model, adapters, settings, device, env)
        ends = _ends(model, tokenizer)
        engine = ContinuousEngine(name, runner, tokenizer, ends, settings, device)
    return Loaded(
        engine,
        tokenizer,
        context,
        adapters,
        encodes,
        str(files.task),
        files.revision(options),
        _prefix(files, options),
        int(embeddings.weight.shape[0]),
    )


def _runner(
    name: str,
    model: PreTrainedModel,
    adapters: Adapters,
    settings: GenerationSettings,
    device: Device,
    env: Mapping[str, str],
) -> Runner:
    """With steps at fixed shapes where they are wanted, and the model allows them."""
    recorded = device.torch.type == "cuda"
    wanted = settings.steps == "static" or (settings.steps == "auto" and recorded)
    if wanted and adapters.lora is not None:
        _log.info("model %s steps at shapes that change: its rows have LoRA adapters", name)
    elif wanted:
        from predictors.huggingface.generation.static import static_runner

        compiler = Compiler.of(env)
        made = static_runner(
            model,
            device,
            name,
            virtual=adapters.virtual,
            most=settings.max_batch_tokens,
            compiler=compiler,
        )
        if made is not None:
            return made
    return Runner(model, device, wrapped=adapters.lora, virtual=adapters.virtual)


def _wants_vllm(settings: GenerationSettings, device: Device) -> bool:
    if settings.engine == "torch":
        return False
    from predictors.huggingface.generation.vllm import installed

    if settings.engine == "vllm" and not installed():
        raise ModelLoadError("ROUSE_GENERATION_ENGINE is vllm, but vLLM is not installed.")
    return settings.engine == "vllm" or (device.accelerated and installed())


def _tokenizer(files: ModelFolder, options: Options) -> Any:
    try:
        return AutoTokenizer.from_pretrained(
            str(files.path),
            local_files_only=True,
            trust_remote_code=allow_code(files, options),
        )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(f"{files.path} has no tokenizer that can be read: {reason}") from error


def _context(
    files: ModelFolder, options: Options, settings: GenerationSettings, tokenizer: Any
) -> int:
    config = files.config
    names = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length")
    known: list[int] = [config[name] for name in names if isinstance(config.get(name), int)]
    told = getattr(tokenizer, "model_max_length", None)
    if not known and isinstance(told, int) and 0 < told < _UNBOUNDED:
        known = [told]
    bounds: list[int | None] = [
        settings.max_batch_tokens,
        options.max_length,
        settings.max_context,
        *known[:1],
    ]
    return min(bound for bound in bounds if bound)


def _configure(model: PreTrainedModel, folder: Path) -> None:
    """Take generation_config.json, which loading weights alone does not read."""
    if (folder / "generation_config.json").is_file():
        try:
            model.generation_config = GenerationConfig.from_pretrained(str(folder))
        except Exception as error:
            raise ModelLoadError(
                f"{folder / 'generation_config.json'} is broken: {error}"
            ) from error


def _ends(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    named: list[Any] = [tokenizer.eos_token_id]
    config = getattr(model, "generation_config", None)
    told = getattr(config, "eos_token_id", None)
    named += told if isinstance(told, list) else [told]
    return frozenset(token for token in named if isinstance(token, int) and token >= 0)


def _prefix(files: ModelFolder, options: Options) -> str:
    """What the model was trained to see before texts of the task that was named."""
    tasks = files.config.get("task_specific_params")
    if not isinstance(tasks, dict) or not options.task:
        return ""
    told = tasks.get(options.task) or tasks.get(options.task.replace("-", "_")) or {}
    return str(told.get("prefix", "")) if isinstance(told, dict) else ""
