"""The command line: every predictor's flags, and those of KServe's Hugging Face server."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from predictors.huggingface.options import Options, parser
from predictors.huggingface.runtime import HuggingFaceRuntime
from predictors.serving import cli, logs
from predictors.serving.warm import run_warm_parent

__all__ = ["arguments", "main"]

_HELP: Final = ("-h", "--help")


def main(argv: Sequence[str]) -> int:
    """Serve a model, or with ``--warm`` be the parent of servers; the exit code."""
    # Read at tokenizers' first use: its threads would not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Read when torch is imported: threads that wait by turning take the core from the server, and
    # where a neighbour has the core a call takes twice as long.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    told, rest = parser().parse_known_args(argv)
    runtime = HuggingFaceRuntime(Options.of(argv))
    if "--warm" in rest:
        logs.configure("info")
        cli.parser_of(runtime.name, os.environ)
        return run_warm_parent(runtime, main)
    if any(flag in rest for flag in _HELP):
        print(parser().format_help())
    return cli.main(arguments(told, rest, os.environ), runtime)


def arguments(told: argparse.Namespace, rest: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The flags of every predictor, with ``--model_id`` as a place to fetch from.

    KServe's order holds: a folder that has files is served before ``--model_id`` is looked at.
    """
    given = [word.partition("=")[0] for word in rest]
    if not told.model_id or env.get("STORAGE_URI") or "--model_dir" in given:
        return list(rest)
    revision = f":{told.model_revision}" if told.model_revision else ""
    cached = _cached(told.model_id, told.model_revision or "main", env)
    return [*rest, f"--model_dir={cached or f'hf://{told.model_id}{revision}'}"]


def _cached(model: str, revision: str, env: Mapping[str, str]) -> Path | None:
    """The folder that huggingface_hub's own cache keeps of a model; None if it has none."""
    home = env.get("HF_HOME") or str(Path(env.get("HOME", "/")) / ".cache" / "huggingface")
    hub = Path(env.get("HF_HUB_CACHE") or Path(home) / "hub")
    folder = hub / f"models--{model.replace('/', '--')}"
    try:
        revision = (folder / "refs" / revision).read_text().strip()
    except OSError:
        pass  # a commit, which has no reference
    found = folder / "snapshots" / revision
    return found if (found / "config.json").is_file() else None
