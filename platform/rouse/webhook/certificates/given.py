"""Certificates that others make and renew: cert-manager in a Secret, or anybody in files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from rouse.api.base import Object
from rouse.errors import ConfigError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key
from rouse.kube.resources import SECRETS
from rouse.webhook.certificates.secret import read_pair
from rouse.webhook.tls import Pair

__all__ = ["FileCertificates", "SecretCertificates"]

logger = logging.getLogger(__name__)

_EVERY_S: Final = 5.0


class SecretCertificates:
    """Serves what a Secret of the type kubernetes.io/tls holds; who writes it writes caBundle."""

    def __init__(self, client: KubeClient, key: Key) -> None:
        options = InformerOptions(fields=f"metadata.name={key.name}")
        self._informer = Informer(client, SECRETS, key.namespace, options)

    async def run(self, serve: Callable[[Pair], None]) -> None:
        """Give every new pair to ``serve``, until cancelled."""

        def changed(event: EventType, secret: Object) -> None:
            if event is not EventType.DELETED:
                _serve(partial(read_pair, secret), serve)

        self._informer.add_handler(changed)
        await self._informer.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self._informer.stop()


class FileCertificates:
    """Serves two PEM files, looked at every few seconds.

    Kubernetes changes a mounted Secret by a link to another folder: what counts is the content.
    """

    def __init__(self, certificate: Path, key: Path, *, every_s: float = _EVERY_S) -> None:
        self._certificate = certificate
        self._key = key
        self._every_s = every_s

    async def run(self, serve: Callable[[Pair], None]) -> None:
        """Give every new pair to ``serve``, until cancelled."""
        seen: Pair | None = None
        while True:
            try:
                pair = await asyncio.to_thread(self._read)
            except OSError as error:
                logger.warning("certificates: %s", error)
            else:
                if pair != seen:
                    seen = pair
                    _serve(partial(Pair, pair.certificate, pair.key), serve)
            await asyncio.sleep(self._every_s)

    def _read(self) -> Pair:
        return Pair(self._certificate.read_bytes(), self._key.read_bytes())


def _serve(read: Callable[[], Pair], serve: Callable[[Pair], None]) -> None:
    """Serve a pair; one that is not good leaves the pair before in place."""
    try:
        serve(read())
    except ConfigError as error:
        logger.warning("certificates: %s; going on with the one before, if any", error)
