"""Executions and their steps in the store: JSON documents, and beside them the columns that are searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, StepRecord, StepStatus, dump, load
from localmaker.services.sagemaker.pipelines.stored_pipelines import Token, pipeline_of
from localmaker.state.databases import Database

SCHEMA = """
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


class StoredExecutions:
    """The part of the store that executions use. Every method is one transaction."""

    _database: Database

    def definition(self, definition_id: str) -> str:
        """The definition that an execution was started with."""
        return str(self._database.rows("SELECT text FROM definitions WHERE id = ?", definition_id)[0][0])

    def add_execution(
        self, record: ExecutionRecord, definition: str, token: Token, steps: Sequence[StepRecord] = ()
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
            owner = replace(pipeline_of(connection, record.pipeline_name), last_run=record.created)
            # Its version may have been deleted by now, and made again.
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
