"""Whether the controller wrote an assignment: RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017, 8.2.2.

Checking needs one power and one comparison of the whole encoded message, which is why no library of
cryptography is in every image for it. The pod holds nothing that is secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["PublicKey"]

_PREFIX: Final = "rsa:"
_EXPONENT: Final = 65537
_BITS: Final = range(2048, 4097)
_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""DER of a SHA-256 digest, up to the digest."""


@dataclass(frozen=True)
class PublicKey:
    """An RSA key with the public exponent 65537."""

    modulus: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``rsa:<modulus, big-endian, in base64url without padding>``. Raises ValueError."""
        if not text.startswith(_PREFIX):
            raise ValueError(f"a key begins with {_PREFIX!r}")
        modulus = int.from_bytes(_decoded(text.removeprefix(_PREFIX)), "big")
        if modulus.bit_length() not in _BITS:
            raise ValueError(f"a key of {modulus.bit_length()} bits; 2048 to 4096 are accepted")
        return cls(modulus)

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether `signature`, in base64url without padding, is this key's of `message`."""
        size = (self.modulus.bit_length() + 7) // 8
        try:
            given = _decoded(signature)
        except ValueError:
            return False
        number = int.from_bytes(given, "big")
        if len(given) != size or number >= self.modulus:
            return False
        info = _DIGEST_INFO + hashlib.sha256(message).digest()
        # Built, never parsed: what would have to be skipped is where forgeries hide.
        wanted = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
        opened = pow(number, _EXPONENT, self.modulus).to_bytes(size, "big")
        return hmac.compare_digest(opened, wanted)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64url: {error}") from None
