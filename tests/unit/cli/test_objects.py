from __future__ import annotations

from typing import Any

import pytest

from rouse.sdk import browse


def _row(namespace: str, name: str) -> dict[str, Any]:
    return {"cells": [name], "object": {"metadata": {"namespace": namespace, "name": name}}}


def test_objects_of_all_namespaces_are_told_apart(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {
        "columnDefinitions": [{"name": "Name", "priority": 0}],
        "rows": [_row("default", "iris"), _row("team-a", "iris")],
    }
    monkeypatch.setattr(browse, "fetch", lambda *_, **__: table)
    assert cli("get", "isvc", "-A").out.splitlines() == [
        "NAMESPACE   NAME",
        "default     iris",
        "team-a      iris",
    ]
    assert cli("get", "isvc").out.splitlines() == ["NAME", "iris", "iris"]
