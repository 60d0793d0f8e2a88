"""Resources of the control plane as JSON documents in one SQLite file; every method is one transaction."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.local.databases import open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    kind TEXT NOT NULL,
    arn TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, arn)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1


class ResourceStore:
    """Documents by kind and ARN.

    Args:
        path: the SQLite file, created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = open_database(path, _SCHEMA, _VERSION)

    def close(self) -> None:
        """Close the file; nothing is lost."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def add(self, kind: str, arn: str, document: Any) -> bool:
        """Keep a new document; False when there is one."""
        with self._transaction() as database:
            row = (kind, arn, json.dumps(document))
            return database.execute("INSERT OR IGNORE INTO resource VALUES (?, ?, ?)", row).rowcount == 1

    def put(self, kind: str, arn: str, document: Any) -> None:
        """Keep a document in place of what was there."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", (kind, arn, json.dumps(document)))

    def get(self, kind: str, arn: str) -> Any:
        """A document, or None."""
        with self._transaction() as database:
            found = database.execute("SELECT document FROM resource WHERE kind = ? AND arn = ?", (kind, arn))
            row = found.fetchone()
        return json.loads(row[0]) if row else None

    def remove(self, kind: str, arn: str) -> bool:
        """Forget a document; False when there was none."""
        with self._transaction() as database:
            return database.execute("DELETE FROM resource WHERE kind = ? AND arn = ?", (kind, arn)).rowcount == 1

    def all(self, kind: str) -> list[Any]:
        """Every document of a kind, by ARN."""
        with self._transaction() as database:
            rows = database.execute("SELECT document FROM resource WHERE kind = ? ORDER BY arn", (kind,)).fetchall()
        return [json.loads(text) for (text,) in rows]

    def next_number(self, name: str) -> int:
        """1, 2, 3, ...: never the same number twice for one name, also after a restart."""
        with self._transaction() as database:
            row = database.execute(
                "INSERT INTO counter VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value", (name,)
            ).fetchone()
        return int(row[0])
