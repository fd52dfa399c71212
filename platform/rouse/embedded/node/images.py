"""Which local command stands for a container image.

Asked in this order: the pod's annotations, ``images.yaml`` in ROUSE_HOME, the built-in table.
``images.yaml`` maps image repositories (or a prefix of them, at a ``/``) to commands::

    images:
      docker.io/me/my-server:
        command: ["{python}", "-m", "my_server"]   # {python}: the interpreter of the engine
        warm: false      # true: the command understands --warm (see the warm protocol)
        listen: false    # true: it takes its socket from ROUSE_LISTEN_FD and reports readiness

The file is read again when it changes, so a waiting pod starts without a restart of the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.errors import ConfigError

__all__ = [
    "BUILT_IN",
    "COMMAND_ANNOTATION",
    "WARM_ANNOTATION",
    "ImageTable",
    "LocalCommand",
    "frameworks",
    "predictor",
]

COMMAND_ANNOTATION: Final = "embedded.rouse.dev/command"
"""JSON list: the serving container's command; ``...command.<container>`` names another one."""
WARM_ANNOTATION: Final = "embedded.rouse.dev/warm"
"""``"true"``: the annotated command understands ``--warm``."""


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """A command of this machine that does what an image does."""

    argv: tuple[str, ...]
    warm: bool = False
    """It can be started once with ``--warm`` and forks replicas then."""
    listen: bool = False
    """It serves on the socket ``ROUSE_LISTEN_FD`` and reports to ``ROUSE_NOTIFY_SOCKET``."""
    module: str = ""
    """A warm parent of any predictor can fork it, as it is quick to import beside one: the package
    whose ``cli.main`` runs. It has no parent of its own."""
    overrides: bool = False
    """It stands for the container's own ``command`` too, not only for the image's."""


def predictor(framework: str) -> LocalCommand:
    """Rouse's own predictor of a framework."""
    return LocalCommand(("{python}", "-m", f"predictors.{framework}"), warm=True, listen=True)


BUILT_IN: Final[Mapping[str, LocalCommand]] = {
    **{
        f"ghcr.io/rouse/{framework}server": predictor(framework)
        for framework in (
            "sklearn",
            "xgboost",
            "lightgbm",
            "onnx",
            "pytorch",
            "huggingface",
            "mlflow",
            "custom",
        )
    },
    "ghcr.io/rouse/storage-initializer": LocalCommand(
        ("{python}", "-m", "predictors.storage_initializer")
    ),
    "ghcr.io/rouse/router": LocalCommand(
        ("{python}", "-m", "predictors.graph"), listen=True, module="predictors.graph"
    ),
    "ghcr.io/rouse/transformer": LocalCommand(("{python}", "-m", "transformers_pre"), listen=True),
}


def frameworks() -> frozenset[str]:
    """Those of Rouse's own predictors that have a warm parent, e.g. ``sklearn``."""
    warm = (command.argv[-1] for command in BUILT_IN.values() if command.warm)
    return frozenset(module.removeprefix("predictors.") for module in warm)


class ImageTable:
    """Looks commands up. ``file`` may be absent; ``python`` replaces ``{python}``."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        built_in: Mapping[str, LocalCommand] = BUILT_IN,
        python: str = sys.executable,
    ) -> None:
        self._file = file
        self._built_in = dict(built_in)
        self._python = python
        self._stamp: tuple[int, int] | None = None
        self._own: dict[str, LocalCommand] = {}

    def command_for(
        self, image: str, annotations: Mapping[str, str], container: str, *, serving: bool
    ) -> LocalCommand:
        """The command of one container of a pod.

        Raises PodSetupError ``NoLocalCommand`` when nothing names one, ``InvalidCommand`` when an
        annotation or ``images.yaml`` is malformed.
        """
        found = self._annotated(annotations, container, serving=serving) or self._listed(image)
        if found is None:
            raise PodSetupError(Reason.NO_LOCAL_COMMAND, self._advice(image))
        return self.resolved(found)

    def resolved(self, command: LocalCommand) -> LocalCommand:
        """The command with ``{python}`` replaced."""
        argv = tuple(word.replace("{python}", self._python) for word in command.argv)
        return replace(command, argv=argv)

    def _annotated(
        self, annotations: Mapping[str, str], container: str, *, serving: bool
    ) -> LocalCommand | None:
        key = f"{COMMAND_ANNOTATION}.{container}"
        text = annotations.get(key)
        if text is None and serving:
            key = COMMAND_ANNOTATION
            text = annotations.get(key)
        if text is None:
            return None
        try:
            argv = _argv(orjson.loads(text))
        except ValueError as error:
            raise PodSetupError(Reason.INVALID_COMMAND, f"annotation {key}: {error}") from error
        warm = annotations.get(WARM_ANNOTATION, "").lower() == "true"
        return LocalCommand(argv, warm=warm, listen=warm, overrides=True)

    def _listed(self, image: str) -> LocalCommand | None:
        repository = repository_of(image)
        self._reload()
        for table in (self._own, self._built_in):
            matches = [p for p in table if repository == p or repository.startswith(p + "/")]
            if matches:
                return table[max(matches, key=len)]
        return None

    def _reload(self) -> None:
        if self._file is None:
            return
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._own, self._stamp = {}, None
            return
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return
        try:
            self._own = read_images(self._file)
        except ConfigError as error:
            raise PodSetupError(Reason.INVALID_COMMAND, str(error)) from error
        self._stamp = stamp

    def _advice(self, image: str) -> str:
        where = self._file or "images.yaml"
        return (
            f'no local command stands for the image "{image}". Add to {where}: '
            f'images: {{"{repository_of(image)}": {{command: ["{{python}}", "-m", "MODULE"]}}}}; '
            f"or annotate the runtime or InferenceService with {COMMAND_ANNOTATION}: "
            '\'["{python}", "-m", "MODULE"]\''
        )


def repository_of(image: str) -> str:
    """An image without tag and digest: ``a.io:5000/x/y:v1@sha256:..`` -> ``a.io:5000/x/y``."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def read_images(file: Path) -> dict[str, LocalCommand]:
    """Parse ``images.yaml``. Raises ConfigError that names the file and the entry."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, dict):
        raise ConfigError(f'{file}: expected a mapping "images:" of image repository -> command')
    table = {}
    for prefix, entry in images.items():
        try:
            table[str(prefix).rstrip("/")] = _entry(entry)
        except ValueError as error:
            raise ConfigError(f'{file}: images["{prefix}"]: {error}') from error
    return table


def _entry(entry: object) -> LocalCommand:
    if isinstance(entry, list):
        return LocalCommand(_argv(entry))
    if not isinstance(entry, dict):
        raise ValueError("expected a list of words, or a mapping with command, warm, listen")
    unknown = set(entry) - {"command", "warm", "listen"}
    if unknown:
        raise ValueError(
            f"unknown key {sorted(map(str, unknown))[0]!r}; known: command, warm, listen"
        )
    warm = _flag(entry, "warm")
    return LocalCommand(
        _argv(entry.get("command")), warm=warm, listen=warm or _flag(entry, "listen")
    )


def _flag(entry: Mapping[Any, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value


def _argv(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
        raise ValueError(
            'the command must be a non-empty list of strings, e.g. ["{python}", "-m", "x"]'
        )
    return tuple(value)
