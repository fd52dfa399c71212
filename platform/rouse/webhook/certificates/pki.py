"""Making and reading certificates. The time is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = [
    "AUTHORITY_LIFE",
    "SERVING_LIFE",
    "Issued",
    "is_pair",
    "issue_authority",
    "issue_serving",
    "life_of",
    "names_of",
    "signed_by",
]

AUTHORITY_LIFE: Final = timedelta(days=5 * 365)
SERVING_LIFE: Final = timedelta(days=365)

_BACKDATED: Final = timedelta(hours=1)
"""So that a clock somewhat behind ours does not see certificates of the future."""
_COMMON_NAME_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def issue_authority(name: str, now: datetime) -> Issued:
    """Return a CA of its own, for `AUTHORITY_LIFE`."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two CAs of one name, during a change, would be hard to tell apart.
    subject = _subject(f"{name} {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    builder = (
        _builder(subject, key, now, AUTHORITY_LIFE)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
    )
    return Issued(_pem(builder.sign(key, hashes.SHA256())), _pem_key(key))


def issue_serving(authority: Issued, names: Sequence[str], now: datetime) -> Issued:
    """Return a server's certificate for DNS ``names``, for `SERVING_LIFE` or the CA's rest."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    signer = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("the key of the certificate authority is not one of an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    life = min(SERVING_LIFE, issuer.not_valid_after_utc - now)
    builder = (
        _builder(_subject(names[0]), key, now, life)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return Issued(_pem(builder.sign(signer, hashes.SHA256())), _pem_key(key))


def life_of(certificate: bytes) -> tuple[datetime, datetime]:
    """Return when a certificate made here was made, and when it ends."""
    read = x509.load_pem_x509_certificate(certificate)
    return read.not_valid_before_utc + _BACKDATED, read.not_valid_after_utc


def names_of(certificate: bytes) -> list[str]:
    """Return the DNS names a certificate is for."""
    read = x509.load_pem_x509_certificate(certificate)
    try:
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def signed_by(certificate: bytes, authority: bytes) -> bool:
    """Say whether the authority's key signed the certificate."""
    read = x509.load_pem_x509_certificate(certificate)
    try:
        read.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_pair(issued: Issued) -> bool:
    """Say whether the key is the certificate's."""
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    key = serialization.load_pem_private_key(issued.key, password=None)
    return key.public_key() == certificate.public_key()


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    now = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME_CHARS])])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
