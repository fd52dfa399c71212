from __future__ import annotations

import pytest

from rouse.embedded.apiserver import history
from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.history import Change, History
from rouse.embedded.apiserver.records import record_of


def _change(revision: int, payload: str) -> Change:
    named = {"name": f"c{revision}", "namespace": "default"}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"v": payload}}
    return Change("ADDED", "configmaps", record_of(obj, revision, {}), None)


def test_a_history_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 3 * history.OVERHEAD)
    kept = History(0)
    for revision in range(1, 21):
        kept.append(_change(revision, "x" * 200))
    with pytest.raises(StatusError, match="too old resource version: 10"):
        kept.since(10)
    assert [change.record.revision for change in kept.since(18)] == [19, 20]
