"""The engine's settings, from the ConfigMaps that Knative reads too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rouse.autoscaler import AutoscalerConfig, parse_config
from rouse.autoscaler.durations import parse_duration
from rouse.errors import FieldError, ValidationError

__all__ = ["NAMESPACE", "Defaults", "GcConfig", "Settings", "parse_settings"]

NAMESPACE: Final = "knative-serving"
DEFAULT_DOMAIN: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Defaults:
    """``config-defaults`` and ``config-deployment``: what a revision does not say itself."""

    timeout_s: int = 300
    max_timeout_s: int = 600
    container_concurrency: int = 0
    progress_deadline_s: float = 600.0


@dataclass(frozen=True, slots=True)
class GcConfig:
    """``config-gc``: which revisions without traffic are kept. Times are seconds."""

    retain_since_create_s: float | None = 48 * 3600.0
    retain_since_active_s: float | None = 15 * 3600.0
    min_non_active: int = 20
    max_non_active: int | None = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them together."""

    autoscaler: AutoscalerConfig = field(
        default_factory=lambda: AutoscalerConfig(target_burst_capacity=0.0)
    )
    domain: str = DEFAULT_DOMAIN
    defaults: Defaults = Defaults()
    gc: GcConfig = GcConfig()


_EMBEDDED_AUTOSCALER: Final = {"target-burst-capacity": "0"}
"""On one machine a request that finds a replica goes straight to it."""


def parse_settings(config_maps: Mapping[str, Mapping[str, str]]) -> Settings:
    """Settings from ConfigMap name -> data; raises ValidationError naming the bad key."""
    return Settings(
        autoscaler=parse_config(_EMBEDDED_AUTOSCALER | dict(_of(config_maps, "config-autoscaler"))),
        domain=_domain(_of(config_maps, "config-domain")),
        defaults=_defaults(config_maps),
        gc=_gc(_of(config_maps, "config-gc")),
    )


def _of(config_maps: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str]:
    return config_maps.get(name) or {}


def _domain(data: Mapping[str, str]) -> str:
    """The first domain without a selector: one that holds for every service."""
    general = [name for name, selector in data.items() if name != "_example" and not selector]
    return min(general, default=DEFAULT_DOMAIN)


def _defaults(config_maps: Mapping[str, Mapping[str, str]]) -> Defaults:
    read = _Reader("config-defaults", _of(config_maps, "config-defaults"))
    deployment = _Reader("config-deployment", _of(config_maps, "config-deployment"))
    found = Defaults(
        timeout_s=int(read.number("revision-timeout-seconds", int) or 300),
        max_timeout_s=int(read.number("max-revision-timeout-seconds", int) or 600),
        container_concurrency=int(read.number("container-concurrency", int) or 0),
        progress_deadline_s=deployment.number("progress-deadline", parse_duration) or 600.0,
    )
    read.raise_errors()
    deployment.raise_errors()
    return found


def _gc(data: Mapping[str, str]) -> GcConfig:
    read = _Reader("config-gc", data)
    standard = GcConfig()
    found = GcConfig(
        retain_since_create_s=read.optional(
            "retain-since-create-time", parse_duration, standard.retain_since_create_s
        ),
        retain_since_active_s=read.optional(
            "retain-since-last-active-time", parse_duration, standard.retain_since_active_s
        ),
        min_non_active=int(
            read.optional("min-non-active-revisions", int, standard.min_non_active) or 0
        ),
        max_non_active=_whole(
            read.optional("max-non-active-revisions", int, standard.max_non_active)
        ),
    )
    read.raise_errors()
    return found


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


class _Reader:
    def __init__(self, name: str, data: Mapping[str, str]) -> None:
        self._name = name
        self._data = data
        self._errors: list[FieldError] = []

    def number(self, key: str, parse: Callable[[str], float]) -> float | None:
        """The value of ``key``, ``None`` where it is absent or wrong."""
        return self.optional(key, parse, None)

    def optional(
        self, key: str, parse: Callable[[str], float], default: float | None
    ) -> float | None:
        """As `number`; the word ``disabled`` means ``None``."""
        text = self._data.get(key)
        if text is None:
            return default
        if text == "disabled":
            return None
        try:
            value = parse(text)
        except ValueError as error:
            self._errors.append(FieldError(f"data[{key}]", str(error)))
            return default
        if value < 0:
            self._errors.append(FieldError(f"data[{key}]", f"must not be negative, is {text}"))
        return value

    def raise_errors(self) -> None:
        if self._errors:
            raise ValidationError("ConfigMap", self._name, self._errors)
