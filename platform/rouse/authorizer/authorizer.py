"""The authorizer: copies of the policies and the keys kept by watches, and the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from rouse.authorizer.decision import Verdict, decide
from rouse.authorizer.hosts import HostTable
from rouse.authorizer.keys import KeyCopies
from rouse.authorizer.server import AuthorizationServer
from rouse.compiler.names import ACCESS_NAMESPACE_LABEL
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Object
from rouse.kube.resources import AUTHORIZATION_POLICIES

__all__ = ["GATEWAY_NAMESPACE", "Authorizer"]

GATEWAY_NAMESPACE: Final = "istio-system"


class Authorizer:
    """Judges requests by what the API holds now; ``where`` is a unix socket or a port.

    Only policies in ``namespace`` count, that of the gateway's pods: who may write policies
    elsewhere could say that somebody else's host takes his own keys. Keys are read in
    ``key_namespaces``, in every namespace where none is named.
    """

    def __init__(
        self,
        client: KubeClient,
        where: Path | int,
        *,
        namespace: str = GATEWAY_NAMESPACE,
        key_namespaces: Collection[str] = (),
    ) -> None:
        self._policies = Informer(
            client,
            AUTHORIZATION_POLICIES,
            namespace,
            options=InformerOptions(labels=ACCESS_NAMESPACE_LABEL, optional=True),
        )
        self._keys = KeyCopies(client, key_namespaces)
        self._table: HostTable | None = None
        self._policies.add_handler(self._on_policy)
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
        policies = [] if self._policies.is_synced else [str(self._policies.resource)]
        return [*policies, *self._keys.unsynced]

    async def start(self) -> None:
        """Read policies and keys, then answer; `UnavailableError` when they cannot be read."""
        await self._policies.start()
        await asyncio.gather(self._policies.synced(), self._keys.start())
        await self._server.start()

    async def stop(self) -> None:
        """Answer no more, and stop following."""
        await self._server.stop()
        await asyncio.gather(self._policies.stop(), self._keys.stop())

    def judge(self, host: str, path: str, headers: Mapping[str, str]) -> Verdict:
        """Judge one request."""
        if self._table is None:
            self._table = HostTable.of(self._policies.list())
        verdict = decide(host, path, headers, table=self._table, keys_of=self._keys.of)
        self.outcomes[verdict.outcome] += 1
        return verdict

    def _on_policy(self, _type: EventType, _obj: Object) -> None:
        self._table = None
