"""The SQLite file that remembers pipelines, executions and steps over a restart.

Every method is one transaction, so a process that is killed leaves the state before or after a change, never between.
"""

from __future__ import annotations

from pathlib import Path

from localmaker.services.sagemaker.pipelines import stored_executions, stored_pipelines
from localmaker.services.sagemaker.pipelines.stored_executions import StoredExecutions
from localmaker.services.sagemaker.pipelines.stored_pipelines import StoredPipelines, Token
from localmaker.state.databases import Database

_VERSION = 2


class PipelineStore(StoredPipelines, StoredExecutions):
    """Pipelines, executions and steps in ``<directory>/pipelines.sqlite3``. Safe to use from any thread."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        schema = stored_pipelines.SCHEMA + stored_executions.SCHEMA
        self._database = Database(directory / "pipelines.sqlite3", schema, _VERSION)

    def close(self) -> None:
        """Close the file. Every other method raises StoreClosedError after it."""
        self._database.close()

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
