"""The SQLite files of the endpoint's own stores.

A change is one transaction, so that a killed process leaves the state before or after it, never between.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from localmaker.errors import LocalmakerError, StateUnavailableError
from localmaker.state.directory import set_aside
from localmaker.state.room import with_reserve

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


# SQLite's codes for a file that is damaged, is not a database, or has other tables. Other errors may be temporary, such
# as a full disk or missing permissions.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def require_damage(error: sqlite3.DatabaseError, path: Path) -> None:
    """Raise unless an error means that a file is damaged and may be set aside.

    Raises:
        StateUnavailableError: the file itself may be intact.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF not in _DAMAGE:
        raise StateUnavailableError(
            f"{path} cannot be used now ({error}); nothing was changed. Check its owner, and whether the disk is full"
        ) from error


@contextmanager
def whole(connection: sqlite3.Connection) -> Iterator[None]:
    """Make one transaction of what the block does: all of it is stored, or nothing if anything raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls some back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise


class StoreClosedError(LocalmakerError):
    """A store is used after it was closed, because the endpoint shuts down."""


class Database:
    """One SQLite file, used by one thread at a time.

    A file that cannot be used is set aside with a line in the log, and replaced by a new one.

    Args:
        path: the file, created if missing.
        schema: statements that create what is missing.
        version: the version of the schema; a file without one has version 1.

    Raises:
        StateUnavailableError: the file cannot be read or written now.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._depth = 0  # of transactions in one another
        self._connection = _open(path, schema, version)

    def close(self) -> None:
        """Close the file. Every other method raises StoreClosedError after this."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            StoreClosedError: the store is closed.
        """
        with self._opened() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or roll it back if the block raises. In another transaction it is part of that.

        Raises:
            StoreClosedError: the store is closed.
        """
        with self._opened() as connection:
            if self._depth:
                yield connection
                return
            self._depth += 1
            try:
                with whole(connection):
                    yield connection
            finally:
                self._depth -= 1

    def whole(self, action: Callable[[], Result], *, releases: bool) -> Result:
        """Make one transaction of what an action does with the database; other threads wait for its end.

        Args:
            releases: it makes room, so that it may use the reserve.
        """
        with self._lock:
            if releases and not self._depth:
                return with_reserve(lambda: self._whole(action))
            return self._whole(action)

    def _whole(self, action: Callable[[], Result]) -> Result:
        with self.transaction():
            return action()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise StoreClosedError("The store is closed: the endpoint shuts down.")
            yield self._connection


class Store:
    """Base of the stores: one SQLite file each, whose class says what is in it.

    Args:
        path: the file, created if missing.
    """

    schema: ClassVar[str]
    schema_version: ClassVar[int]

    def __init__(self, path: Path) -> None:
        self._database = Database(path, self.schema, self.schema_version)

    def whole(self, action: Callable[[], Result], *, releases: bool = False) -> Result:
        """Make one transaction of what an action does with the store; other threads wait for its end.

        Args:
            releases: it makes room, so that it must be possible on a full disk.
        """
        return self._database.whole(action, releases=releases)

    def clear(self) -> None:
        """Delete all that is stored."""
        self.whole(self._clear, releases=True)

    def _clear(self) -> None:
        with self._database.transaction() as database:
            tables = "SELECT printf('DELETE FROM \"%w\"', name) FROM sqlite_master WHERE type = 'table'"
            for (statement,) in database.execute(f"{tables} AND name NOT LIKE 'sqlite!_%' ESCAPE '!'").fetchall():
                database.execute(statement)

    def close(self) -> None:
        """Close the file; nothing is lost. Every other method raises StoreClosedError after this."""
        self._database.close()


def releasing(
    method: Callable[Concatenate[Any, Arguments], Result],
) -> Callable[Concatenate[Any, Arguments], Result]:
    """Let a method of a store that makes room use the reserve; it is one transaction."""

    @functools.wraps(method)
    def with_room(store: Any, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return store.whole(lambda: method(store, *args, **kwargs), releases=True)  # type: ignore[no-any-return]

    return with_room


def _open(path: Path, schema: str, version: int) -> sqlite3.Connection:
    try:
        return _connection(path, schema, version)
    except sqlite3.DatabaseError as error:
        require_damage(error, path)
        logger.warning("%s", set_aside(path, str(error)))
    return _connection(path, schema, version)


def _connection(path: Path, schema: str, version: int) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        # A killed process loses nothing under WAL; NORMAL gives up only what a power cut would take.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        found = version_of(database)
        if found not in (None, version):
            raise sqlite3.DatabaseError(f"it is in format {found}, and this version reads format {version}")
        database.executescript(schema)
        database.execute(f"PRAGMA user_version = {version}")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def version_of(database: sqlite3.Connection) -> int | None:
    """Return the version of a file's schema; 1 for a file without a number, and None for a new file."""
    numbered = int(database.execute("PRAGMA user_version").fetchone()[0])
    return numbered or 1 if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] else None
