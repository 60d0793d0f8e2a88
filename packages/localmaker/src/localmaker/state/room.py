"""What happens when the disk is full: it is recognised, said in one sentence, and a reserve is given up for deletions.

Nothing can be deleted without writing: SQLite appends to its log first. So the state directory holds a file that is
only there to be cut when a deletion finds no room. It is filled up again as soon as there is room.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from localmaker.errors import NoRoomError

logger = logging.getLogger(__name__)

RESERVE_NAME = "reserve"
#: Enough for SQLite's logs of all stores while a deletion is written, and for a start.
RESERVE_BYTES = 8 << 20
_STEP_BYTES = 1 << 20
_FOR_A_START_BYTES = 4 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
# SQLite says "full" for ENOSPC only; the other errors of a write come as I/O errors.
_SQLITE_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

Result = TypeVar("Result")


def is_no_room(error: BaseException) -> bool:
    """Return whether an error says that a file could not be written, or is caused by one that does."""
    return any(_says_no_room(one) for one in _chain(error))


def _says_no_room(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_NO_ROOM
    return isinstance(error, NoRoomError) or (isinstance(error, OSError) and error.errno in _NO_ROOM)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def no_room_message(error: BaseException, folder: Path) -> str:
    """Return what to tell a client whose request could not be stored.

    Args:
        error: for which :func:`is_no_room` is true.
        folder: the state directory.
    """
    cause = next(one for one in _chain(error) if _says_no_room(one))
    try:
        free = f"{shutil.disk_usage(folder).free / (1 << 20):.1f} MiB are free there"
    except OSError as unknown:
        free = f"how much is free there is unknown ({unknown.strerror})"
    return (
        f"the local endpoint could not store what this request changes, so nothing has changed: {cause}. "
        f"Its state is in {folder}, and {free}. Free some space, for instance with DeleteObject, and repeat the request"
    )


class Reserve:
    """A file that takes up room until a deletion needs it.

    Args:
        path: the file; made, or filled up, if there is room.
        size: bytes that it takes up.
    """

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self._lock = threading.Lock()
        self.is_short = True
        self.refill()

    def give(self, size: int = _STEP_BYTES) -> bool:
        """Give up some room, and return whether there was any left to give."""
        with self._lock:
            try:
                left = self._path.stat().st_size
                if not left:
                    return False
                os.truncate(self._path, max(0, left - size))
            except OSError as error:
                logger.warning("%s gives no room: %s", self._path, error)
                return False
            self.is_short = True
            return True

    def refill(self) -> None:
        """Fill the file up if there is room for it and for something beside it."""
        with self._lock:
            if not self.is_short:
                return
            try:
                with self._path.open("ab") as file:
                    missing = self._size - file.tell()
                    if missing > 0 and shutil.disk_usage(self._path.parent).free < missing + _STEP_BYTES:
                        return
                    if missing > 0:
                        os.posix_fallocate(file.fileno(), 0, self._size)
            except OSError as error:
                logger.debug("%s is not filled up: %s", self._path, error)
                return
            self.is_short = False


_reserve: list[Reserve] = []


def keep_reserve(folder: Path) -> Reserve:
    """Keep a reserve in a state directory from now on, for the whole process; a start uses part of it if it has to.

    Args:
        folder: the state directory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reserve = Reserve(folder / RESERVE_NAME)
    if shutil.disk_usage(folder).free < _FOR_A_START_BYTES:
        reserve.give(_FOR_A_START_BYTES)
    _reserve[:] = [reserve]
    return reserve


def with_reserve(action: Callable[[], Result]) -> Result:
    """Do what makes room, or must not wait for it, and give up the reserve as far as it needs that.

    Args:
        action: changes nothing when it fails.
    """
    while True:
        try:
            result = action()
        except (OSError, sqlite3.Error) as error:
            if not (is_no_room(error) and _reserve and _reserve[0].give()):
                raise
        else:
            refill_reserve()
            return result


def refill_reserve() -> None:
    """Fill the reserve up if some of it was given up and there is room again."""
    if _reserve and _reserve[0].is_short:
        _reserve[0].refill()


def until_stored(action: Callable[[], Result], pause: Callable[[float], bool], what: str) -> Result:
    """Store what has happened and cannot be refused any more: again and again until there is room.

    Args:
        action: changes nothing when it fails.
        pause: waits for so many seconds; returns whether to give up.
        what: for the log.

    Raises:
        NoRoomError: ``pause`` gave up.
    """
    warned = False
    while True:
        try:
            return with_reserve(action)
        except (OSError, sqlite3.Error) as error:
            if not is_no_room(error):
                raise
            if not warned:
                logger.warning("%s cannot be stored, and is tried again every second: %s", what, error)
                warned = True
            if pause(1.0):
                raise NoRoomError(f"{what} is not stored: {error}") from error
