"""The server's identity and the administrator's: CA, server certificate, token, kubeconfig.

Written once into ``<home>/pki``. The token is the administrator's credential; the kubeconfig that
carries it can be read by its owner only.
"""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from rouse.errors import EngineError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["CONTEXT", "Identity", "ensure_identity", "write_kubeconfig"]

CONTEXT = "rouse"
_BACKDATED = timedelta(days=30)
"""So that a clock that is set back does not make the certificates of the future."""
_LIFETIME = timedelta(days=3650)
_RENEW = timedelta(days=30)
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Identity:
    """Paths of the PEM files and the bearer token."""

    ca: Path
    certificate: Path
    key: Path
    token: str


def ensure_identity(folder: Path, now: datetime) -> Identity:
    """The identity in ``folder``, made when it is not there or about to expire."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, certificate, key = folder / "ca.crt", folder / "server.crt", folder / "server.key"
    token, expires = folder / "token", folder / "expires"
    if not _is_fresh((ca, certificate, key, token), expires, now):
        _issue(ca, certificate, key, now)
        if not token.exists():
            _write(token, secrets.token_urlsafe(32).encode(), 0o600)
        _write(expires, (now + _LIFETIME).isoformat().encode(), 0o644)
    text = token.read_text().strip()
    if not text:
        raise EngineError(f"the token file {token} is empty; delete it to have a new one made")
    return Identity(ca, certificate, key, text)


def write_kubeconfig(path: Path, identity: Identity, server: str) -> None:
    """Write the administrator's kubeconfig, mode 0600; JSON, which every YAML reader takes."""
    authority = base64.b64encode(identity.ca.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"certificate-authority-data": authority, "server": server},
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": identity.token}}],
        "contexts": [
            {
                "name": CONTEXT,
                "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"},
            }
        ],
        "current-context": CONTEXT,
        "preferences": {},
    }
    body = orjson.dumps(config, option=orjson.OPT_INDENT_2) + b"\n"
    if not path.exists() or path.read_bytes() != body:
        _write(path, body, 0o600)


def _is_fresh(needed: tuple[Path, ...], expires: Path, now: datetime) -> bool:
    if not all(path.exists() for path in needed):
        return False
    try:
        return datetime.fromisoformat(expires.read_text()) - now > _RENEW
    except (OSError, ValueError):
        return False


def _write(path: Path, body: bytes, mode: int) -> None:
    """Replace a file in one step, never readable by more than ``mode`` allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _issue(ca: Path, certificate: Path, key: Path, now: datetime) -> None:
    # Imported here: only the first start of a home folder needs it, and it is slow to import.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("rouse-ca", root_key, None, now)
    leaf = _certificate("rouse-apiserver", server_key, (root, root_key), now)
    pem = serialization.Encoding.PEM
    _write(ca, root.public_bytes(pem), 0o644)
    _write(certificate, leaf.public_bytes(pem), 0o644)
    private = server_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, private, 0o600)


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, EllipticCurvePrivateKey] | None,
    now: datetime,
) -> x509.Certificate:
    """A CA when ``issuer`` is None, else a server certificate signed by it."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_ca = issuer is None
    signer = key if issuer is None else issuer[1]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _BACKDATED)
        .not_valid_after(now.astimezone(UTC) + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), True)
        .add_extension(_key_usage(is_ca=is_ca), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
    )
    if not is_ca:
        names = [x509.DNSName(each) for each in _NAMES]
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES]
        builder = builder.add_extension(x509.SubjectAlternativeName([*names, *addresses]), False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, False)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
