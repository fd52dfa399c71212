"""The certificate that is served, replaced while connections are open."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from rouse.errors import ConfigError

__all__ = ["Pair", "ServerCertificate"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (with its chain, if any) and its key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class ServerCertificate:
    """A TLS context, for one server, whose certificate can be replaced at any time."""

    def __init__(self) -> None:
        self.context = _context()
        self.expires: datetime | None = None
        """When the certificate served ends; None before the first."""
        self.begins: datetime | None = None
        self.loads = 0
        self._pair: Pair | None = None

    def load(self, pair: Pair) -> None:
        """Serve this pair from the next handshake on.

        Raises ConfigError, and goes on with the one before, when it is not a certificate with its
        key.
        """
        if pair == self._pair:
            return
        from cryptography import x509

        # A context that took the certificate and not the key would serve neither.
        _load(_context(), pair)
        _load(self.context, pair)
        leaf = x509.load_pem_x509_certificates(pair.certificate)[0]
        self.begins, self.expires = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        self._pair = pair
        self.loads += 1
        logger.info("serving the certificate that ends %s", self.expires.isoformat())

    def lacks(self, now: datetime) -> list[str]:
        """Say what is wrong with the certificate at a time; nothing when it is good."""
        if self.begins is None or self.expires is None:
            return ["no certificate yet"]
        if now < self.begins:
            return [f"the certificate is not valid before {self.begins.isoformat()}"]
        if now >= self.expires:
            return [f"the certificate expired at {self.expires.isoformat()}"]
        return []


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    try:
        with _file(pair.certificate) as certificate, _file(pair.key) as key:
            # A passphrase is never asked for: a key that has one is refused.
            context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ConfigError(f"no certificate with its key, both PEM: {error}") from error


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A path in memory: OpenSSL's only way in, and the key never lies on a disk."""
    descriptor = os.memfd_create("rouse-webhook", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
