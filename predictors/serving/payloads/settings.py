"""What the environment says about payload logging. Pure but for the file of annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from predictors.serving.errors import StartupError

__all__ = ["FORMATS", "MODES", "LoggerSettings", "logger_settings"]

MODES: Final = ("all", "request", "response")
FORMATS: Final = ("json", "csv", "parquet")
_PREFIX: Final = "ROUSE_LOGGER_"
_STORED: Final = 100
_STORED_SECONDS: Final = 30.0


@dataclass(frozen=True)
class LoggerSettings:
    """What is logged, and where to.

    `urls` get events one by one (or `batch_size` together), `store` is a folder or a place in a
    bucket for files. `attributes` are the events' own beside those of each request. A queue holds
    `queue_events` and `queue_bytes`; `drain_seconds` is for what is in it at the end. `credentials`
    are variables of the store.
    """

    urls: tuple[str, ...] = ()
    store: str = ""
    mode: str = "all"
    sample: float = 1.0
    format: str = "json"
    marshaller: str = ""
    batch_size: int = 0
    batch_seconds: float = 0.0
    metadata_headers: tuple[str, ...] = ()
    source: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    queue_events: int = 10_000
    queue_bytes: int = 64 * 1024 * 1024
    drain_seconds: float = 5.0
    credentials: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_events(self) -> int:
        """Events in one stored file."""
        return self.batch_size or _STORED

    @property
    def file_seconds(self) -> float:
        """The longest that an event waits for its file."""
        return self.batch_seconds or _STORED_SECONDS


def logger_settings(env: Mapping[str, str]) -> LoggerSettings | None:
    """The settings; None where nothing is to be logged. Raises `StartupError` naming a variable."""
    given = {
        name.removeprefix(_PREFIX): value.strip()
        for name, value in env.items()
        if name.startswith(_PREFIX)
    }
    urls = _listed(given.get("URL", ""))
    store = given.get("STORE_URI", "")
    if not urls and not store:
        return None
    attributes = {
        "inferenceservicename": given.get("SERVICE", ""),
        "namespace": given.get("NAMESPACE", ""),
        "component": given.get("COMPONENT", ""),
        "endpoint": given.get("ENDPOINT", ""),
    }
    return LoggerSettings(
        urls=urls,
        store=store,
        mode=_one_of(given, "MODE", MODES),
        sample=_number(given, "SAMPLE", LoggerSettings.sample, most=1.0),
        format=_one_of(given, "FORMAT", FORMATS),
        marshaller=given.get("MARSHALLER_URL", ""),
        batch_size=int(_number(given, "BATCH_SIZE", 0)),
        batch_seconds=_number(given, "BATCH_SECONDS", 0),
        metadata_headers=tuple(name.lower() for name in _listed(given.get("METADATA_HEADERS", ""))),
        source=given.get("SOURCE") or env.get("HOSTNAME") or "rouse",
        attributes={name: value for name, value in attributes.items() if value},
        annotations=_annotations(given),
        queue_events=int(_number(given, "QUEUE_SIZE", LoggerSettings.queue_events)),
        queue_bytes=int(_number(given, "QUEUE_BYTES", LoggerSettings.queue_bytes)),
        drain_seconds=_number(given, "DRAIN_SECONDS", LoggerSettings.drain_seconds),
        credentials=_credentials(env),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _one_of(given: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name) or allowed[0]
    if value not in allowed:
        raise StartupError(f"{_PREFIX}{name} must be one of {', '.join(allowed)}, got {value!r}.")
    return value


def _number(
    given: Mapping[str, str], name: str, default: float, *, most: float = float("inf")
) -> float:
    text = given.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most or value == float("inf"):
        limits = "0 or more" if most == float("inf") else f"0 to {most:g}"
        raise StartupError(f"{_PREFIX}{name} must be a number, {limits}, got {text!r}.")
    return value


def _annotations(given: Mapping[str, str]) -> dict[str, str]:
    """The annotations that events carry: given as NAME=VALUE, or by name and a file of the pod's.

    The file is what Kubernetes' downward API writes: ``name="value"``, one a line.
    """
    wanted = _listed(given.get("METADATA_ANNOTATIONS", ""))
    if not wanted:
        return {}
    known: dict[str, str] = {}
    path = Path(given.get("ANNOTATIONS_FILE") or "/etc/podinfo/annotations")
    if path.is_file():
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            known[name] = value.strip().removeprefix('"').removesuffix('"')
    for each in wanted:
        name, equals, value = each.partition("=")
        if equals:
            known[name] = value
    names = [each.partition("=")[0] for each in wanted]
    return {name: known[name] for name in names if name in known}


def _credentials(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of the store: those of the logger alone where it has any."""
    prefix = f"{_PREFIX}ENV_"
    own = {name.removeprefix(prefix): env[name] for name in env if name.startswith(prefix)}
    return own or dict(env)
