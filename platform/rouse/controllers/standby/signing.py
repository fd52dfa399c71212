"""The key that standby pods obey. It is made by the controller that leads, and never leaves it.

No Secret holds it: a controller that starts anew makes another, and the standby pods are replaced.
That also ends whatever its predecessor had begun and not finished.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["Keys", "PublicKey", "Signer"]

_BITS: Final = 3072
_EXPONENT: Final = 65537


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a standby pod is started with; ``name`` is short, for annotations."""

    text: str

    @property
    def name(self) -> str:
        """The key's digest."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


class Signer:
    """Signs assignments: RSASSA-PKCS1-v1_5 with SHA-256."""

    def __init__(self, private: RSAPrivateKey) -> None:
        self._private = private
        modulus = private.public_key().public_numbers().n
        size = (modulus.bit_length() + 7) // 8
        self.public = PublicKey(f"rsa:{_base64(modulus.to_bytes(size, 'big'))}")

    def sign(self, message: bytes) -> str:
        """Return the signature in base64url without padding; takes 3 ms."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return _base64(self._private.sign(message, padding.PKCS1v15(), hashes.SHA256()))


class Keys:
    """The one signer of this process, made when it is first needed."""

    def __init__(self) -> None:
        self._making = asyncio.Lock()
        self.signer: Signer | None = None
        """None before the first standby pod was wanted."""

    async def get(self) -> Signer:
        """Return the signer; the first time that takes some tenths of a second, in a thread."""
        async with self._making:
            if self.signer is None:
                self.signer = await asyncio.to_thread(_generate)
            return self.signer


def _generate() -> Signer:
    # Imported here: who has no standby pods needs no cryptography.
    from cryptography.hazmat.primitives.asymmetric import rsa

    return Signer(rsa.generate_private_key(_EXPONENT, _BITS))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
