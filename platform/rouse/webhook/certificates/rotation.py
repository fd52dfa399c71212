"""What is to happen to the certificates, given what there is and the time. Pure but for the keys.

A certificate is renewed after two thirds of its life. A new CA comes in three steps, so that at no
moment an API server meets a certificate whose CA it does not know:

1. it joins the bundle, while the old one's certificate is still served;
2. `SETTLING` after that, once the webhook configurations carry it, it signs the one served;
3. `OVERLAP` after that, when every replica has long served it, the old CA leaves the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rouse.webhook.certificates.pki import (
    Issued,
    is_pair,
    issue_authority,
    issue_serving,
    life_of,
    names_of,
    signed_by,
)

__all__ = ["OVERLAP", "SETTLING", "Material", "renewed"]

SETTLING: Final = timedelta(hours=1)
OVERLAP: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Material:
    """All that replicas share. ``authorities`` are CA certificates, PEM, the newest last."""

    authorities: tuple[bytes, ...]
    authority_key: bytes = field(repr=False)
    """Of the newest; the key of an older one is thrown away when the newer is made."""
    serving: Issued

    @property
    def newest(self) -> bytes:
        """The CA that signs from now on."""
        return self.authorities[-1]

    @property
    def bundle(self) -> bytes:
        """What API servers are to trust."""
        return b"".join(self.authorities)


def renewed(
    material: Material | None, names: Sequence[str], now: datetime, *, is_published: bool
) -> Material:
    """Return what is to be stored: the same ``material`` when nothing is due.

    ``names`` are the DNS names to serve; ``is_published`` says whether the webhook configurations
    carry the newest CA. Raises ValueError for material that is no PEM.
    """
    if material is None or not _can_sign(material, now):
        return _fresh(names, now)
    if _is_due(material.newest, now):
        return _with_new_authority(material, names[0], now)
    if _must_reissue(material, names, now, is_published=is_published):
        authority = Issued(material.newest, material.authority_key)
        return replace(material, serving=issue_serving(authority, names, now))
    return _without_old(material, now)


def _can_sign(material: Material, now: datetime) -> bool:
    newest = Issued(material.newest, material.authority_key)
    return life_of(newest.certificate)[1] > now and is_pair(newest)


def _fresh(names: Sequence[str], now: datetime) -> Material:
    authority = issue_authority(names[0], now)
    return Material((authority.certificate,), authority.key, issue_serving(authority, names, now))


def _with_new_authority(material: Material, name: str, now: datetime) -> Material:
    authority = issue_authority(name, now)
    known = tuple(each for each in material.authorities if life_of(each)[1] > now)
    return replace(
        material,
        authorities=(*known, authority.certificate),
        authority_key=authority.key,
    )


def _must_reissue(
    material: Material, names: Sequence[str], now: datetime, *, is_published: bool
) -> bool:
    served = material.serving.certificate
    if life_of(served)[1] <= now or sorted(names_of(served)) != sorted(names):
        return True
    if not is_pair(material.serving):
        return True
    is_current = signed_by(served, material.newest)
    if is_current:
        return _is_due(served, now)
    return is_published and life_of(material.newest)[0] + SETTLING <= now


def _without_old(material: Material, now: datetime) -> Material:
    served = material.serving.certificate
    if len(material.authorities) == 1 or not signed_by(served, material.newest):
        return material
    if life_of(served)[0] + OVERLAP > now:
        return material
    return replace(material, authorities=(material.newest,))


def _is_due(certificate: bytes, now: datetime) -> bool:
    made, ends = life_of(certificate)
    return now >= made + (ends - made) * 2 / 3
