"""The router of InferenceGraphs: its image, what it asks for, and the headers it passes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rouse.api.inferencegraph.annotations import explain_pattern
from rouse.compiler.config.resources import CLOSED, Resources
from rouse.errors import FieldError

__all__ = ["Headers", "Router", "router_rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What becomes of the headers of a request to a graph."""

    __pydantic_config__ = CLOSED

    propagate: tuple[str, ...] = ()
    """Names, or regular expressions of names, of headers that every step gets too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router(Resources):
    """The container that serves a graph; a graph's own ``resources`` win."""

    image: str = "ghcr.io/rouse/router:v0.1.0"
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets, in the namespace of each graph, that open the image's registry."""
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    headers: Headers = Headers()


def router_rules(router: Router) -> Iterator[FieldError]:
    """Find what the router could not start with."""
    if not router.image:
        yield FieldError("router.image", "must name an image")
    for index, pattern in enumerate(router.headers.propagate):
        where = f"router.headers.propagate[{index}]"
        if "," in pattern:
            # The router gets them as one list, separated by commas.
            yield FieldError(where, f'"{pattern}" has a comma; write one entry for each name')
            continue
        problem = explain_pattern(pattern)
        if problem:
            yield FieldError(where, problem)
