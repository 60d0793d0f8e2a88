"""Trees of files that a job has made, walked and removed whatever their depth, names, permissions and kinds.

Everything goes by descriptors: the job may be changing the tree, and its paths may be longer than the system takes.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_ENTRIES = 1000
# Opening a link, a socket (on Linux, on macOS), what was deleted meanwhile.
_SKIPPED = (errno.ELOOP, errno.ENXIO, errno.EOPNOTSUPP, errno.ENOENT)


def open_folder(root: Path, relative: PurePosixPath) -> int:
    """Open a folder below one that others may be changing; no component of the path may be a link.

    Raises:
        OSError: it does not exist, or a component of the path is a link.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in relative.parts:
        try:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def open_files(folder: int) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the regular files below an open folder with their relative names, in a fixed order.

    Links are not followed, and neither they nor pipes and devices are yielded. What is deleted or moved away meanwhile
    is skipped.

    Raises:
        OSError: a file or folder may not be read.
    """
    # One descriptor is open at a time, however deep the tree is: the way back is "..", if that is still where we came
    # from.
    current = os.dup(folder)
    parents: list[tuple[int, int]] = []
    waiting = [_listing(current)]
    names: list[str] = []
    try:
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                if not parents:
                    return
                above = os.open("..", _FOLDER, dir_fd=current)
                os.close(current)
                current = above
                names.pop()
                if _identity(current) != parents.pop():
                    return  # moved: the next walk finds it
                continue
            name = waiting[-1].pop()
            try:
                opened = os.open(name, _FILE, dir_fd=current)
            except OSError as error:
                if error.errno in _SKIPPED:
                    continue
                raise
            mode = os.fstat(opened).st_mode
            if stat.S_ISDIR(mode):
                parents.append(_identity(current))
                os.close(current)
                current = opened
                names.append(name)
                waiting.append(_listing(current))
            elif stat.S_ISREG(mode):
                yield "/".join((*names, name)), os.fdopen(opened, "rb")
            else:
                os.close(opened)
    finally:
        os.close(current)


def files_below(folder: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield what :func:`open_files` does; nothing where there is no such folder, or a link in its place."""
    try:
        descriptor = os.open(folder, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        yield from open_files(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(root: Path) -> None:
    """Remove a folder with all that is in it. Nothing may be changing it.

    Raises:
        OSError: something cannot be removed.
    """
    root.chmod(stat.S_IRWXU)
    top = os.open(root, _FOLDER)
    try:
        # Each inner folder is first moved to the top: there is no path to become too long, and no depth.
        waiting = ["."]
        while waiting:
            name = waiting.pop()
            waiting += _empty(top, name)
            if name != ".":
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    root.rmdir()


def _empty(top: int, name: str) -> list[str]:
    """Remove the files of a folder in ``top``, and move its folders there; return their new names."""
    moved: list[str] = []
    descriptor = os.open(name, _FOLDER, dir_fd=top)
    try:
        seen: set[str] = set()
        while True:
            with os.scandir(descriptor) as entries:
                some = list(itertools.islice((entry for entry in entries if entry.name not in seen), _ENTRIES))
            if not some:
                return moved
            for entry in some:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=descriptor)
                    continue
                os.chmod(entry.name, stat.S_IRWXU, dir_fd=descriptor)
                moved.append(uuid.uuid4().hex)
                os.rename(entry.name, moved[-1], src_dir_fd=descriptor, dst_dir_fd=top)
                seen.add(moved[-1])  # where the folder is the top itself
    finally:
        os.close(descriptor)


def _listing(folder: int) -> list[str]:
    """Return the names in a folder, the first last."""
    return sorted(os.listdir(folder), reverse=True)


def _identity(folder: int) -> tuple[int, int]:
    state = os.fstat(folder)
    return state.st_dev, state.st_ino
