from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rouse.errors import ConflictError
from rouse.sdk import Client, browse


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


def test_a_conflict_says_how_to_take_the_fields_over(
    cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConflictError('Apply failed with 1 conflict: conflict with "kubectl"')

    monkeypatch.setattr(Client, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(Client, "close", lambda _: None)
    monkeypatch.setattr(Client, "apply", refuse)
    (tmp_path / "isvc.yaml").write_text("{}")
    ran = cli("apply", "-f", tmp_path / "isvc.yaml")
    assert ran.code == 1
    assert ran.err == (
        'rouse: Apply failed with 1 conflict: conflict with "kubectl"; '
        "--force-conflicts takes these fields over\n"
    )
