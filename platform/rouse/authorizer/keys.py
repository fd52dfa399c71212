"""Copies of the keys, kept by watches: of every namespace, or of those that may be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Final

from rouse.api.apikeys import LABEL, Key, parse_keys
from rouse.errors import ApiError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key as ObjectKey
from rouse.kube.objects import Object, key_of
from rouse.kube.resources import SECRETS

__all__ = ["KeyCopies"]

logger = logging.getLogger(__name__)

_LABELLED: Final = f"{LABEL}=true"
_LOOK_S: Final = 0.05
_FORBIDDEN: Final = 403
_LOST_S: Final = 180.0
"""A watch that runs has a bookmark every minute: a copy that was refused for longer is old."""


class KeyCopies:
    """The keys of the labelled Secrets of ``namespaces``; of every namespace where none is named.

    A namespace that may not be read, such as one that was deleted together with the Role in it,
    holds up no other: only its own keys are unknown.
    """

    def __init__(self, client: KubeClient, namespaces: Collection[str] = ()) -> None:
        self._keys: dict[ObjectKey, tuple[Key, ...]] = {}
        self._informers: dict[str, Informer] = {}
        for namespace in sorted(set(namespaces)) or [""]:
            informer = Informer(
                client, SECRETS, namespace or None, options=InformerOptions(labels=_LABELLED)
            )
            informer.add_handler(self._on_secret)
            self._informers[namespace] = informer

    def of(self, secret: ObjectKey) -> Sequence[Key] | None:
        """Return the keys of a Secret, none where it is not there; None where nobody can tell."""
        informer = self._informers.get("", self._informers.get(secret.namespace))
        if informer is None or not informer.is_synced or self._is_lost(informer):
            return None
        return self._keys.get(secret, ())

    @property
    def unsynced(self) -> list[str]:
        """What was not listed yet, but for what may not be."""
        return [
            f"{informer.resource} of {namespace}" if namespace else str(informer.resource)
            for namespace, informer in self._informers.items()
            if not informer.is_synced and not self._is_refused(namespace, informer)
        ]

    async def start(self) -> None:
        """Read the keys and follow them; `UnavailableError` when they cannot be read."""
        for informer in self._informers.values():
            await informer.start()
        await asyncio.gather(*(self._settled(*each) for each in self._informers.items()))

    async def stop(self) -> None:
        """Follow no more."""
        await asyncio.gather(*(informer.stop() for informer in self._informers.values()))

    async def _settled(self, namespace: str, informer: Informer) -> None:
        """Wait for the first list, or to hear that this namespace may not be read."""
        listed = asyncio.create_task(informer.synced())
        try:
            while not listed.done() and not self._is_refused(namespace, informer):
                await asyncio.wait({listed}, timeout=_LOOK_S)
            if listed.done():
                listed.result()
            else:
                logger.warning(
                    "the keys of namespace %s may not be read and open nothing: name it in "
                    "`rouse install --authorizer-namespaces` once it is there, or no more",
                    namespace,
                )
        finally:
            listed.cancel()

    @staticmethod
    def _is_refused(namespace: str, informer: Informer) -> bool:
        return bool(namespace) and _is_forbidden(informer)

    @staticmethod
    def _is_lost(informer: Informer) -> bool:
        """Whether the right to read was taken back: keys may be revoked, and nobody tells."""
        since = informer.heard_at
        now = asyncio.get_running_loop().time()
        return since is not None and now - since > _LOST_S and _is_forbidden(informer)

    def _on_secret(self, type_: EventType, obj: Object) -> None:
        key = key_of(obj)
        if type_ is EventType.DELETED:
            self._keys.pop(key, None)
            return
        self._keys[key], unreadable = parse_keys(obj.get("data") or {})
        if unreadable:
            logger.warning(
                "Secret %s: %s hold no lines sha256:<64 hex digits> and open nothing; write them "
                "with `rouse apikey create`",
                key,
                ", ".join(unreadable),
            )


def _is_forbidden(informer: Informer) -> bool:
    error = informer.last_error
    return isinstance(error, ApiError) and error.status == _FORBIDDEN
