"""Opening the SQLite files of the endpoint's own stores."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from pipeline.local.state import set_aside

logger = logging.getLogger(__name__)


def open_database(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """A connection to a file with this schema; what cannot be used is set aside with a line in the log.

    Args:
        schema: statements that create what is missing.
        version: of the schema; a file without one is of version 1.
    """
    try:
        return _opened(path, schema, version)
    except sqlite3.DatabaseError as error:
        logger.warning("%s", set_aside(path, str(error)))
    return _opened(path, schema, version)


def _opened(path: Path, schema: str, version: int) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        # A killed process loses nothing under WAL; NORMAL gives up only what a power cut would take.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, version):
            raise sqlite3.DatabaseError(f"it is in format {found}, and this version reads format {version}")
        database.executescript(schema)
        database.execute(f"PRAGMA user_version = {version}")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
