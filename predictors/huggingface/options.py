"""What a Hugging Face model is told by flags, in KServe's names where KServe has one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["DTYPES", "Options", "parser"]

DTYPES: Final = ("auto", "float32", "float16", "bfloat16", "float", "half")


@dataclass(frozen=True, slots=True)
class Options:
    """`task` and `max_length` of None are read from the model; a `revision` of "" is not known.

    With `truncate` false a text that is too long is refused instead of cut.
    """

    task: str | None = None
    max_length: int | None = None
    dtype: str = "auto"
    revision: str = ""
    trust_remote_code: bool = False
    truncate: bool = True
    return_probabilities: bool = False
    return_token_type_ids: bool | None = None
    special_tokens: bool = True
    lower_case: bool | None = None
    normalize: bool = True
    max_batch_tokens: int = 4096

    @classmethod
    def of(cls, argv: Sequence[str], env: Mapping[str, str] = os.environ) -> Options:
        """Those that flags give; other flags are left alone."""
        told, _ = parser().parse_known_args(argv)
        return cls(
            task=told.task or env.get("ROUSE_HF_TASK") or None,
            max_length=told.max_length or told.max_model_len,
            dtype={"float": "float32", "half": "float16"}.get(told.dtype, told.dtype),
            revision=told.model_revision or revision_of(env.get("STORAGE_URI", "")),
            trust_remote_code=_told(told.trust_remote_code),
            truncate=_told(told.truncation),
            return_probabilities=_told(told.return_probabilities),
            return_token_type_ids=_told(told.return_token_type_ids)
            if told.return_token_type_ids is not None
            else None,
            special_tokens=not _told(told.disable_special_tokens),
            lower_case=False if _told(told.disable_lower_case) else None,
            normalize=_told(told.normalize),
            max_batch_tokens=told.max_batch_tokens,
        )


@cache
def parser() -> argparse.ArgumentParser:
    """The flags of this predictor alone; those of every predictor are parsed elsewhere.

    Made once, by a warm parent for its children.
    """
    made = argparse.ArgumentParser(
        prog="python -m predictors.huggingface",
        usage="%(prog)s [flags below] [flags of every predictor]",
        description="Serve a model of Hugging Face.",
        allow_abbrev=False,
        add_help=False,
    )
    add = made.add_argument
    add("--task", default="", help="what the model is asked for; else read from its config.json")
    add("--model_id", default="", help="ORG/MODEL of the hub, instead of --model_dir")
    add("--model_revision", default="", help="commit, tag or branch of --model_id")
    add("--max_length", type=_positive, help="tokens of a text; else what the model takes")
    add("--max_model_len", "--max-model-len", type=_positive, help="the same, by vLLM's name")
    add("--dtype", choices=DTYPES, default="auto", help="of the weights; auto: float32 on CPU")
    _flag(made, "--trust_remote_code", "false", "run Python code of the model's folder")
    _flag(made, "--truncation", "true", "cut long texts, as KServe does; false: refuse them")
    _flag(made, "--return_probabilities", "false", "text-classification answers every label")
    _flag(made, "--return_token_type_ids", None, "give the model token types; else if it has any")
    _flag(made, "--disable_special_tokens", "false", "add no special tokens")
    _flag(made, "--disable_lower_case", "false", "keep capitals")
    _flag(made, "--normalize", "true", "length 1 for vectors of models that say nothing of it")
    add("--max_batch_tokens", type=_positive, default=4096, help="tokens of one call, padded")
    return made


def revision_of(uri: str) -> str:
    """The revision in ``hf://ORG/MODEL:REVISION``; "" where there is none."""
    if not uri.startswith("hf://"):
        return ""
    words = uri.removeprefix("hf://").split("/")
    return words[1].replace("@", ":").partition(":")[2] if len(words) > 1 else ""


def _flag(made: argparse.ArgumentParser, name: str, default: str | None, text: str) -> None:
    """A switch that may be followed by true or false."""
    choices = ("true", "false", "True", "False")
    made.add_argument(name, nargs="?", const="true", default=default, choices=choices, help=text)


def _told(text: str) -> bool:
    return text.lower() == "true"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)
