"""``python -m predictors.twins translate FOLDER``: make the twin of a model, or say why not.

Exit code 0: a twin that agrees lies in its place. 3: there is none, and why is noted there. 1: the
original itself could not be loaded, or the place not be written to.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from predictors.serving.errors import ServingError
from predictors.storage import find_one
from predictors.storage.locks import try_lock
from predictors.twins.agreement import CHECKS
from predictors.twins.store import Mode, Place

__all__ = ["main"]

_FRAMEWORKS: Final = ("sklearn", "xgboost", "lightgbm")
_XGBOOST: Final = (".bst", ".json", ".ubj")
_LIGHTGBM: Final = (".lgb", ".txt")
_PR_SET_PDEATHSIG: Final = 1
_NO_TWIN: Final = 3


def main(argv: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(argv)
    if options.with_parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if options.nice:
        os.nice(options.nice)
    try:
        if Mode.of(env) is Mode.OFF:
            print(f"no twin of {options.folder}: ROUSE_TWIN=off")
            return _NO_TWIN
        return _translate(options, env)
    except ServingError as error:
        print(f"{options.folder}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = error.filename or options.folder
        print(f"{where}: {error.strerror or error}", file=sys.stderr)
        return 1


def _translate(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    runtime = _runtime(options.framework, options.folder)
    file = find_one(options.folder, runtime.twin_files)
    if options.into:
        env = {**env, "ROUSE_TWIN_CACHE": options.into}
    place = Place.of(file, env)
    place.folder.mkdir(parents=True, exist_ok=True)
    with try_lock(place.folder / f"{place.digest}.lock") as free:
        if not free:
            print(f"twin of {file}: another process is making it")
            return 0
        # Imported late: it brings the framework.
        from predictors.twins.making import make

        runtime.prepare()
        original = runtime.model(options.folder.name, file)
        original.load()
        with tempfile.TemporaryDirectory(prefix="rouse-twin-") as scratch:
            verdict = make(original, file, Path(scratch), checks=options.check)
        if verdict.description is None:
            place.refuse(verdict.reason)
            print(f"no twin of {file}: {verdict.reason}")
            return _NO_TWIN
        print(f"twin of {file}: {verdict.reason}; {place.put(verdict.description)}")
        return 0


def _runtime(framework: str | None, folder: Path) -> Any:
    """The runtime that was named, or that of the file that is there."""
    if framework is None:
        files = [folder] if folder.is_file() else list(folder.glob("model.*"))
        native = any(each.suffix in _XGBOOST for each in files)
        framework = "xgboost" if native else "sklearn"
        if any(each.suffix in _LIGHTGBM for each in files):
            framework = "lightgbm"
    return importlib.import_module(f"predictors.{framework}.runtime").RUNTIME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m predictors.twins", description=__doc__)
    commands = parser.add_subparsers(required=True)
    translate = commands.add_parser("translate", help="make the twin of a model")
    add = translate.add_argument
    add("folder", type=Path, help="the model's folder, or its file")
    add("--check", type=int, default=CHECKS, metavar="N", help="rows to hold both against")
    add("--framework", choices=_FRAMEWORKS, help="told by the file's name otherwise")
    add("--into", help="folder for the twin, instead of ROUSE_TWIN_CACHE or beside the model")
    add("--nice", type=int, default=0, help="lower the priority by so much")
    add("--with-parent", action="store_true", help="end when the process that asked does")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
