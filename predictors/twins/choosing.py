"""Whether a model is served by its twin; asked by the server before it imports a framework."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from predictors.serving.errors import ModelLoadError, StorageError
from predictors.serving.model import Model, Runtime
from predictors.storage import find_one
from predictors.twins.model import TwinModel
from predictors.twins.store import Mode, Place

__all__ = ["Choice", "FileRuntime", "choose"]

_log = logging.getLogger(__name__)


class FileRuntime(Runtime, Protocol):
    """A runtime whose models are one file each."""

    @property
    def twin_files(self) -> tuple[str, ...]:
        """The names a model's file may have; there is one of them."""


class Choice(NamedTuple):
    """The twin, or None and why; `pending` is what `translate_later` needs to make one."""

    twin: Model | None
    reason: str
    pending: tuple[str, Path, Place] | None = None

    def note(self, original: Model) -> None:
        """Say in the original's metadata that it serves, and why."""
        told: dict[str, Any] = {"twin": "none", "twin_reason": self.reason}
        original.metadata_extra = {**original.metadata_extra, **told}

    async def translate(self) -> None:
        """Make a twin that was missed, for the next start."""
        if self.pending is not None:
            from predictors.twins.translating import translate_later

            await translate_later(*self.pending)


def choose(runtime: FileRuntime, name: str, folder: Path, env: Mapping[str, str]) -> Choice:
    """The twin of the model in `folder`, not yet loaded, if it has one and ROUSE_TWIN lets it.

    With ``require`` one that is missing is made now. Raises `ModelLoadError` when there is none
    then, or for an unknown word.
    """
    mode = Mode.of(env)
    if mode is Mode.OFF:
        return Choice(None, "ROUSE_TWIN=off")
    try:
        file = find_one(folder, runtime.twin_files)
        place = Place.of(file, env)
    except (StorageError, OSError) as error:
        # Loading the original will say so, if it is an error there.
        return _without(mode, name, Choice(None, f"the model's file is not known: {error}"))
    found = place.find()
    if found.damaged:
        _log.warning("model %s: %s", name, found.reason)
    if mode is Mode.REQUIRE and found.description is None and not found.settled:
        from predictors.twins.translating import translate_now

        found = translate_now(runtime.name, file, place)
    reason = found.reason
    if found.description is not None:
        proba = env.get("PREDICT_PROBA", "").lower() == "true"
        original = partial(_original, runtime, name)
        try:
            twin = TwinModel(name, file, found.description, original, predict_proba=proba)
            return Choice(twin, "")
        except ModelLoadError as error:
            reason = str(error)
            _log.warning("model %s: %s", name, reason)
    wanted = not found.settled and not found.postponed and place.writable()
    return _without(
        mode, name, Choice(None, reason, (runtime.name, file, place) if wanted else None)
    )


def _original(runtime: Runtime, name: str, file: Path) -> Model:
    runtime.prepare()
    model = runtime.model(name, file)
    model.load()
    return model


def _without(mode: Mode, name: str, choice: Choice) -> Choice:
    if mode is Mode.REQUIRE:
        raise ModelLoadError(
            f"ROUSE_TWIN=require, and model {name} has no twin: {choice.reason}. "
            "Set it to auto (annotation rouse.dev/twin) to have the original serve."
        )
    return choice
