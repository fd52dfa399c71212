from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rouse.embedded.apiserver import history
from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.history import Change
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.selectors import selectable_fields
from rouse.embedded.apiserver.sqlite import Row, SqliteFile
from rouse.embedded.apiserver.store import Store
from rouse.errors import EngineError

BUCKET = "/configmaps"


def _object(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ns", "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


class _Failing(SqliteFile):
    """A file whose next commits fail."""

    fail = False

    def commit(self, rows: Sequence[Row]) -> None:
        if self.fail:
            raise sqlite3.OperationalError("disk full")
        super().commit(rows)


async def test_a_write_is_seen_by_writers_at_once_and_by_readers_when_durable(
    tmp_path: Path,
) -> None:
    store = Store(SqliteFile(str(tmp_path / "x.db")), selectable_fields)
    await store.start()
    future = store.put(BUCKET, _object("a"))
    key = Key("ns", "a")
    assert store.head(BUCKET, key) is not None
    assert store.get(BUCKET, key) is None
    record = await future
    assert store.get(BUCKET, key) is record
    await store.stop()


async def test_state_and_revisions_survive_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    store = Store(SqliteFile(path), selectable_fields)
    await store.start()
    await asyncio.gather(*(store.put(BUCKET, _object(f"o{n}")) for n in range(10)))
    last = await store.remove(BUCKET, _object("o3"))
    await store.stop()

    again = Store(SqliteFile(path), selectable_fields)
    await again.start()
    names = [record.key.name for record in again.records(BUCKET)]
    assert names == [f"o{n}" for n in range(10) if n != 3]
    assert again.revision == last.revision
    new = await again.put(BUCKET, _object("new"))
    assert new.revision > last.revision
    assert [change.record.key.name for change in again.since(BUCKET, last.revision)] == ["new"]
    with pytest.raises(StatusError) as caught:
        again.since(BUCKET, last.revision - 1)
    assert (caught.value.status, caught.value.reason) == (410, "Expired")
    await again.stop()


async def test_a_failed_commit_changes_nothing_and_tells_every_writer(tmp_path: Path) -> None:
    file = _Failing(str(tmp_path / "x.db"))
    store = Store(file, selectable_fields)
    await store.start()
    first = await store.put(BUCKET, _object("a", data={"v": "1"}))
    seen: list[Change] = []
    store.listen(seen.append)

    file.fail = True
    doomed = [store.put(BUCKET, _object("a", data={"v": "2"})), store.put(BUCKET, _object("b"))]
    results = await asyncio.gather(*doomed, return_exceptions=True)
    assert all(isinstance(result, StatusError) for result in results)
    assert store.head(BUCKET, Key("ns", "a")) is first
    assert store.head(BUCKET, Key("ns", "b")) is None
    assert seen == []

    file.fail = False
    second = await store.put(BUCKET, _object("a", data={"v": "3"}))
    assert second.revision > first.revision
    assert [change.type for change in seen] == ["MODIFIED"]
    await store.stop()


async def test_changes_are_told_in_order_with_what_they_replace(tmp_path: Path) -> None:
    store = Store(SqliteFile(":memory:"), selectable_fields)
    await store.start()
    seen: list[Change] = []
    store.listen(seen.append)
    store.put(BUCKET, _object("a"))
    store.put(BUCKET, _object("a", data={}))
    await store.remove(BUCKET, _object("a"))
    assert [change.type for change in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[1].previous is seen[0].record
    revisions = [change.record.revision for change in seen]
    assert revisions == sorted(revisions)
    await store.stop()


async def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_CHANGES", 5)
    store = Store(SqliteFile(":memory:"), selectable_fields)
    await store.start()
    records = [await store.put(BUCKET, _object(f"o{n}")) for n in range(8)]
    assert len(store.since(BUCKET, records[2].revision)) == 5
    with pytest.raises(StatusError):
        store.since(BUCKET, records[1].revision)
    await store.stop()


async def test_what_is_queued_at_the_stop_is_written(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    store = Store(SqliteFile(path), selectable_fields)
    await store.start()
    future = store.put(BUCKET, _object("late"))
    await store.stop()
    assert (await future).key.name == "late"
    with pytest.raises(StatusError) as caught:
        store.put(BUCKET, _object("too-late"))
    assert caught.value.status == 503


async def test_two_servers_cannot_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    store = Store(SqliteFile(path), selectable_fields)
    await store.start()
    other = SqliteFile(path)
    with pytest.raises(EngineError, match="Another rouse engine"):
        await asyncio.to_thread(other.open)
    await store.stop()


async def test_a_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(EngineError, match="cannot be read"):
        SqliteFile(str(path)).open()


async def test_dependents_are_indexed_by_owner_uid() -> None:
    store = Store(SqliteFile(":memory:"), selectable_fields)
    await store.start()
    child = _object("child")
    child["metadata"]["ownerReferences"] = [{"uid": "owner"}]
    record = await store.put(BUCKET, child)
    assert store.dependents == {"owner": {(BUCKET, record.key)}}
    await store.remove(BUCKET, record.object())
    assert store.dependents == {}
    assert store.by_uid == {}
    await store.stop()


class _Small(SqliteFile):
    """A file that is full after some pages, as on a full disk."""

    def open(self) -> None:
        super().open()
        self.limit(16)

    def limit(self, pages: int) -> None:
        self._connection().execute(f"PRAGMA max_page_count={pages}")


async def test_a_full_disk_refuses_writes_and_takes_them_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "x.db")
    file = _Small(path)
    store = Store(file, selectable_fields)
    await store.start()
    stored = []

    async def fill() -> None:
        for number in range(100):
            obj = _object(f"o{number:03d}", data={"v": "x" * 2000})
            stored.append(await store.put(BUCKET, obj))

    with pytest.raises(StatusError) as caught:
        await fill()
    assert caught.value.status == 500
    assert "nothing was changed: database or disk is full" in caught.value.message
    assert store.records(BUCKET) == stored
    assert store.head(BUCKET, Key("ns", f"o{len(stored):03d}")) is None
    file.limit(10_000)
    stored.append(await store.put(BUCKET, _object("later")))
    await store.stop()
    again = Store(SqliteFile(path), selectable_fields)
    await again.start()
    assert {record.key for record in again.records(BUCKET)} == {one.key for one in stored}
    await again.stop()
