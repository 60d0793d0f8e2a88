"""What the state file holds, so that only what differs is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmaker.state.blobs import BlobStore
from localmaker.state.store import Piece, PieceId, StateFile, digest


@dataclass(frozen=True)
class _Known:
    digest: bytes
    files: tuple[str, ...]


class StoredPieces:
    """The pieces of a state file, known by their digests. Calls come one at a time.

    Args:
        file: where they are.
        blobs: the files that they refer to.
    """

    def __init__(self, file: StateFile, blobs: BlobStore) -> None:
        self._file = file
        self._blobs = blobs
        self._known: dict[tuple[str, str], dict[str, _Known]] = {}

    def read(self) -> Iterator[Piece]:
        """Every piece, those that others belong to first.

        Raises:
            UnusableStateError: a piece is not what was written.
        """
        for piece, found in self._file.pieces():
            self._remember(piece, found)
            yield piece

    def names(self, kind: str, owner: str) -> set[str]:
        """The names of the pieces of a kind that belong to somebody."""
        return set(self._known.get((kind, owner), ()))

    def of_kind(self, kind: str) -> list[PieceId]:
        """Every piece of a kind."""
        return [
            PieceId(kind, owner, name) for (one, owner), names in self._known.items() if one == kind for name in names
        ]

    def of_owner(self, owner: str) -> list[PieceId]:
        """Every piece that belongs to somebody."""
        return [
            PieceId(kind, owner, name) for (kind, one), names in self._known.items() if one == owner for name in names
        ]

    def all(self) -> list[PieceId]:
        """Every piece."""
        return [PieceId(kind, owner, name) for (kind, owner), names in self._known.items() for name in names]

    def write(self, pieces: Iterable[Piece]) -> None:
        """Store what differs, in one transaction."""
        changed: list[tuple[Piece, bytes]] = []
        for piece in pieces:
            known = self._known.get((piece.id.kind, piece.id.owner), {}).get(piece.id.name)
            found = digest(piece.data) if piece.data is not None else b""
            if (known.digest if known is not None else b"") != found:
                changed.append((piece, found))
        if changed:
            self._file.write(changed)
            for piece, found in changed:
                self._remember(piece, found)
        self._blobs.remove_unused()

    def _remember(self, piece: Piece, found: bytes) -> None:
        group = self._known.setdefault((piece.id.kind, piece.id.owner), {})
        before = group.pop(piece.id.name, None)
        if piece.data is not None:
            group[piece.id.name] = _Known(found, piece.files)
        elif not group:
            del self._known[piece.id.kind, piece.id.owner]
        for name in piece.files:
            self._blobs.keep(name, 1)
        for name in before.files if before is not None else ():
            self._blobs.keep(name, -1)
            self._blobs.released(name)
