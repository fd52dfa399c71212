"""What a pod's credentials are: only the ServiceAccount and the Secrets it leads to are read, and
the pod's InferenceService where that says which claim it mounts.

A copy of all Secrets of a cluster would make this process worth stealing from. So the pure function
runs on what is known, tells by asking what else it needs, and runs again with that.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from rouse.api.base import Object
from rouse.compiler.storage.facts import Facts
from rouse.errors import ApiError, NotFoundError, UnavailableError
from rouse.kube.client import KubeClient
from rouse.kube.resources import INFERENCE_SERVICES, RESOURCES, SECRETS, Resource

__all__ = ["SERVICE_ACCOUNTS", "FactFinder"]

T = TypeVar("T")

SERVICE_ACCOUNTS: Final = RESOURCES["v1", "ServiceAccount"]

_ROUNDS: Final = 8
"""An account leads to its Secrets, these to nothing: two or three are usual."""
_MOST: Final = 64
"""Objects that one pod may lead to."""
_KEPT_S: Final = 5.0
"""The pods of one model are often made together; what is not there is asked for each time."""
_KEPT: Final = 1024
_is_name: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}").fullmatch
"""What no object can be called is not asked for."""


class FactFinder:
    """Reads, for one pod at a time, the objects that its review asks for."""

    def __init__(self, client: KubeClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[Resource, str, str], tuple[float, Object]] = {}

    async def settle(
        self, namespace: str, storage_containers: Sequence[Object], decide: Callable[[Facts], T]
    ) -> tuple[T, list[str]]:
        """Return what ``decide`` says once it knows all it asks for, and warnings.

        An object that may not be read counts as absent, with a warning. Raises `ApiError` when the
        API does not answer.
        """
        accounts, secrets, services = _Asked(), _Asked(), _Asked()
        facts = Facts(accounts, secrets, storage_containers, services)
        kinds = (
            (accounts, SERVICE_ACCOUNTS),
            (secrets, SECRETS),
            (services, INFERENCE_SERVICES),
        )
        warnings: list[str] = []
        for _ in range(_ROUNDS):
            decided = decide(facts)
            wanted = [
                (asked, resource, name) for asked, resource in kinds for name in asked.unknown
            ]
            if not wanted:
                return decided, warnings
            if len(accounts) + len(secrets) + len(wanted) > _MOST:
                break
            found = await asyncio.gather(
                *(self._read(resource, namespace, name) for _, resource, name in wanted)
            )
            for (asked, resource, name), (obj, warning) in zip(wanted, found, strict=True):
                asked.learn(name, obj)
                if warning:
                    warnings.append(f'{resource.kind} "{name}" {warning}')
        message = f"a pod of namespace {namespace} leads to more than {_MOST} Secrets"
        raise UnavailableError(message, reason="TooMany")

    async def _read(
        self, resource: Resource, namespace: str, name: str
    ) -> tuple[Object | None, str]:
        if not (_is_name(name) and _is_name(namespace)):
            return None, ""
        key = (resource, namespace, name)
        now = self._clock()
        expires, kept = self._kept.get(key, (0.0, None))
        if kept is not None and now < expires:
            return kept, ""
        try:
            found = await self._client.get(resource, name, namespace)
        except NotFoundError:
            self._kept.pop(key, None)
            return None, ""
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            return None, "may not be read by the webhook, so that the pod does without it"
        if len(self._kept) >= _KEPT:
            self._kept = {one: entry for one, entry in self._kept.items() if now < entry[0]}
        if len(self._kept) < _KEPT:
            self._kept[key] = (now + _KEPT_S, found)
        return found, ""


class _Asked(Mapping[str, Object]):
    """Objects by name, which remembers the names that were asked for and are not known yet."""

    def __init__(self) -> None:
        self._known: dict[str, Object | None] = {}
        self.unknown: dict[str, None] = {}

    def learn(self, name: str, obj: Object | None) -> None:
        """Take in that the object is so, or is not there."""
        self._known[name] = obj
        self.unknown.pop(name, None)

    def __getitem__(self, name: str) -> Object:
        found: Any = self._known.get(name)
        if found is None:
            if name and name not in self._known:
                self.unknown[name] = None
            raise KeyError(name)
        return dict(found)

    def __iter__(self) -> Iterator[str]:
        return (name for name, obj in self._known.items() if obj is not None)

    def __len__(self) -> int:
        return len(self._known)
