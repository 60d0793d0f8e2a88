"""The SQLite file that remembers pipelines, executions and steps over a restart.

Every method is one transaction, so a process that is killed leaves the state before or after a change, never between.
Records are JSON documents; the columns beside them are those that are searched. Definitions are kept apart, by their
SHA-256: hundreds of executions share one, and a change of status need not write it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pipeline.local.databases import Database
from pipeline.local.pipelines.records import ExecutionRecord, PipelineRecord, StepRecord, StepStatus, dump, load

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pipelines (name TEXT PRIMARY KEY, document TEXT NOT NULL);
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
CREATE TABLE IF NOT EXISTS definitions (id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS steps (
    execution_arn TEXT NOT NULL,
    name TEXT NOT NULL,
    cache_key TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (execution_arn, name)
);
CREATE INDEX IF NOT EXISTS steps_by_cache_key ON steps (cache_key);
CREATE TABLE IF NOT EXISTS tokens (
    operation TEXT NOT NULL, token TEXT NOT NULL, request TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (operation, token)
);
"""
_VERSION = 1


# Operation, client request token, and what was asked for.
Token = tuple[str, str, str]


class PipelineStore:
    """Pipelines, executions and steps in ``<directory>/pipelines.sqlite3``. Safe to use from any thread."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._database = Database(directory / "pipelines.sqlite3", _SCHEMA, _VERSION)

    def close(self) -> None:
        """Close the file. Every other method raises StoreClosedError after it."""
        self._database.close()

    def pipeline(self, name: str) -> PipelineRecord | None:
        """The pipeline of that name (case does not count, as in its ARN)."""
        rows = self._database.rows("SELECT document FROM pipelines WHERE name = ?", name.lower())
        return load(PipelineRecord, rows[0][0]) if rows else None

    def pipelines(self) -> list[PipelineRecord]:
        """Every pipeline, by name."""
        return [
            load(PipelineRecord, row[0]) for row in self._database.rows("SELECT document FROM pipelines ORDER BY name")
        ]

    def add_pipeline(self, record: PipelineRecord, token: Token | None = None) -> bool:
        """Keep a new pipeline, and the token of the request that made it; False when its name is taken."""
        with self._database.transaction() as connection:
            row = (record.name.lower(), dump(record))
            added = connection.execute("INSERT OR IGNORE INTO pipelines VALUES (?, ?)", row).rowcount == 1
            if added and token is not None:
                connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, record.arn))
            return added

    def update_pipeline(self, name: str, change: Callable[[PipelineRecord], PipelineRecord]) -> PipelineRecord:
        """Apply a change to the newest state of a pipeline.

        Raises:
            KeyError: there is no such pipeline.
        """
        with self._database.transaction() as connection:
            changed = change(_pipeline(connection, name))
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
            connection.execute("DELETE FROM definitions WHERE id NOT IN (SELECT definition_id FROM executions)")
            connection.execute("DELETE FROM pipelines WHERE name = ?", (name.lower(),))
            if token is not None:
                connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, arn))
            return []

    def token(self, operation: str, token: str) -> tuple[str, str] | None:
        """The (request, result) that a client request token stands for."""
        rows = self._database.rows(
            "SELECT request, result FROM tokens WHERE operation = ? AND token = ?", operation, token
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def put_token(self, token: Token | None, result: str) -> None:
        """Remember what a client request token stands for."""
        if token is None:
            return
        with self._database.transaction() as connection:
            connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, result))

    def definition(self, definition_id: str) -> str:
        """The definition that an execution was started with."""
        return str(self._database.rows("SELECT text FROM definitions WHERE id = ?", definition_id)[0][0])

    def add_execution(
        self,
        record: ExecutionRecord,
        definition: str,
        token: Token,
        steps: Sequence[StepRecord] = (),
    ) -> ExecutionRecord:
        """Add an execution, note it as its pipeline's last run, and remember the token. Gives it its sequence.

        Args:
            record: of the execution.
            definition: that it runs.
            token: of the request.
            steps: results that it builds upon.

        Raises:
            KeyError: the pipeline is no longer there.
        """
        with self._database.transaction() as connection:
            owner = replace(_pipeline(connection, record.pipeline_name), last_run=record.created)
            connection.execute("INSERT OR IGNORE INTO definitions VALUES (?, ?)", (record.definition_id, definition))
            cursor = connection.execute(
                "INSERT INTO executions (arn, pipeline_arn, status, queued, definition_id, document) "
                "VALUES (?, ?, ?, ?, ?, '')",
                (record.arn, record.pipeline_arn, record.status, record.queued, record.definition_id),
            )
            added = replace(record, sequence=cursor.lastrowid or 0)
            connection.execute("UPDATE executions SET document = ? WHERE arn = ?", (dump(added), record.arn))
            connection.execute("REPLACE INTO tokens VALUES (?, ?, ?, ?)", (*token, record.arn))
            connection.executemany(
                "REPLACE INTO steps VALUES (?, ?, NULL, ?)", [(record.arn, step.name, dump(step)) for step in steps]
            )
            connection.execute("REPLACE INTO pipelines VALUES (?, ?)", (owner.name.lower(), dump(owner)))
            return added

    def execution(self, arn: str) -> ExecutionRecord | None:
        """The execution of that ARN."""
        rows = self._database.rows("SELECT document FROM executions WHERE arn = ?", arn)
        return load(ExecutionRecord, rows[0][0]) if rows else None

    def executions(self, pipeline_arn: str) -> list[ExecutionRecord]:
        """Every execution of a pipeline, oldest first."""
        rows = self._database.rows(
            "SELECT document FROM executions WHERE pipeline_arn = ? ORDER BY sequence", pipeline_arn
        )
        return [load(ExecutionRecord, row[0]) for row in rows]

    def unfinished_executions(self) -> list[ExecutionRecord]:
        """Every execution that is Executing or Stopping, oldest first."""
        rows = self._database.rows(
            "SELECT document FROM executions WHERE status IN ('Executing', 'Stopping') ORDER BY sequence"
        )
        return [load(ExecutionRecord, row[0]) for row in rows]

    def queued_executions(self, limit: int) -> list[ExecutionRecord]:
        """The executions that wait for a slot, oldest first."""
        rows = self._database.rows(
            "SELECT document FROM executions WHERE status = 'Executing' AND queued ORDER BY sequence LIMIT ?", limit
        )
        return [load(ExecutionRecord, row[0]) for row in rows]

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
        key = (
            record.cache_key
            if record.status is StepStatus.SUCCEEDED and record.cache_source is None and not record.selection_source
            else None
        )
        with self._database.transaction() as connection:
            connection.execute(
                "REPLACE INTO steps VALUES (?, ?, ?, ?)", (record.execution_arn, record.name, key, dump(record))
            )

    def drop_steps(self, execution_arn: str, names: list[str]) -> None:
        """Forget steps of an execution, so that a retry starts them again."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM steps WHERE execution_arn = ? AND name = ?", [(execution_arn, name) for name in names]
            )

    def steps(self, execution_arn: str) -> list[StepRecord]:
        """The steps of an execution that have started, in the order in which they did."""
        rows = self._database.rows("SELECT document FROM steps WHERE execution_arn = ?", execution_arn)
        return sorted((load(StepRecord, row[0]) for row in rows), key=lambda step: step.position)

    def cached_step(self, pipeline_arn: str, name: str, key: str, since: datetime) -> StepRecord | None:
        """The most recent success of a step with that cache key that ended at ``since`` or later."""
        rows = self._database.rows("SELECT document FROM steps WHERE cache_key = ? AND name = ?", key, name)
        found = [load(StepRecord, row[0]) for row in rows]
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
