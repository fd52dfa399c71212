"""Components that the chart's values switch on: objects that they bring, and that they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Final, TypeAlias

from rouse.installer.kustomize import identity
from rouse.installer.kustomize.render import Identity
from rouse.installer.selection import Selection, overlay_names, select
from rouse.kube.objects import Object

__all__ = ["VALUES", "ByComponents", "switched", "values_schema", "variants"]

_SWITCHES: Final[Mapping[str, str]] = {
    "cert-manager": "certManager",
    "node-agent": "nodeAgent",
    "standby": "standby",
    "tracing": "tracing",
}
"""Components that go with every overlay -> their values."""

VALUES: Final = """\
# The webhook's certificate by cert-manager, which has to be there.
certManager:
  enabled: false

# Agents that keep models on the disks of nodes, in a namespace of their own, rouse-node-agents.
nodeAgent:
  enabled: false

# Standby pods, for services of the mode Standard.
standby:
  enabled: false

# Spans of the ingress gateway, to the provider that MeshConfig names rouse-otlp.
tracing:
  enabled: false
"""

ByComponents: TypeAlias = Mapping[tuple[str, ...], Mapping[str, Object]]
"""Components -> overlay -> an object as it is with those, the most components first."""


def variants(belongs: Callable[[Object], bool]) -> dict[Identity, ByComponents]:
    """Return every object that belongs, of every overlay, with every choice that changes it."""

    @cache
    def objects(overlay: str, components: tuple[str, ...]) -> Mapping[Identity, Object]:
        made = select(Selection(overlay, components))
        return {identity(obj): obj for obj in made if belongs(obj)}

    changed: dict[Identity, list[str]] = {}
    for overlay in overlay_names():
        plain = objects(overlay, ())
        for component in ((), *((name,) for name in _SWITCHES)):
            for name, obj in objects(overlay, component).items():
                by = changed.setdefault(name, [])
                if obj != plain.get(name):
                    by += (one for one in component if one not in by)
    found: dict[Identity, ByComponents] = {}
    for name, by in changed.items():
        choices = {
            chosen: {
                overlay: there[name]
                for overlay in overlay_names()
                if name in (there := objects(overlay, chosen))
            }
            for chosen in _choices(by)
        }
        found[name] = {chosen: by_overlay for chosen, by_overlay in choices.items() if by_overlay}
    return found


def switched(by_components: ByComponents, template: Callable[[Mapping[str, Object]], str]) -> str:
    """Return the template of one object: what ``template`` makes of each choice."""
    if list(by_components) == [()]:
        return template(by_components[()])
    parts: list[str] = []
    for chosen, by_overlay in by_components.items():
        enabled = " ".join(f".Values.{_SWITCHES[component]}.enabled" for component in chosen)
        word = f"{'else ' if parts else ''}if and {enabled}" if chosen else "else"
        parts.append(f"{{{{- {word} }}}}\n{template(by_overlay)}")
    return "".join(parts) + "{{- end }}\n"


def values_schema() -> Object:
    """Return the JSON schemas of the values, by their names."""
    switch = {
        "type": "object",
        "properties": {"enabled": {"type": "boolean"}},
        "additionalProperties": False,
    }
    return dict.fromkeys(_SWITCHES.values(), switch)


def _choices(components: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for count in range(len(components), -1, -1):
        yield from combinations(components, count)
