"""The contents of large S3 objects, in files that are immutable once written.

A file is removed when nothing in memory holds its :class:`BlobFile` any more and no row of the state refers to it. An
object made of several files (a multipart upload) needs no copy: it is a list of extents.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20


class BlobFile:
    """One immutable file; it exists as long as something refers to it."""

    __slots__ = ("__weakref__", "name", "path")

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path


class Extent(NamedTuple):
    """``length`` bytes of a file, starting at ``offset``."""

    blob: BlobFile
    offset: int
    length: int


class StoredBytes:
    """Bytes that lie in files and are read only when they are iterated, in pieces of at most 1 MiB.

    Their length is known without reading. Slices are lazy, too.
    """

    __slots__ = ("_length", "extents")

    def __init__(self, extents: Iterable[Extent]) -> None:
        self.extents = tuple(extents)
        self._length = sum(extent.length for extent in self.extents)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> StoredBytes:
        begin, end, _ = part.indices(self._length)
        kept, position = [], 0
        for extent in self.extents:
            first = max(begin - position, 0)
            last = min(end - position, extent.length)
            if first < last:
                kept.append(Extent(extent.blob, extent.offset + first, last - first))
            position += extent.length
        return StoredBytes(kept)

    def __iter__(self) -> Iterator[bytes]:
        for extent in self.extents:
            with extent.blob.path.open("rb", buffering=0) as file:
                file.seek(extent.offset)
                remaining = extent.length
                while remaining:
                    piece = file.read(min(CHUNK_BYTES, remaining))
                    if not piece:
                        raise OSError(f"{extent.blob.path} is shorter than the object that it holds")
                    remaining -= len(piece)
                    yield piece

    def __bytes__(self) -> bytes:
        return b"".join(self)

    def md5(self) -> str:
        """Return the hexadecimal MD5, which is the ETag of a simple object."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self:
            digest.update(piece)
        return digest.hexdigest()


class BlobWriter:
    """Writes one new file and computes its MD5."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._name = uuid.uuid4().hex
        self._path = store.directory / self._name
        self._file: BinaryIO = self._path.open("xb", buffering=0)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._length = 0

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        remaining = memoryview(piece)
        while remaining:  # an unbuffered file may write less when the disk is nearly full
            remaining = remaining[self._file.write(remaining) :]
        self._digest.update(piece)
        self._length += len(piece)

    def finish(self) -> tuple[StoredBytes, str]:
        """Return the bytes written and their hexadecimal MD5."""
        self._file.close()
        blob = self._store.adopt(self._name)
        extents = [Extent(blob, 0, self._length)] if self._length else []
        return StoredBytes(extents), self._digest.hexdigest()

    def abandon(self) -> None:
        """Remove the unfinished file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """The files of one directory.

    Args:
        directory: a directory that holds nothing else.

    Attributes:
        collected: names of files that may have become unused.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self.directory = directory
        self._lock = threading.Lock()
        self._alive: weakref.WeakValueDictionary[str, BlobFile] = weakref.WeakValueDictionary()
        # A finalizer may run while the lock is held, so that it only adds a name here.
        self.collected: set[str] = set()
        self._references: Counter[str] = Counter()

    def adopt(self, name: str) -> BlobFile:
        """Return the one object that stands for the file of that name.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self._lock:
            blob = self._alive.get(name)
            if blob is None:
                path = self.directory / Path(name).name
                path.stat()
                blob = BlobFile(name, path)
                self._alive[name] = blob
                weakref.finalize(blob, self.collected.add, name).atexit = False
            return blob

    def count(self, added: Iterable[str], released: Iterable[str]) -> None:
        """Count the references of rows of the state, once they are committed."""
        with self._lock:
            self._references.update(added)
            self._references.subtract(released)
            self.collected.update(released)

    def remove_unused(self) -> None:
        """Remove the files that neither an object in memory nor a row refers to."""
        with self._lock:
            for name in tuple(self.collected):
                self.collected.discard(name)
                # A file that is still in use comes back here when its last user goes.
                if name not in self._alive and self._references[name] <= 0:
                    del self._references[name]
                    try:
                        (self.directory / name).unlink(missing_ok=True)
                    except OSError as error:  # the next start removes it
                        logger.warning("the unused file %s stays: %s", name, error)

    def sweep(self) -> int:
        """Remove the files that no row refers to, as a killed process leaves them, and return their number."""
        with self._lock:
            unused = [
                path
                for path in self.directory.iterdir()
                if self._references[path.name] <= 0 and path.name not in self._alive
            ]
            for path in unused:
                path.unlink(missing_ok=True)
        return len(unused)
