"""Query executions in one SQLite file; every method is one transaction."""

from __future__ import annotations

import json
from typing import Any

from localmaker.state.databases import Store, releasing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS query_execution (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    work_group TEXT NOT NULL,
    token TEXT NOT NULL,     -- ClientRequestToken
    state TEXT NOT NULL,
    submitted REAL NOT NULL, -- seconds since 1970
    document TEXT NOT NULL   -- GetQueryExecution as JSON, and what the other operations tell
);
CREATE INDEX IF NOT EXISTS by_token ON query_execution (region, token);
"""
_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
# "Query history" of the user guide.
_KEPT_SECONDS = 45 * 86400


class QueryStore(Store):
    """Query executions as documents."""

    schema = _SCHEMA
    schema_version = 1

    def add(self, region: str, token: str, document: dict[str, Any]) -> str:
        """Store a new execution, and return its id; that of the execution with the same token if there is one."""
        execution = document["QueryExecution"]
        submitted = execution["Status"]["SubmissionDateTime"]
        with self._database.transaction() as database:
            database.execute("DELETE FROM query_execution WHERE submitted < ?", (submitted - _KEPT_SECONDS,))
            known = database.execute(
                "SELECT id FROM query_execution WHERE region = ? AND token = ?", (region, token)
            ).fetchone()
            if known is not None:
                return str(known[0])
            row = (execution["QueryExecutionId"], region, execution["WorkGroup"], token, "QUEUED", submitted)
            database.execute(
                """INSERT INTO query_execution (id, region, work_group, token, state, submitted, document)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (*row, json.dumps(document)),
            )
        return str(row[0])

    def get(self, region: str, identifier: str) -> dict[str, Any] | None:
        """Return the document of an execution, or None."""
        rows = self._database.rows(
            "SELECT document FROM query_execution WHERE region = ? AND id = ?", region, identifier
        )
        return json.loads(rows[0][0]) if rows else None

    @releasing
    def change(self, identifier: str, document: dict[str, Any]) -> bool:
        """Replace the document of an execution; False if it has ended before."""
        state = document["QueryExecution"]["Status"]["State"]
        with self._database.transaction() as database:
            changed = database.execute(
                "UPDATE query_execution SET state = ?, document = ? WHERE id = ? AND state NOT IN (?, ?, ?)",
                (state, json.dumps(document), identifier, *_FINAL),
            )
            return changed.rowcount == 1

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the documents of the executions that have not ended."""
        rows = self._database.rows("SELECT document FROM query_execution WHERE state NOT IN (?, ?, ?)", *_FINAL)
        return [json.loads(text) for (text,) in rows]

    def page(self, region: str, work_group: str, before: int | None, limit: int) -> list[tuple[int, str]]:
        """Return number and id of executions of a work group, the newest first."""
        rows = self._database.rows(
            """SELECT number, id FROM query_execution WHERE region = ?1 AND work_group = ?2
            AND (?3 IS NULL OR number < ?3) ORDER BY number DESC LIMIT ?4""",
            *(region, work_group, before, limit),
        )
        return [(int(number), str(identifier)) for number, identifier in rows]
