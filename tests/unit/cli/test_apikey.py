from __future__ import annotations

from typing import Any

import pytest

from rouse.kube.objects import Key
from rouse.sdk import apikeys


@pytest.mark.parametrize(
    ("name", "exists", "asked_for", "hint"),
    [
        ("iris", False, False, "there is no InferenceService iris in namespace default yet"),
        ("ig/iris", False, False, "there is no InferenceGraph iris in namespace default yet"),
        ("iris", True, False, "InferenceService iris does not ask for keys yet: kubectl annotate"),
        ("isvc/iris", True, True, ""),
    ],
)
def test_a_key_says_what_it_lacks_to_count(
    cli: Any, monkeypatch: pytest.MonkeyPatch, name: str, exists: bool, asked_for: bool, hint: str
) -> None:
    class Store:
        def __init__(self, *_: object) -> None:
            self.exists, self.asked_for = exists, asked_for
            self.kind = "InferenceService"

        def __enter__(self) -> Store:
            return self

        def __exit__(self, *_: object) -> None: ...

        def create(self, name: str, *_: object, **__: object) -> tuple[str, Key]:
            assert name == "iris"
            return "rk_1", Key("default", "iris-api-keys")

    monkeypatch.setattr(apikeys, "KeyStore", Store)
    ran = cli("apikey", "create", name)
    assert ran.out == "rk_1\n"
    said = ran.err.splitlines()[1:]
    assert [line[: len(hint)] for line in said] == ([hint] if hint else [])
