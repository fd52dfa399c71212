from __future__ import annotations

from datetime import UTC, datetime

from rouse.embedded.mesh.status import is_told, make_status
from rouse.embedded.mesh.translate.problems import INVALID, UNSUPPORTED, Finding
from rouse.kube.objects import Key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = Key("default", "iris")
BAD = Finding("VirtualService", KEY, INVALID, "spec.http[0]: no route")
LEFT_OUT = Finding("VirtualService", KEY, UNSUPPORTED, "spec.tcp: not supported")


def test_routes_in_effect_are_reconciled() -> None:
    [condition] = make_status(3, [], NOW)["conditions"]
    assert condition["status"] == "True"
    assert condition["lastTransitionTime"] == "2026-01-02T03:04:05Z"


def test_a_refusal_names_the_field() -> None:
    [condition] = make_status(3, [LEFT_OUT, BAD], NOW)["conditions"]
    assert condition["status"] == "False"
    assert condition["reason"] == INVALID
    assert condition["message"] == "spec.http[0]: no route"


def test_what_is_left_out_does_not_refuse_the_rest() -> None:
    assert make_status(3, [LEFT_OUT], NOW)["conditions"][0]["status"] == "True"


def test_the_same_news_is_not_written_twice() -> None:
    told = {"status": make_status(3, [], NOW)}
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert is_told(told, make_status(3, [], later))
    assert not is_told(told, make_status(4, [], later))
    assert not is_told(told, make_status(3, [BAD], later))
    assert not is_told({}, make_status(3, [], later))
