"""Rows on disk. Used from one thread only, the store's writer.

WAL with synchronous=FULL: a commit that returned survives ``kill -9`` and a power cut. The lock is
exclusive, so that two servers on one home folder fail at once and not by mixing their writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rouse.errors import EngineError

__all__ = ["Row", "SqliteFile"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (bucket, namespace, name));
CREATE TABLE IF NOT EXISTS buckets (bucket TEXT PRIMARY KEY, revision INTEGER NOT NULL);
"""

_PUT = (
    "INSERT INTO objects VALUES (?, ?, ?, ?, ?) ON CONFLICT (bucket, namespace, name) "
    "DO UPDATE SET revision = excluded.revision, body = excluded.body"
)
_DELETE = "DELETE FROM objects WHERE bucket = ? AND namespace = ? AND name = ?"
_MARK = "INSERT OR REPLACE INTO buckets VALUES (?, ?)"


class Row(NamedTuple):
    """One change: ``body`` is None for a removal."""

    bucket: str
    namespace: str
    name: str
    revision: int
    body: bytes | None


class SqliteFile:
    """The table of objects and the newest revision of every bucket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file; raises EngineError when another server holds it."""
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            db.close()
            raise EngineError(
                f"cannot use the API's state file {self._path}: {error}. "
                "Another rouse engine may be running on the same home folder."
            ) from error
        except sqlite3.DatabaseError as error:
            db.close()
            raise EngineError(
                f"the API's state file {self._path} cannot be read: {error}. "
                "Move it away to start empty, or restore it from a copy."
            ) from error
        self._db = db

    def load(self) -> tuple[list[Row], dict[str, int]]:
        """Every stored object, and the last revision per bucket (removals included)."""
        db = self._connection()
        rows = [Row(*row) for row in db.execute("SELECT * FROM objects ORDER BY revision")]
        return rows, dict(db.execute("SELECT bucket, revision FROM buckets").fetchall())

    def commit(self, rows: Sequence[Row]) -> None:
        """Write all of ``rows`` or nothing; durable when it returns."""
        db = self._connection()
        newest = {row.bucket: row.revision for row in rows}
        db.execute("BEGIN IMMEDIATE")
        try:
            for puts, batch in _runs(rows):
                if puts:
                    db.executemany(_PUT, batch)
                else:
                    db.executemany(_DELETE, [row[:3] for row in batch])
            db.executemany(_MARK, newest.items())
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Fold the log into the file and release it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise EngineError(f"the API's state file {self._path} is not open")
        return self._db


def _runs(rows: Iterable[Row]) -> Iterable[tuple[bool, list[Row]]]:
    """Split into runs of puts and runs of removals, in order."""
    run: list[Row] = []
    puts = True
    for row in rows:
        if run and (row.body is not None) != puts:
            yield puts, run
            run = []
        puts = row.body is not None
        run.append(row)
    if run:
        yield puts, run
