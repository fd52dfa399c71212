"""`python -m rouse.embedded.apiserver.issuing`: makes the server's authority and certificate.

A process of its own: a home is given its keys once, and the library that makes them would stay in
the server's memory, 18 MB, for as long as that runs.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rouse.embedded.apiserver.privately import write_file

__all__ = ["main"]

_BACKDATED = timedelta(days=30)
"""So that a clock that is set back does not make the certificates of the future."""
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")


def main(argv: list[str]) -> int:
    """Write ``ca.crt``, ``server.crt`` and ``server.key`` into a folder."""
    parser = argparse.ArgumentParser(prog="rouse-issuing", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("now", type=datetime.fromisoformat)
    parser.add_argument("until", type=datetime.fromisoformat)
    given = parser.parse_args(argv)
    _issue(given.folder, given.now, given.until)
    return 0


def _issue(folder: Path, now: datetime, until: datetime) -> None:
    root_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("rouse-ca", root_key, None, now, until)
    leaf = _certificate("rouse-apiserver", server_key, (root, root_key), now, until)
    pem = serialization.Encoding.PEM
    write_file(folder / "ca.crt", root.public_bytes(pem), 0o644)
    write_file(folder / "server.crt", leaf.public_bytes(pem), 0o644)
    private = server_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_file(folder / "server.key", private, 0o600)


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, EllipticCurvePrivateKey] | None,
    now: datetime,
    until: datetime,
) -> x509.Certificate:
    """A CA when ``issuer`` is None, else a server certificate signed by it."""
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
        .not_valid_after(until.astimezone(UTC))
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
