"""The command line: every predictor's, ``--module``, and files that start a server themselves."""

from __future__ import annotations

import argparse
import logging
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from predictors.custom import compat
from predictors.custom.runtime import CustomRuntime
from predictors.serving import cli, logs
from predictors.serving.errors import StartupError
from predictors.serving.policy import Policy
from predictors.serving.warm import run_warm_parent

__all__ = ["main"]

_log = logging.getLogger(__name__)

_HELP: Final = ("-h", "--help")


def main(argv: Sequence[str]) -> int:
    """Serve a class, or run the file that is the first argument as a script; the exit code."""
    if argv and argv[0].endswith(".py") and not argv[0].startswith("-"):
        return _script(Path(argv[0]), argv[1:])
    arguments, rest = _parser().parse_known_args(argv)
    runtime = CustomRuntime(arguments.module or os.environ.get("MODEL_CLASS") or None)
    if "--warm" in rest:
        logs.configure("info")
        return run_warm_parent(runtime, main)
    if any(flag in rest for flag in _HELP):
        print(_parser().format_help())
    return cli.main(rest, runtime)


def _script(file: Path, argv: Sequence[str]) -> int:
    """Run a file whose last lines are ``ModelServer().start([model])``."""
    logs.configure("info")
    try:
        Policy.of(os.environ).check("Python code", str(file.absolute()), file.name)
        if not file.is_file():
            raise StartupError(f"{file} is no file.")
    except StartupError as error:
        _log.error("Cannot serve %s: %s", file, error)
        return 1
    compat.install()
    # Late: it needs the compatibility modules, and numpy.
    from predictors.custom import handover

    sys.argv = [str(file), *argv]
    sys.path.insert(0, str(file.absolute().parent))
    with handover.taken_over() as ended:
        runpy.run_path(str(file), run_name="__main__")
    if ended.code is None:
        _log.error("%s ended without starting a server (ModelServer().start([model])).", file)
        return 1
    return ended.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictors.custom",
        usage="%(prog)s [FILE.py | --module MODULE] [flags of every predictor]",
        description="Serve a class of your own. FILE.py is run as a script that starts a server.",
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        "--module",
        default="",
        metavar="FILE.py:Class | PACKAGE.MODULE:Class",
        help="the class; else that of MODEL_CLASS, of model-settings.json, or of model.py or "
        "preprocess.py in --model_dir",
    )
    return parser
