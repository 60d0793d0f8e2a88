"""The SQLite file of moto's state: pieces that are written together form one transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localmaker.state.blobs import BlobStore
from localmaker.state.databases import require_damage, whole
from localmaker.state.room import refill_reserve, with_reserve

FORMAT = 2
# Triggers count the changes, so that most changes need one statement only.
_SCHEMA = """
CREATE TABLE piece (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    files TEXT NOT NULL,   -- JSON list of the names of files that the state refers to
    digest BLOB NOT NULL,  -- of the state
    state BLOB NOT NULL,
    PRIMARY KEY (kind, owner, name)
);
CREATE TABLE change (number INTEGER NOT NULL, at REAL NOT NULL);  -- one row: of the last change, in seconds since 1970
INSERT INTO change VALUES (0, 0);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_TRIGGER = """
CREATE TRIGGER {event}_is_a_change AFTER {event} ON piece BEGIN
    UPDATE change SET number = number + 1, at = (julianday('now') - 2440587.5) * 86400.0;
END
"""
# An update keeps the row id, so that lists keep the order of creation.
_PUT = """
INSERT INTO piece VALUES {rows} ON CONFLICT DO UPDATE
SET files = excluded.files, digest = excluded.digest, state = excluded.state
"""
_ROW = "(?, ?, ?, ?, ?, ?)"
_FIND = "SELECT rowid, files, state FROM piece WHERE kind = ? AND owner = ? AND name = ?"
_DELETE = "DELETE FROM piece WHERE kind = ? AND owner = ? AND name = ?"
# Every SQLite takes the values of so many rows in one statement.
_ROWS_AT_ONCE = 100
# Owners come first. The order of row ids needs no sorting.
_ALL = "SELECT kind, owner, name, files, digest, state FROM piece"
_IN_ORDER = (
    f"{_ALL} WHERE kind = 'backend' ORDER BY rowid",
    f"{_ALL} WHERE kind = 'bucket' ORDER BY rowid",
    f"{_ALL} WHERE kind NOT IN ('backend', 'bucket') ORDER BY rowid",
)


class UnusableStateError(Exception):
    """The file cannot be read as state of this version; the message says why."""


@dataclass(frozen=True)
class PieceId:
    """The identity of one part of the state: a backend, a bucket, an object, ..."""

    kind: str
    owner: str
    name: str = ""


@dataclass(frozen=True)
class Piece:
    """One part of the state; ``data`` None removes it."""

    id: PieceId
    data: bytes | None
    files: tuple[str, ...] = ()


def digest(data: bytes) -> bytes:
    """Return the digest that shows whether data was changed or damaged."""
    return hashlib.blake2b(data, digest_size=16).digest()


class StateFile:
    """The pieces of state on disk, and the number of the last change.

    Args:
        path: the file, created if missing.
        moto_version: the version of moto whose objects are stored.

    Raises:
        UnusableStateError: the file is damaged, is not a state file, or was written by another version.
        StateUnavailableError: the file cannot be read or written now.
    """

    def __init__(self, path: Path, moto_version: str) -> None:
        self._lock = threading.Lock()
        self._path = path
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing under WAL; NORMAL gives up only what a power cut would take.
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._open(moto_version)
        except sqlite3.DatabaseError as error:
            require_damage(error, path)
            raise UnusableStateError(f"{path.name} is damaged ({error})") from error

    def _open(self, moto_version: str) -> None:
        database = self._database
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with whole(database):
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                for event in ("INSERT", "UPDATE", "DELETE"):
                    database.execute(_TRIGGER.format(event=event))
                database.executemany("INSERT INTO meta VALUES (?, ?)", {"moto": moto_version, "closed": "yes"}.items())
                database.execute(f"PRAGMA user_version = {FORMAT}")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise UnusableStateError(f"it is in format {version}, and this version reads format {FORMAT}")
        meta = dict(database.execute("SELECT name, value FROM meta").fetchall())
        if meta.get("moto") != moto_version:
            raise UnusableStateError(f"moto {meta.get('moto')} wrote it, and moto {moto_version} is installed")
        self.was_closed = meta["closed"] == "yes"

    def last_change(self) -> tuple[int, float]:
        """Return the number of the last change and its time in seconds since 1970; 0 for both if there was none."""
        number, at = self._database.execute("SELECT number, at FROM change").fetchone()
        return int(number), float(at)

    def pieces(self) -> Iterator[tuple[Piece, bytes]]:
        """Yield every piece with its digest, backends and buckets before what belongs to them.

        Raises:
            UnusableStateError: a piece is damaged.
        """
        try:
            rows = (row for query in _IN_ORDER for row in self._database.execute(query))
            for kind, owner, name, files, expected, state in rows:
                if digest(state) != expected:
                    raise UnusableStateError(f"{kind} {owner} {name} is damaged")
                yield Piece(PieceId(kind, owner, name), state, tuple(json.loads(files))), expected
        except sqlite3.DatabaseError as error:
            require_damage(error, self._path)
            raise UnusableStateError(f"it is damaged ({error})") from error

    def find(self, identities: Iterable[PieceId]) -> list[Piece]:
        """Return the stored pieces with these ids, owners before what belongs to them, in the order of creation."""
        found: list[tuple[int, int, Piece]] = []
        with self._lock:
            for identity in identities:
                row = self._database.execute(_FIND, (identity.kind, identity.owner, identity.name)).fetchone()
                if row is not None:
                    place = ("backend", "bucket").index(identity.kind) if identity.kind in ("backend", "bucket") else 2
                    found.append((place, row[0], Piece(identity, row[2], tuple(json.loads(row[1])))))
        return [piece for _, _, piece in sorted(found, key=lambda one: one[:2])]

    def write(self, pieces: list[tuple[Piece, bytes]]) -> None:
        """Store pieces with their digests: all of them or none."""
        statements = list(_statements(pieces))
        with self._lock:
            if len(statements) == 1:
                self._database.execute(*statements[0])
                return
            with whole(self._database):
                for statement in statements:
                    self._database.execute(*statement)

    def mark(self, *, closed: bool) -> None:
        """Record whether the endpoint that uses the file has shut down properly.

        Raises:
            StateUnavailableError: the file cannot be written now.
        """
        with self._lock:
            try:
                self._set("closed", "yes" if closed else "no")
            except sqlite3.DatabaseError as error:
                require_damage(error, self._path)
                raise

    def _set(self, name: str, value: str) -> None:
        self._database.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _statements(pieces: list[tuple[Piece, bytes]]) -> Iterator[tuple[str, list[Any]]]:
    put = [
        (piece.id.kind, piece.id.owner, piece.id.name, json.dumps(piece.files), expected, piece.data)
        for piece, expected in pieces
        if piece.data is not None
    ]
    for start in range(0, len(put), _ROWS_AT_ONCE):
        rows = put[start : start + _ROWS_AT_ONCE]
        yield _PUT.format(rows=", ".join([_ROW] * len(rows))), [value for row in rows for value in row]
    for piece, _ in pieces:
        if piece.data is None:
            yield _DELETE, [piece.id.kind, piece.id.owner, piece.id.name]


@dataclass(frozen=True)
class _Known:
    digest: bytes
    files: tuple[str, ...]


class StoredPieces:
    """The pieces of a state file with their digests, so that only what differs is written.

    Calls must come one at a time.

    Args:
        file: holds the pieces.
        blobs: the files that the pieces refer to.
    """

    def __init__(self, file: StateFile, blobs: BlobStore) -> None:
        self._file = file
        self._blobs = blobs
        self._known: dict[tuple[str, str], dict[str, _Known]] = {}

    def read(self) -> Iterator[Piece]:
        """Yield every piece, owners before what belongs to them.

        Raises:
            UnusableStateError: a piece is damaged.
        """
        for piece, found in self._file.pieces():
            self._remember(piece, found)
            yield piece

    def names(self, kind: str, owner: str) -> set[str]:
        """Return the names of an owner's pieces of one kind."""
        return set(self._known.get((kind, owner), ()))

    def ids(self, *, kind: str | None = None, owner: str | None = None) -> list[PieceId]:
        """Return the ids of all pieces, or of those of one kind or owner."""
        return [
            PieceId(its_kind, its_owner, name)
            for (its_kind, its_owner), names in self._known.items()
            if kind in (None, its_kind) and owner in (None, its_owner)
            for name in names
        ]

    def find(self, identities: Iterable[PieceId]) -> list[Piece]:
        """Return those of the pieces that are stored, owners before what belongs to them."""
        return self._file.find(identities)

    def differing(self, pieces: Iterable[Piece]) -> list[tuple[Piece, bytes]]:
        """Return the pieces that differ from what is stored, with their digests."""
        changed: list[tuple[Piece, bytes]] = []
        for piece in pieces:
            known = self._known.get((piece.id.kind, piece.id.owner), {}).get(piece.id.name)
            found = digest(piece.data) if piece.data is not None else b""
            if (known.digest if known is not None else b"") != found:
                changed.append((piece, found))
        return changed

    def write(self, changed: list[tuple[Piece, bytes]], *, releases: bool = False) -> None:
        """Store pieces that differ, with their digests, in one transaction: all of them or none.

        Args:
            releases: the change makes room, so that it may use the reserve.
        """
        if self._blobs.collected:
            self._blobs.remove_unused()
        if changed:
            if releases:
                with_reserve(lambda: self._file.write(changed))
            else:
                self._file.write(changed)
            for piece, found in changed:
                self._remember(piece, found)
        self.tidy()

    def tidy(self) -> None:
        """Remove the files that nothing refers to any more, and fill up the reserve."""
        if self._blobs.collected:
            self._blobs.remove_unused()
        refill_reserve()

    def _remember(self, piece: Piece, found: bytes) -> None:
        group = self._known.setdefault((piece.id.kind, piece.id.owner), {})
        before = group.pop(piece.id.name, None)
        if piece.data is not None:
            group[piece.id.name] = _Known(found, piece.files)
        elif not group:
            del self._known[piece.id.kind, piece.id.owner]
        released = before.files if before is not None else ()
        if piece.files or released:
            self._blobs.count(piece.files, released)
