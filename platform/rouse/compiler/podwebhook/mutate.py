"""A pod as it was asked for -> the pod as it shall be."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.logstore import LOGGER_CREDENTIALS_ANNOTATION
from rouse.compiler.podwebhook.access import with_access, with_logger_access
from rouse.compiler.podwebhook.agent import BATCHER, LOGGER, with_agent
from rouse.compiler.podwebhook.cache import with_cache
from rouse.compiler.podwebhook.initializer import with_initializer
from rouse.compiler.podwebhook.scraping import SCRAPING, with_scraping
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.compiler.storage.names import (
    CACHED_ANNOTATION,
    CREDENTIALS_ANNOTATION,
    SOURCE_ANNOTATION,
    URIS_ANNOTATION,
)

__all__ = ["ASKING", "concerns", "mutate"]

ASKING = frozenset(
    {
        BATCHER,
        CACHED_ANNOTATION,
        CREDENTIALS_ANNOTATION,
        LOGGER,
        LOGGER_CREDENTIALS_ANNOTATION,
        SCRAPING,
        SOURCE_ANNOTATION,
        URIS_ANNOTATION,
    }
)
"""The annotations that ask for a change; the webhook's configuration sends pods with these only."""


def concerns(pod: Object) -> bool:
    """Whether the annotations of a pod ask for a change; `mutate` leaves every other one alone."""
    return not ASKING.isdisjoint(pod["metadata"].get("annotations") or ())


def mutate(pod: Object, *, config: Config, facts: Facts = NO_FACTS) -> Object:
    """Return the pod with all that its annotations ask for; a second time changes nothing.

    ``facts`` are those of the pod's namespace. Raises CompileError when it cannot be done.
    """
    if not concerns(pod):
        return pod
    pod = with_logger_access(with_access(pod, config, facts), config, facts)
    pod = with_cache(with_initializer(pod, config, facts), config, facts)
    return with_scraping(with_agent(pod, config, facts))
