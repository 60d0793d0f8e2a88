"""The contents of large S3 objects, in files that are never changed once written.

A file belongs to whatever holds its :class:`BlobFile`: when nothing in memory does and no row of the state refers to
it any more, it is removed. Objects made of several files (a multipart upload) need no copy: they are a list of
extents.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 1 << 20


class BlobFile:
    """One immutable file; alive for as long as something refers to it."""

    __slots__ = ("__weakref__", "name", "path")

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path


class Extent(NamedTuple):
    """``length`` bytes of a file from ``offset`` on."""

    blob: BlobFile
    offset: int
    length: int


class StoredBytes:
    """Bytes that lie in files: as long as they look, and read only while they are iterated.

    Slices are as lazy; iterating gives pieces of at most 1 MiB.
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
        """The hexadecimal MD5, which is a simple object's ETag."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self:
            digest.update(piece)
        return digest.hexdigest()


class BlobWriter:
    """Writes one new file; its MD5 is known at the end. Not finished, it leaves nothing behind."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._name = uuid.uuid4().hex
        self._path = store.directory / self._name
        self._file: BinaryIO = self._path.open("xb", buffering=0)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._length = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self._length += len(piece)

    def finish(self) -> tuple[StoredBytes, str]:
        """The bytes written, and their hexadecimal MD5."""
        self._file.close()
        blob = self._store.adopt(self._name)
        extents = [Extent(blob, 0, self._length)] if self._length else []
        return StoredBytes(extents), self._digest.hexdigest()

    def abandon(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """The files of one directory.

    Args:
        directory: holds nothing else.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self.directory = directory
        self._lock = threading.Lock()
        self._alive: weakref.WeakValueDictionary[str, BlobFile] = weakref.WeakValueDictionary()
        self._dead: set[str] = set()
        self._kept: Counter[str] = Counter()

    def adopt(self, name: str) -> BlobFile:
        """The file of that name, as the one object that stands for it.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._lock:
            blob = self._alive.get(name)
            if blob is None:
                path = self.directory / Path(name).name
                path.stat()
                blob = BlobFile(name, path)
                self._alive[name] = blob
                weakref.finalize(blob, self._dead.add, name).atexit = False
            return blob

    def keep(self, name: str, more: int) -> None:
        """Count the rows of the state that refer to a file; to be called once they are committed."""
        with self._lock:
            self._kept[name] += more

    def remove_unused(self) -> None:
        """Remove the files that nothing in memory holds and no row refers to."""
        if not self._dead:
            return
        with self._lock:
            for name in tuple(self._dead):
                self._dead.discard(name)
                # One that a row refers to comes back here through `released`.
                if name not in self._alive and self._kept[name] <= 0:
                    del self._kept[name]
                    (self.directory / name).unlink(missing_ok=True)

    def released(self, name: str) -> None:
        """A row stopped referring to a file: look at it again in :meth:`remove_unused`."""
        self._dead.add(name)

    def sweep(self) -> int:
        """Remove every file that no row refers to, as a killed process leaves them; how many there were."""
        with self._lock:
            unused = [
                path for path in self.directory.iterdir() if self._kept[path.name] <= 0 and path.name not in self._alive
            ]
            for path in unused:
                path.unlink(missing_ok=True)
        return len(unused)
