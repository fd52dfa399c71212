"""The authorizer: copies of the policies and the keys kept by watches, and the server."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rouse.api.apikeys import LABEL, Key, parse_keys
from rouse.authorizer.decision import Verdict, decide
from rouse.authorizer.hosts import HostTable
from rouse.authorizer.server import AuthorizationServer
from rouse.compiler.access import ACCESS_NAMESPACE_LABEL
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key as ObjectKey
from rouse.kube.objects import Object, key_of
from rouse.kube.resources import AUTHORIZATION_POLICIES, SECRETS

__all__ = ["GATEWAY_NAMESPACE", "Authorizer"]

logger = logging.getLogger(__name__)

GATEWAY_NAMESPACE: Final = "istio-system"
_LABELLED: Final = f"{LABEL}=true"


class Authorizer:
    """Judges requests by what the API holds now; ``where`` is a unix socket or a port.

    Only policies in ``namespace`` count, that of the gateway's pods: who may write policies
    elsewhere could say that somebody else's host takes his own keys.
    """

    def __init__(
        self, client: KubeClient, where: Path | int, *, namespace: str = GATEWAY_NAMESPACE
    ) -> None:
        self._policies = Informer(
            client,
            AUTHORIZATION_POLICIES,
            namespace,
            options=InformerOptions(labels=ACCESS_NAMESPACE_LABEL, optional=True),
        )
        self._secrets = Informer(client, SECRETS, options=InformerOptions(labels=_LABELLED))
        self._table: HostTable | None = None
        self._keys: dict[ObjectKey, tuple[Key, ...]] = {}
        self._policies.add_handler(self._on_policy)
        self._secrets.add_handler(self._on_secret)
        self._server = AuthorizationServer(self.judge, where)
        self.outcomes: Counter[str] = Counter()
        """How many requests were judged so; see `Verdict.outcome`."""

    @property
    def port(self) -> int:
        """The port that is listened on; 0 for a unix socket."""
        return self._server.port

    @property
    def unsynced(self) -> list[str]:
        """What was not listed yet."""
        both = (self._policies, self._secrets)
        return [str(each.resource) for each in both if not each.is_synced]

    async def start(self) -> None:
        """Read policies and keys, then answer; `UnavailableError` when they cannot be read."""
        both = (self._policies, self._secrets)
        for informer in both:
            await informer.start()
        await asyncio.gather(*(informer.synced() for informer in both))
        await self._server.start()

    async def stop(self) -> None:
        """Answer no more, and stop following."""
        await self._server.stop()
        await asyncio.gather(self._policies.stop(), self._secrets.stop())

    def judge(self, host: str, path: str, headers: Mapping[str, str]) -> Verdict:
        """Judge one request."""
        if self._table is None:
            self._table = HostTable.of(self._policies.list())
        verdict = decide(host, path, headers, table=self._table, keys_of=self._keys_of)
        self.outcomes[verdict.outcome] += 1
        return verdict

    def _keys_of(self, secret: ObjectKey) -> Sequence[Key]:
        return self._keys.get(secret, ())

    def _on_policy(self, _type: EventType, _obj: Object) -> None:
        self._table = None

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
