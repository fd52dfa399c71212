"""Certificates over the years: nobody ever meets one whose CA is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rouse.webhook.certificates.pki import (
    AUTHORITY_LIFE,
    SERVING_LIFE,
    Issued,
    life_of,
    names_of,
    signed_by,
)
from rouse.webhook.certificates.rotation import OVERLAP, SETTLING, Material, renewed

NAMES = ["rouse-webhook.rouse-system.svc", "rouse-webhook.rouse-system"]
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def step(material: Material | None, now: datetime, *, is_published: bool = True) -> Material:
    return renewed(material, NAMES, now, is_published=is_published)


@pytest.fixture
def fresh() -> Material:
    return step(None, START)


def is_good(material: Material, now: datetime) -> bool:
    """Whether a server with this pair is trusted by who has this bundle."""
    served = material.serving.certificate
    signers = [each for each in material.authorities if signed_by(served, each)]
    return life_of(served)[1] > now and any(life_of(each)[1] > now for each in signers)


def test_the_first(fresh: Material) -> None:
    assert life_of(fresh.newest) == (START, START + AUTHORITY_LIFE)
    assert life_of(fresh.serving.certificate) == (START, START + SERVING_LIFE)
    assert names_of(fresh.serving.certificate) == NAMES
    assert is_good(fresh, START)
    assert fresh.serving.key.decode() not in repr(fresh)


def test_nothing_is_due_before_two_thirds(fresh: Material) -> None:
    assert step(fresh, START + SERVING_LIFE * 2 / 3 - HOUR) is fresh


def test_a_serving_certificate_is_renewed_under_the_same_ca(fresh: Material) -> None:
    now = START + SERVING_LIFE * 2 / 3 + HOUR
    after = step(fresh, now)
    assert after.authorities == fresh.authorities
    assert life_of(after.serving.certificate) == (now, now + SERVING_LIFE)
    assert is_good(after, now)


def test_a_new_ca_comes_in_three_steps(fresh: Material) -> None:
    now = START + AUTHORITY_LIFE * 2 / 3 + HOUR
    current = replace(fresh, serving=step(fresh, now - 2 * HOUR).serving)

    announced = step(current, now)
    assert announced.authorities[0] == fresh.newest
    assert len(announced.authorities) == 2
    assert announced.serving == current.serving

    assert step(announced, now + SETTLING - timedelta(minutes=1)) == announced
    assert step(announced, now + SETTLING, is_published=False) == announced
    switched = step(announced, now + SETTLING)
    assert switched.authorities == announced.authorities
    assert signed_by(switched.serving.certificate, switched.newest)

    then = now + SETTLING + OVERLAP
    assert step(switched, then - HOUR) == switched
    alone = step(switched, then)
    assert alone.authorities == (switched.newest,)
    assert alone.serving == switched.serving
    assert step(alone, then) == alone


def test_twenty_years_three_days_at_a_time() -> None:
    """Whoever holds the bundle of a step before trusts what is served now."""
    material, now = step(None, START), START
    authorities = set(material.authorities)
    while now < START + timedelta(days=20 * 365):
        now += timedelta(days=3)
        after = step(material, now)
        served = after.serving.certificate
        assert is_good(after, now)
        assert any(signed_by(served, each) for each in material.authorities)
        material = after
        authorities |= set(after.authorities)
    assert len(authorities) == 6


def test_after_years_of_standing_still_all_is_made_anew(fresh: Material) -> None:
    now = START + AUTHORITY_LIFE + HOUR
    after = step(fresh, now)
    assert fresh.newest not in after.authorities
    assert is_good(after, now)


def test_an_expired_one_does_not_wait_for_the_ca_to_settle(fresh: Material) -> None:
    now = START + AUTHORITY_LIFE * 2 / 3 + HOUR
    announced = step(fresh, now)
    assert is_good(step(announced, now, is_published=False), now)


def test_other_names_get_another_certificate(fresh: Material) -> None:
    after = renewed(fresh, ["w.other.svc"], START, is_published=True)
    assert names_of(after.serving.certificate) == ["w.other.svc"]
    assert after.authorities == fresh.authorities


def test_mixed_up_keys_are_replaced(fresh: Material) -> None:
    other = step(None, START)
    swapped = replace(fresh, serving=Issued(fresh.serving.certificate, other.serving.key))
    assert step(swapped, START).authorities == fresh.authorities
    assert is_good(step(swapped, START), START)
    wrong = replace(fresh, authority_key=other.authority_key)
    assert is_good(step(wrong, START), START)
    assert step(wrong, START).authorities != fresh.authorities


def test_what_is_no_pem_is_said() -> None:
    with pytest.raises(ValueError, match="PEM"):
        step(Material((b"no",), b"no", Issued(b"no", b"no")), START)
