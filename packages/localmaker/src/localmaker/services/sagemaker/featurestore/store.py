"""Feature groups and online records in one SQLite file; every method is one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localmaker.services.sagemaker.featurestore.records import FeatureValue, OfflineRow, Record
from localmaker.state.databases import Store, releasing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS feature_group (
    arn TEXT PRIMARY KEY,
    description TEXT NOT NULL  -- DescribeFeatureGroup as JSON, with Tags
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    feature_group TEXT NOT NULL,
    identifier TEXT NOT NULL,
    event_time INTEGER NOT NULL,  -- microseconds since 1970
    "values" TEXT NOT NULL,       -- JSON list of FeatureValue; empty for a soft-deleted record
    deleted INTEGER NOT NULL,
    expires_at INTEGER,           -- microseconds since 1970
    PRIMARY KEY (feature_group, identifier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offline_row (  -- not yet in the offline store
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    feature_group TEXT NOT NULL,
    event_time INTEGER NOT NULL,
    "values" TEXT NOT NULL,
    written_at INTEGER NOT NULL,  -- microseconds since 1970
    deleted INTEGER NOT NULL
);
"""


@dataclass(frozen=True)
class StoredRecord:
    """The latest record of one identifier."""

    identifier: str
    event_time: int
    values: list[FeatureValue]
    deleted: bool
    expires_at: int | None


@dataclass(frozen=True)
class Write:
    """A record of a group, and the stores that it is for."""

    arn: str
    record: Record
    online: bool
    offline: bool


class FeatureStore(Store):
    """The feature groups and their records."""

    schema = _SCHEMA
    schema_version = 2

    # Feature groups

    def add_group(self, arn: str, description: dict[str, Any]) -> bool:
        """Store a new feature group; False if there is one with this ARN."""
        with self._database.transaction() as database:
            text = json.dumps(description)
            added = database.execute("INSERT OR IGNORE INTO feature_group VALUES (?, ?)", (arn, text))
            return added.rowcount == 1

    @releasing  # so that a group says why its offline store is blocked
    def change_group(self, arn: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a feature group's description; concurrent changes of other fields are kept."""
        with self._database.transaction() as database:
            _change_group(database, arn, changes)

    def group(self, arn: str) -> dict[str, Any] | None:
        """Return the description of a feature group, or None."""
        rows = self._database.rows("SELECT description FROM feature_group WHERE arn = ?", arn)
        return json.loads(rows[0][0]) if rows else None

    def groups(self) -> list[dict[str, Any]]:
        """Return every feature group's description, ordered by ARN."""
        rows = self._database.rows("SELECT description FROM feature_group ORDER BY arn")
        return [json.loads(text) for (text,) in rows]

    @releasing
    def delete_records(self, arn: str, changes: Mapping[str, Any]) -> None:
        """Delete the online records of a feature group, and set fields of its description."""
        with self._database.transaction() as database:
            database.execute("DELETE FROM record WHERE feature_group = ?", (arn,))
            _change_group(database, arn, changes)

    @releasing
    def delete_group(self, arn: str) -> None:
        """Delete a feature group and its records."""
        with self._database.transaction() as database:
            database.execute("DELETE FROM record WHERE feature_group = ?", (arn,))
            database.execute("DELETE FROM offline_row WHERE feature_group = ?", (arn,))
            database.execute("DELETE FROM feature_group WHERE arn = ?", (arn,))

    # The buffer of the offline store

    def add_offline_row(self, arn: str, event_time: int, values: list[FeatureValue], *, deleted: bool = False) -> None:
        """Buffer a record for the offline store."""
        with self._database.transaction() as database:
            _add_offline_row(database, arn, event_time, values, deleted=deleted)

    def groups_with_offline_rows(self) -> list[str]:
        """Return the ARNs of the groups with buffered records."""
        return [arn for (arn,) in self._database.rows("SELECT DISTINCT feature_group FROM offline_row")]

    def offline_rows(self, arn: str, limit: int) -> list[OfflineRow]:
        """Return the first buffered records of a group, in the order of writing."""
        rows = self._database.rows(
            """SELECT number, event_time, "values", written_at, deleted FROM offline_row
            WHERE feature_group = ? ORDER BY number LIMIT ?""",
            arn,
            limit,
        )
        return [
            OfflineRow(number, at, json.loads(values), written, bool(gone))
            for number, at, values, written, gone in rows
        ]

    @releasing
    def delete_offline_rows(self, arn: str, last: int | None = None) -> None:
        """Delete the buffered records of a group, up to a number if one is given."""
        with self._database.transaction() as database:
            database.execute(
                "DELETE FROM offline_row WHERE feature_group = ?1 AND (?2 IS NULL OR number <= ?2)", (arn, last)
            )

    # Records

    def put(self, arn: str, record: Record) -> bool:
        """Write a record; False if there is a later one. A record with the same event time is replaced."""
        with self._database.transaction() as database:
            return _put(database, arn, record)

    def write(self, writes: Sequence[Write]) -> None:
        """Write records to the stores that each is for, all in one transaction; later online records stay."""
        with self._database.transaction() as database:
            for one in writes:
                if one.online:
                    _put(database, one.arn, one.record)
                if one.offline:
                    _add_offline_row(database, one.arn, one.record.event_time, one.record.values)

    def get(self, arn: str, identifier: str) -> StoredRecord | None:
        """Return the latest record, soft-deleted or not; None if there is none or it has expired."""
        with self._database.transaction() as database:
            _delete_expired(database, arn, identifier)
            row = database.execute(
                """SELECT identifier, event_time, "values", deleted, expires_at FROM record
                WHERE feature_group = ? AND identifier = ?""",
                (arn, identifier),
            ).fetchone()
        return StoredRecord(row[0], row[1], json.loads(row[2]), bool(row[3]), row[4]) if row else None

    @releasing
    def soft_delete(self, arn: str, identifier: str, event_time: int) -> None:
        """Mark a record as deleted, so that an older one is refused; a later record stays as it is."""
        with self._database.transaction() as database:
            database.execute(
                """UPDATE record SET event_time = ?3, "values" = '[]', deleted = 1, expires_at = NULL
                WHERE feature_group = ?1 AND identifier = ?2 AND event_time < ?3""",
                (arn, identifier, event_time),
            )

    @releasing
    def hard_delete(self, arn: str, identifier: str, event_time: int) -> bool:
        """Remove a record; False if its event time is the same or later."""
        with self._database.transaction() as database:
            _delete_expired(database, arn, identifier)
            where = (arn, identifier)
            row = database.execute(
                "SELECT event_time FROM record WHERE feature_group = ? AND identifier = ?", where
            ).fetchone()
            if row is not None and row[0] >= event_time:
                return False
            database.execute("DELETE FROM record WHERE feature_group = ? AND identifier = ?", where)
            return True

    def identifiers(self, arn: str, after: str, limit: int, *, deleted: bool) -> list[str]:
        """Return up to ``limit`` record identifiers greater than ``after``, in order.

        Args:
            deleted: whether to include soft-deleted records.
        """
        rows = self._database.rows(
            """SELECT identifier FROM record WHERE feature_group = ? AND identifier > ? AND deleted <= ?
            AND (expires_at IS NULL OR expires_at > ?) ORDER BY identifier LIMIT ?""",
            *(arn, after, int(deleted), _now(), limit),
        )
        return [identifier for (identifier,) in rows]


def _now() -> int:
    return time.time_ns() // 1000


def _change_group(database: sqlite3.Connection, arn: str, changes: Mapping[str, Any]) -> None:
    row = database.execute("SELECT description FROM feature_group WHERE arn = ?", (arn,)).fetchone()
    if row is not None:
        text = json.dumps({**json.loads(row[0]), **changes})
        database.execute("UPDATE feature_group SET description = ? WHERE arn = ?", (text, arn))


def _delete_expired(database: sqlite3.Connection, arn: str, identifier: str) -> None:
    database.execute(
        "DELETE FROM record WHERE feature_group = ? AND identifier = ? AND expires_at <= ?",
        (arn, identifier, _now()),
    )


def _put(database: sqlite3.Connection, arn: str, record: Record) -> bool:
    _delete_expired(database, arn, record.identifier)
    row = (arn, record.identifier, record.event_time, json.dumps(record.values), record.expires_at)
    written = database.execute(
        """INSERT INTO record VALUES (?1, ?2, ?3, ?4, 0, ?5)
        ON CONFLICT DO UPDATE SET event_time = ?3, "values" = ?4, deleted = 0, expires_at = ?5
        WHERE event_time <= ?3""",
        row,
    )
    return written.rowcount == 1


def _add_offline_row(
    database: sqlite3.Connection, arn: str, event_time: int, values: list[FeatureValue], *, deleted: bool = False
) -> None:
    database.execute(
        """INSERT INTO offline_row (feature_group, event_time, "values", written_at, deleted)
        VALUES (?, ?, ?, ?, ?)""",
        (arn, event_time, json.dumps(values), _now(), int(deleted)),
    )
