"""Files of large contents."""

from __future__ import annotations

import errno
import gc
from pathlib import Path
from typing import Any

import pytest

from localmaker.state.blobs import BlobStore, BlobWriter


class NearlyFullDisk:
    """A file on a disk with little room: a write may store less than it is given, as the operating system's does."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        """Write at most seven bytes."""
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: min(7, self._room)])
        self._room -= written
        return int(written)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def test_a_short_write_is_continued(tmp_path: Path) -> None:
    writer = BlobWriter(BlobStore(tmp_path / "objects"))
    writer._file = NearlyFullDisk(writer._file, 100)  # type: ignore[assignment]
    writer.write(b"0123456789" * 10)
    content, _ = writer.finish()
    assert bytes(content) == b"0123456789" * 10


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    writer = BlobWriter(BlobStore(tmp_path / "objects"))
    writer._file = NearlyFullDisk(writer._file, 99)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        writer.write(b"0123456789" * 10)
    writer.abandon()
    assert list((tmp_path / "objects").iterdir()) == []


def test_a_file_is_removed_when_neither_memory_nor_a_row_refers_to_it(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "objects")
    writer = BlobWriter(store)
    writer.write(b"x")
    content, _ = writer.finish()
    name = content.extents[0].blob.name
    store.count([name], [])
    del content
    gc.collect()
    store.remove_unused()
    assert [path.name for path in store.directory.iterdir()] == [name]
    store.count([], [name])
    store.remove_unused()
    assert list(store.directory.iterdir()) == []
