"""The SQLite file that keeps pipelines, executions and steps over a restart.

Every method is one transaction, so a process that is killed leaves the state before or after a change, never between.
Records are JSON documents, beside them the columns that are searched. Definitions are kept apart, by their SHA-256:
many versions and executions may share one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.records import (
    ExecutionRecord,
    PipelineRecord,
    PipelineVersion,
    StepRecord,
    StepStatus,
)
from localmaker.services.sagemaker.serialization import dump, load
from localmaker.state.databases import Store, releasing

_SCHEMA = """
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
CREATE TABLE IF NOT EXISTS executions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    pipeline_arn TEXT NOT NULL,
    status TEXT NOT NULL,
    queued INTEGER NOT NULL,
    definition_id TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS executions_by_pipeline ON executions (pipeline_arn);
CREATE INDEX IF NOT EXISTS executions_by_status ON executions (status, queued);
CREATE TABLE IF NOT EXISTS steps (
    execution_arn TEXT NOT NULL,
    name TEXT NOT NULL,
    cache_key TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (execution_arn, name)
);
CREATE INDEX IF NOT EXISTS steps_by_cache_key ON steps (cache_key);
"""

Record = TypeVar("Record")
# Operation, client request token, and a fingerprint of what was asked for; None for a request without a token.
Token = tuple[str, str, str] | None


def token_of(operation: str, request: Mapping[str, Any]) -> Token:
    """Return what is stored of a request, so that a repetition gets the same answer and is not carried out again."""
    token = request.get("ClientRequestToken")
    if not token:
        return None
    asked = {key: value for key, value in request.items() if key != "ClientRequestToken"}
    return operation, token, hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


class PipelineStore(Store):
    """Pipelines, executions and steps in ``<directory>/pipelines.sqlite3``. Safe to use from any thread."""

    schema = _SCHEMA
    schema_version = 2

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory / "pipelines.sqlite3")

    def _all(self, kind: type[Record], query: str, *values: object) -> list[Record]:
        return [load(kind, row[0]) for row in self._database.rows(query, *values)]

    def _one(self, kind: type[Record], query: str, *values: object) -> Record | None:
        return next(iter(self._all(kind, query, *values)), None)

    # -- client request tokens ---------------------------------------------------------------------------------------

    def replayed(self, operation: str, request: Mapping[str, Any]) -> str | None:
        """Return the ARN that an earlier request with the same token got; None when the token is new.

        Raises:
            AwsError: ConflictException when the earlier request asked for something else.
        """
        token = token_of(operation, request)
        if token is None:
            return None
        rows = self._database.rows(
            "SELECT request, result FROM tokens WHERE operation = ? AND token = ?", operation, token[1]
        )
        if rows and rows[0][0] != token[2]:
            raise AwsError(
                "ConflictException", f"ClientRequestToken [{token[1]}] was used for a different {operation} request."
            )
        return rows[0][1] if rows else None

    def remember(self, operation: str, request: Mapping[str, Any], arn: str) -> None:
        """Keep the answer to a request with a client request token."""
        token = token_of(operation, request)
        if token is not None:
            with self._database.transaction() as connection:
                _put_token(connection, token, arn)

    # -- pipelines and their versions --------------------------------------------------------------------------------

    def pipeline(self, name: str) -> PipelineRecord | None:
        """Return the pipeline of that name; case does not matter, as in its ARN."""
        return self._one(PipelineRecord, "SELECT document FROM pipelines WHERE name = ?", name.lower())

    def pipelines(self) -> list[PipelineRecord]:
        """Return every pipeline, by name."""
        return self._all(PipelineRecord, "SELECT document FROM pipelines ORDER BY name")

    def version(self, name: str, number: int) -> tuple[PipelineVersion, str] | None:
        """Return a version of a pipeline and its definition; None where it does not exist."""
        query = """SELECT document, text FROM versions JOIN definitions ON id = definition_id
            WHERE pipeline = ? AND number = ?"""
        rows = self._database.rows(query, name.lower(), number)
        return (load(PipelineVersion, rows[0][0]), rows[0][1]) if rows else None

    def versions(self, name: str) -> list[PipelineVersion]:
        """Return every version of a pipeline, oldest first."""
        query = "SELECT document FROM versions WHERE pipeline = ? ORDER BY number"
        return self._all(PipelineVersion, query, name.lower())

    def add_pipeline(self, record: PipelineRecord, version: PipelineVersion, definition: str, token: Token) -> bool:
        """Keep a new pipeline with its first version, and the token of the request; False when its name is taken."""
        with self._database.transaction() as connection:
            row = (record.name.lower(), dump(record))
            added = connection.execute("INSERT OR IGNORE INTO pipelines VALUES (?, ?)", row).rowcount == 1
            if added:
                _put_version(connection, record.name, version, definition)
                _put_token(connection, token, record.arn)
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
            change: gives the changed record; the record may have a new version by then.
            new_version: gives the next version from the record and its current version; None where there is none.
            definition: of the new version.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            record = _pipeline(connection, name)
            added = new_version(record, _version(connection, name, record.latest)) if new_version else None
            if added is not None:
                _put_version(connection, name, added, definition)
                record = replace(record, latest=added.version)
            return _put_pipeline(connection, change(record))

    def update_version(
        self,
        name: str,
        change: Callable[[PipelineRecord], tuple[PipelineRecord, int]],
        change_version: Callable[[PipelineVersion], PipelineVersion],
    ) -> PipelineRecord:
        """Apply a change to a pipeline and to one of its versions.

        Args:
            change: gives the changed record, and the number of the version.
            change_version: gives the changed version.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            changed, number = change(_pipeline(connection, name))
            _put_version(connection, name, change_version(_version(connection, name, number)))
            return _put_pipeline(connection, changed)

    @releasing
    def delete_pipeline(self, name: str, token: Token) -> list[str]:
        """Remove a pipeline with its executions, their steps and the tokens that made them, unless one of them runs.

        Returns:
            The ARNs of the running executions; if there are any, nothing was removed.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            arn = _pipeline(connection, name).arn
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
            _put_token(connection, token, arn)
            return []

    # -- executions and their steps ----------------------------------------------------------------------------------

    def definition(self, definition_id: str) -> str:
        """Return the definition that an execution was started with."""
        return str(self._database.rows("SELECT text FROM definitions WHERE id = ?", definition_id)[0][0])

    def add_execution(
        self, record: ExecutionRecord, definition: str, token: Token, steps: Sequence[StepRecord] = ()
    ) -> ExecutionRecord:
        """Add an execution, note it as its pipeline's last run, and remember the token.

        Args:
            definition: of the version that it runs.
            steps: results of an earlier execution that it reuses.

        Returns:
            The record with its sequence.

        Raises:
            KeyError: the pipeline no longer exists.
        """
        with self._database.transaction() as connection:
            owner = replace(_pipeline(connection, record.pipeline_name), last_run=record.created)
            # Its version may have been deleted meanwhile, and made again.
            _put_definition(connection, record.definition_id, definition)
            cursor = connection.execute(
                "INSERT INTO executions (arn, pipeline_arn, status, queued, definition_id, document) "
                "VALUES (?, ?, ?, ?, ?, '')",
                (record.arn, record.pipeline_arn, record.status, record.queued, record.definition_id),
            )
            added = replace(record, sequence=cursor.lastrowid or 0)
            connection.execute("UPDATE executions SET document = ? WHERE arn = ?", (dump(added), record.arn))
            _put_token(connection, token, record.arn)
            connection.executemany(
                "REPLACE INTO steps VALUES (?, ?, NULL, ?)", [(record.arn, step.name, dump(step)) for step in steps]
            )
            _put_pipeline(connection, owner)
            return added

    def execution(self, arn: str) -> ExecutionRecord | None:
        """Return the execution of that ARN."""
        return self._one(ExecutionRecord, "SELECT document FROM executions WHERE arn = ?", arn)

    def executions(self, pipeline_arn: str) -> list[ExecutionRecord]:
        """Return every execution of a pipeline, oldest first."""
        query = "SELECT document FROM executions WHERE pipeline_arn = ? ORDER BY sequence"
        return self._all(ExecutionRecord, query, pipeline_arn)

    def unfinished_executions(self) -> list[ExecutionRecord]:
        """Return every execution that is Executing or Stopping, oldest first."""
        query = "SELECT document FROM executions WHERE status IN ('Executing', 'Stopping') ORDER BY sequence"
        return self._all(ExecutionRecord, query)

    def queued_executions(self, limit: int) -> list[ExecutionRecord]:
        """Return the executions that wait for a slot, oldest first."""
        query = "SELECT document FROM executions WHERE status = 'Executing' AND queued ORDER BY sequence LIMIT ?"
        return self._all(ExecutionRecord, query, limit)

    def update_execution(self, arn: str, change: Callable[[ExecutionRecord], ExecutionRecord]) -> ExecutionRecord:
        """Apply a change to the newest state of an execution.

        Raises:
            KeyError: there is no such execution.
        """
        with self._database.transaction() as connection:
            row = connection.execute("SELECT document FROM executions WHERE arn = ?", (arn,)).fetchone()
            if row is None:
                raise KeyError(arn)
            changed = change(load(ExecutionRecord, row[0]))
            connection.execute(
                "UPDATE executions SET status = ?, queued = ?, document = ? WHERE arn = ?",
                (changed.status, changed.queued, dump(changed), arn),
            )
            return changed

    def put_step(self, record: StepRecord) -> None:
        """Create or replace a step of an execution. Only a success that really ran can be found by its cache key."""
        reused = record.cache_source is not None or record.selection_source
        key = record.cache_key if record.status is StepStatus.SUCCEEDED and not reused else None
        row = (record.execution_arn, record.name, key, dump(record))
        with self._database.transaction() as connection:
            connection.execute("REPLACE INTO steps VALUES (?, ?, ?, ?)", row)

    def drop_steps(self, execution_arn: str, names: Iterable[str]) -> None:
        """Forget steps of an execution, so that a retry starts them again."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM steps WHERE execution_arn = ? AND name = ?", [(execution_arn, name) for name in names]
            )

    def steps(self, execution_arn: str) -> list[StepRecord]:
        """Return the started steps of an execution, in the order in which they started."""
        steps = self._all(StepRecord, "SELECT document FROM steps WHERE execution_arn = ?", execution_arn)
        return sorted(steps, key=lambda step: step.position)

    def cached_step(self, pipeline_arn: str, name: str, key: str, since: datetime) -> StepRecord | None:
        """Return the most recent success of a step with that cache key that ended at ``since`` or later."""
        found = self._all(StepRecord, "SELECT document FROM steps WHERE cache_key = ? AND name = ?", key, name)
        fitting = [
            (step.ended, step)
            for step in found
            if step.pipeline_arn == pipeline_arn and step.ended is not None and step.ended >= since
        ]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _pipeline(connection: sqlite3.Connection, name: str) -> PipelineRecord:
    row = connection.execute("SELECT document FROM pipelines WHERE name = ?", (name.lower(),)).fetchone()
    if row is None:
        raise KeyError(name)
    return load(PipelineRecord, row[0])


def _put_pipeline(connection: sqlite3.Connection, record: PipelineRecord) -> PipelineRecord:
    connection.execute("REPLACE INTO pipelines VALUES (?, ?)", (record.name.lower(), dump(record)))
    return record


def _version(connection: sqlite3.Connection, name: str, number: int) -> PipelineVersion:
    query = "SELECT document FROM versions WHERE pipeline = ? AND number = ?"
    return load(PipelineVersion, connection.execute(query, (name.lower(), number)).fetchone()[0])


def _put_version(
    connection: sqlite3.Connection, name: str, version: PipelineVersion, definition: str | None = None
) -> None:
    row = (name.lower(), version.version, version.definition_id, dump(version))
    connection.execute("REPLACE INTO versions VALUES (?, ?, ?, ?)", row)
    if definition is not None:
        _put_definition(connection, version.definition_id, definition)


def _put_definition(connection: sqlite3.Connection, definition_id: str, text: str) -> None:
    connection.execute("INSERT OR IGNORE INTO definitions VALUES (?, ?)", (definition_id, text))


def _put_token(connection: sqlite3.Connection, token: Token, result: str) -> None:
    if token is not None:
        connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, result))
