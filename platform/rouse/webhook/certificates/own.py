"""Certificates made here: kept in a Secret, renewed in time, told to the API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rouse.api.base import Object
from rouse.errors import AlreadyExistsError, ConfigError, ConflictError, NotFoundError, RouseError
from rouse.kube.backoff import Backoff
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key
from rouse.kube.resources import SECRETS
from rouse.webhook.certificates.configurations import Configurations
from rouse.webhook.certificates.rotation import Material, renewed
from rouse.webhook.certificates.secret import made_secret, read_material
from rouse.webhook.tls import Pair

__all__ = ["OwnCertificates", "Place"]

logger = logging.getLogger(__name__)

_EVERY_S: Final = 1800.0
_ATTEMPTS: Final = 8
_SOON: Final = Backoff(base=0.02, limit=2.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the certificates are kept, and what they are for."""

    secret: Key
    service: Key
    """The Service that API servers call the webhooks by."""
    configuration: str
    """The name of the Validating- and of the MutatingWebhookConfiguration."""

    @property
    def names(self) -> list[str]:
        """The DNS names to serve; API servers ask for the first."""
        host = f"{self.service.name}.{self.service.namespace}"
        return [f"{host}.svc", f"{host}.svc.cluster.local", host]


class OwnCertificates:
    """Keeps one pair served; any number of replicas may do this at once."""

    def __init__(self, client: KubeClient, place: Place, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._place = place
        self._clock = clock
        self._wake = asyncio.Event()
        self._backoff = Backoff(base=0.2, limit=30.0, jitter=0.5)
        self._configurations = Configurations(
            client, place.configuration, place.service, self._wake.set
        )
        options = InformerOptions(fields=f"metadata.name={place.secret.name}")
        self._secrets = Informer(client, SECRETS, place.secret.namespace, options)
        self._secrets.add_handler(lambda _event, _obj: self._wake.set())

    async def run(self, serve: Callable[[Pair], None]) -> None:
        """Give every new pair to ``serve``, until cancelled."""
        failures = 0
        try:
            await self._secrets.start()
            await self._configurations.start()
            while True:
                self._wake.clear()
                try:
                    await self.step(serve)
                    failures = 0
                except RouseError as error:
                    failures += 1
                    logger.warning("certificates: %s", error)
                    await asyncio.sleep(self._backoff.delay(failures))
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY_S):
                        await self._wake.wait()
        finally:
            await self._configurations.stop()
            await self._secrets.stop()

    async def step(self, serve: Callable[[Pair], None]) -> Material:
        """Do what is due now: renew, serve, publish."""
        material = await self._current()
        serve(Pair(material.serving.certificate, material.serving.key))
        await self._configurations.publish(material.bundle)
        return material

    async def _current(self) -> Material:
        """Return what is stored, after renewing it if that is due.

        The Secret is read anew, so that a replica does not write on what another wrote before.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            live = await self._read()
            known = read_material(live) if live is not None else None
            wanted = self._wanted(known)
            if wanted == known:
                return wanted
            secret = made_secret(self._place.secret, wanted, live)
            try:
                await (
                    self._client.create(secret) if live is None else self._client.replace(secret)
                )
            except (AlreadyExistsError, ConflictError):
                # Another replica was first: what it wrote counts, once it can be read.
                await asyncio.sleep(_SOON.delay(attempt))
                continue
            logger.info("certificates: Secret %s written", self._place.secret)
        raise ConfigError(
            f"Secret {self._place.secret} did not come to rest in {_ATTEMPTS} attempts: does "
            "something else write it, or do the clocks of the replicas differ?"
        )

    async def _read(self) -> Object | None:
        key = self._place.secret
        try:
            return await self._client.get(SECRETS, key.name, key.namespace)
        except NotFoundError:
            return None

    def _wanted(self, known: Material | None) -> Material:
        is_published = known is None or self._configurations.trust(known.bundle)
        try:
            return renewed(known, self._place.names, self._clock(), is_published=is_published)
        except ValueError as error:
            logger.warning("Secret %s is damaged, made anew: %s", self._place.secret, error)
            return renewed(None, self._place.names, self._clock(), is_published=True)
