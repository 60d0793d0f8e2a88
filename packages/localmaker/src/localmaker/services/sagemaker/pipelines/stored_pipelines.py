"""Pipelines and their versions in the store.

Records are JSON documents. Definitions are kept apart, by their SHA-256: many versions and executions may share one,
and a change of a version's name need not write it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from localmaker.services.sagemaker.pipelines.records import PipelineRecord, PipelineVersion, dump, load
from localmaker.state.databases import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS pipelines (name TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
    pipeline TEXT NOT NULL,
    number INTEGER NOT NULL,
    definition_id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (pipeline, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS definitions (id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    operation TEXT NOT NULL, token TEXT NOT NULL, request TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (operation, token)
);
"""

# Operation, client request token, and what was asked for.
Token = tuple[str, str, str]


class StoredPipelines:
    """The part of the store that the catalogue uses. Every method is one transaction."""

    _database: Database

    def pipeline(self, name: str) -> PipelineRecord | None:
        """The pipeline of that name (case does not count, as in its ARN)."""
        rows = self._database.rows("SELECT document FROM pipelines WHERE name = ?", name.lower())
        return load(PipelineRecord, rows[0][0]) if rows else None

    def pipelines(self) -> list[PipelineRecord]:
        """Every pipeline, by name."""
        return [
            load(PipelineRecord, row[0]) for row in self._database.rows("SELECT document FROM pipelines ORDER BY name")
        ]

    def version(self, name: str, number: int) -> tuple[PipelineVersion, str] | None:
        """A version of a pipeline and its definition; None where it is not there."""
        query = """SELECT document, text FROM versions JOIN definitions ON id = definition_id
            WHERE pipeline = ? AND number = ?"""
        rows = self._database.rows(query, name.lower(), number)
        return (load(PipelineVersion, rows[0][0]), rows[0][1]) if rows else None

    def versions(self, name: str) -> list[PipelineVersion]:
        """Every version of a pipeline, oldest first."""
        rows = self._database.rows("SELECT document FROM versions WHERE pipeline = ? ORDER BY number", name.lower())
        return [load(PipelineVersion, row[0]) for row in rows]

    def add_pipeline(
        self, record: PipelineRecord, version: PipelineVersion, definition: str, token: Token | None = None
    ) -> bool:
        """Keep a new pipeline with its first version, and the token of the request; False when its name is taken."""
        with self._database.transaction() as connection:
            row = (record.name.lower(), dump(record))
            added = connection.execute("INSERT OR IGNORE INTO pipelines VALUES (?, ?)", row).rowcount == 1
            if added:
                _put_version(connection, record.name, version, definition)
            if added and token is not None:
                connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, record.arn))
            return added

    def update_pipeline(
        self,
        name: str,
        change: Callable[[PipelineRecord], PipelineRecord],
        new_version: Callable[[PipelineRecord, PipelineVersion], PipelineVersion | None] | None = None,
        definition: str = "",
    ) -> PipelineRecord:
        """Apply a change to the newest state of a pipeline.

        Args:
            name: of the pipeline.
            change: of its record, which may have a new version by then.
            new_version: gives the next version from the record and its current one; None where there is none.
            definition: of the new version.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            record = pipeline_of(connection, name)
            added = new_version(record, _version(connection, name, record.latest)) if new_version else None
            if added is not None:
                _put_version(connection, name, added, definition)
                record = replace(record, latest=added.version)
            changed = change(record)
            connection.execute("REPLACE INTO pipelines VALUES (?, ?)", (name.lower(), dump(changed)))
            return changed

    def update_version(
        self,
        name: str,
        change: Callable[[PipelineRecord], tuple[PipelineRecord, int]],
        change_version: Callable[[PipelineVersion], PipelineVersion],
    ) -> PipelineRecord:
        """Apply a change to a pipeline and to one of its versions.

        Args:
            name: of the pipeline.
            change: of its record; says which version is meant.
            change_version: of the version.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            changed, number = change(pipeline_of(connection, name))
            _put_version(connection, name, change_version(_version(connection, name, number)))
            connection.execute("REPLACE INTO pipelines VALUES (?, ?)", (name.lower(), dump(changed)))
            return changed

    def delete_pipeline(self, name: str, token: Token | None = None) -> list[str]:
        """Remove a pipeline with its executions, their steps and the tokens that made them, unless one of them runs.

        Args:
            name: of the pipeline.
            token: of the request, to remember.

        Returns:
            The ARNs of the executions that run; the pipeline is still there when there are any.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            arn = pipeline_of(connection, name).arn
            of_pipeline = "FROM executions WHERE pipeline_arn = ?"
            unfinished = f"SELECT arn {of_pipeline} AND status IN ('Executing', 'Stopping') ORDER BY sequence"
            running = [row[0] for row in connection.execute(unfinished, (arn,))]
            if running:
                return running
            arns = f"SELECT arn {of_pipeline}"
            connection.execute(f"DELETE FROM steps WHERE execution_arn IN ({arns})", (arn,))  # noqa: S608
            connection.execute(f"DELETE FROM tokens WHERE result = ? OR result IN ({arns})", (arn, arn))  # noqa: S608
            connection.execute(f"DELETE {of_pipeline}", (arn,))
            for table, column in (("versions", "pipeline"), ("pipelines", "name")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name.lower(),))  # noqa: S608
            connection.execute(
                "DELETE FROM definitions WHERE id NOT IN "
                "(SELECT definition_id FROM executions UNION SELECT definition_id FROM versions)"
            )
            if token is not None:
                connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, arn))
            return []


def pipeline_of(connection: sqlite3.Connection, name: str) -> PipelineRecord:
    row = connection.execute("SELECT document FROM pipelines WHERE name = ?", (name.lower(),)).fetchone()
    if row is None:
        raise KeyError(name)
    return load(PipelineRecord, row[0])


def _put_version(
    connection: sqlite3.Connection, name: str, version: PipelineVersion, definition: str | None = None
) -> None:
    row = (name.lower(), version.version, version.definition_id, dump(version))
    connection.execute("REPLACE INTO versions VALUES (?, ?, ?, ?)", row)
    if definition is not None:
        connection.execute("INSERT OR IGNORE INTO definitions VALUES (?, ?)", (version.definition_id, definition))


def _version(connection: sqlite3.Connection, name: str, number: int) -> PipelineVersion:
    query = "SELECT document FROM versions WHERE pipeline = ? AND number = ?"
    return load(PipelineVersion, connection.execute(query, (name.lower(), number)).fetchone()[0])
