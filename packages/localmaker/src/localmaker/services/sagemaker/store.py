"""Resources of the control plane as JSON documents in one SQLite file; every method is one transaction."""

from __future__ import annotations

import json
from typing import Any

from localmaker.state.databases import Store, releasing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    kind TEXT NOT NULL,
    arn TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, arn)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class ResourceStore(Store):
    """Documents by kind and ARN."""

    schema = _SCHEMA
    schema_version = 1

    def add(self, kind: str, arn: str, document: Any) -> bool:
        """Store a new document; False if there is one already."""
        with self._database.transaction() as database:
            row = (kind, arn, json.dumps(document))
            return database.execute("INSERT OR IGNORE INTO resource VALUES (?, ?, ?)", row).rowcount == 1

    def put(self, kind: str, arn: str, document: Any) -> None:
        """Store a document, or replace the one that is there."""
        with self._database.transaction() as database:
            database.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", (kind, arn, json.dumps(document)))

    def get(self, kind: str, arn: str) -> Any:
        """Return a document, or None."""
        rows = self._database.rows("SELECT document FROM resource WHERE kind = ? AND arn = ?", kind, arn)
        return json.loads(rows[0][0]) if rows else None

    @releasing
    def remove(self, kind: str, arn: str) -> bool:
        """Delete a document; False if there is none."""
        with self._database.transaction() as database:
            return database.execute("DELETE FROM resource WHERE kind = ? AND arn = ?", (kind, arn)).rowcount == 1

    def all(self, kind: str) -> list[Any]:
        """Return every document of a kind, ordered by ARN."""
        return list(self.by_arn(kind).values())

    def by_arn(self, kind: str) -> dict[str, Any]:
        """Return every document of a kind by its ARN, ordered by it."""
        rows = self._database.rows("SELECT arn, document FROM resource WHERE kind = ? ORDER BY arn", kind)
        return {arn: json.loads(text) for arn, text in rows}

    def next_number(self, name: str) -> int:
        """Return 1, 2, 3, …: never the same number twice for a name, even after a restart."""
        with self._database.transaction() as database:
            row = database.execute(
                "INSERT INTO counter VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value", (name,)
            ).fetchone()
        return int(row[0])
