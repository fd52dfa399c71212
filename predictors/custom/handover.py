"""``ModelServer().start([model])`` in the user's own file, answered by our server."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from predictors.custom.runtime import CustomRuntime
from predictors.serving import cli
from predictors.serving.errors import ModelLoadError
from predictors.serving.model import Model

if TYPE_CHECKING:
    from predictors.custom.kserve_model import KServeModel

__all__ = ["Ended", "serve_models", "taken_over"]


@dataclass
class Ended:
    """The exit code of the server that a script has started; None while it has started none."""

    code: int | None = None


@contextmanager
def taken_over() -> Iterator[Ended]:
    """As long as it is entered, KServe's servers, genuine or not, are ours."""
    ended = Ended()
    genuine = importlib.import_module("kserve").ModelServer
    theirs = genuine.start

    def start(server: Any, models: Any) -> None:
        ended.code = serve_models(_listed(models), _flags(server))

    genuine.start = start
    try:
        yield ended
    finally:
        genuine.start = theirs


def serve_models(models: Sequence[Any], flags: Sequence[str]) -> int:
    """Serve objects that are there already, until SIGTERM; the exit code."""
    made = {model.name: model for model in models}
    if not made:
        raise ModelLoadError("ModelServer().start() was given no model.")
    # What the file has made needs nothing fetched; it did so itself.
    os.environ.pop("STORAGE_URI", None)
    runtime = _Handed(made)
    with TemporaryDirectory(prefix="rouse-models-") as folder:
        if len(made) == 1:
            return cli.main([*flags, "--model_dir", folder, "--model_name", *made], runtime)
        for name in made:
            here = Path(folder, name)
            here.mkdir()
            (here / "model").touch()
        return cli.main([*flags, "--model_repository", folder], runtime)


class _Handed(CustomRuntime):
    """The runtime of objects that the user's file has made."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        super().__init__()
        self._objects = made
        self._models: dict[str, KServeModel] = {}

    def model(self, name: str, folder: Path) -> Model:
        """The object of that name as a model."""
        from predictors.custom.kserve_model import KServeModel

        made = self._objects[name]
        before = self._models.get(name)
        if before is not None:
            before.leave_made()
        model = KServeModel(name, type(made), folder, made, again=before is not None)
        self._models[name] = model
        return model


def _listed(models: Any) -> list[Any]:
    """KServe takes a list, and its older versions a dict of them."""
    found: Iterable[Any] = models.values() if isinstance(models, Mapping) else models
    return list(found)


def _flags(server: Any) -> list[str]:
    """The script's own flags, after those its `ModelServer` was made with."""
    flags = []
    for name in ("http_port", "workers"):
        value = getattr(server, name, None)
        if value is not None:
            flags.append(f"--{name}={value}")
    return [*flags, *sys.argv[1:]]
