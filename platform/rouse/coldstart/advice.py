"""What would make a service wake faster, each with the seconds that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Advice", "advise"]

LEAST_SHARE: Final = 0.1
"""A phase below a tenth of the wake-up is not worth a change."""
LEAST_S: Final = 0.005
"""Nor one that nobody would notice."""
LEAST_PROBE_S: Final = 0.1
"""Less than that is the asking itself: probes that wait for each other are a second apart."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do. ``saves_s`` is the phase's time: the most that can be saved."""

    phases: tuple[str, ...]
    action: str
    saves_s: float
    share: float
    """Of the whole wake-up."""


@dataclass(frozen=True, slots=True)
class _Rule:
    phases: tuple[str, ...]
    action: str
    least_s: float = LEAST_S


_RULES: Final = (
    _Rule(
        ("pull",),
        "pull the image to the nodes before it is needed, or serve with a smaller one",
    ),
    _Rule(
        ("fetch",),
        "keep the model on the nodes: a LocalModelCache, or a volume (pvc://)",
    ),
    _Rule(
        ("import",),
        "skip the framework's import: a twin (rouse.dev/twin: auto), or a warm parent",
    ),
    _Rule(
        ("node",),
        "hold room for it: balloon pods on the node pool, sized for the next wake-up",
    ),
    _Rule(
        ("schedule",),
        "smaller requests, or nodes with room: the scheduler waited for a place",
    ),
    _Rule(
        ("load",),
        "a format that is mapped, not parsed: safetensors, ONNX, or joblib without compression",
    ),
    _Rule(
        ("container", "process"),
        "a standby pod of the runtime, or minReplicas: 1: what is left is the start of a container",
    ),
    _Rule(
        ("warmup",),
        "fewer warm-up requests; the first caller pays instead",
    ),
    _Rule(
        ("queue",),
        "more CPU, or fewer services that wake at once: the start itself had to wait",
    ),
    _Rule(
        ("ready",),
        "a readinessProbe with a shorter period: the server was ready before it was asked",
        LEAST_PROBE_S,
    ),
    _Rule(
        ("answer",),
        "a warm-up request before it is ready, or more CPU: the first answer took this long",
    ),
)


def advise(phases: Mapping[str, float]) -> list[Advice]:
    """Return what to do about a typical wake-up, the most saving first; phases in seconds."""
    whole = sum(phases.values())
    found = []
    for rule in _RULES:
        seconds = sum(phases.get(name, 0.0) for name in rule.phases)
        if whole > 0 and seconds >= rule.least_s and seconds >= LEAST_SHARE * whole:
            named = tuple(name for name in rule.phases if phases.get(name))
            found.append(Advice(named, rule.action, seconds, seconds / whole))
    return sorted(found, key=lambda one: -one.saves_s)
