from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.storage.doubles.web import Origin, serving


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once, and nothing of the machine's own settings counts."""
    monkeypatch.setenv("ROUSE_STORAGE_BACKOFF_SECONDS", "0.001")
    monkeypatch.setenv("ROUSE_STORAGE_STALL_SECONDS", "5")
    for name in ("ROUSE_MODEL_CACHE", "HF_TOKEN", "HF_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A web server; its files and faults are the test's."""
    with serving(Origin()) as made:
        yield made
