"""Let chosen writes of an endpoint fail as they do on a full disk.

Python imports this module at its start when its folder is in ``PYTHONPATH``. It does something only in an endpoint's
process that is given a control file, see ``tests/state/failing_disk.py``. Every write below the state directory is
counted, in the order in which it happens, whichever thread makes it:

- a file or folder that is made, opened for writing or renamed, noticed by an audit hook;
- a piece of data that a Python file writes;
- every call by which SQLite makes, writes or cuts its files. SQLite lets tests replace its system calls
  (``xSetSystemCall`` of ``sqlite3_vfs``), so that its own code meets the error.
"""

from __future__ import annotations

import builtins
import ctypes
import io
import mmap
import os
import re
import struct
import sys
import threading
from pathlib import Path
from typing import Any

CONTROL = struct.Struct("5q")  # counted, first to fail, first not to fail, error number, failed


class Control:
    """The control file: which of the next writes fail, and how many were made.

    As on a real disk there is room again once the reserve is cut.
    """

    def __init__(self, path: str, reserve: Path) -> None:
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), CONTROL.size)
        self._lock = threading.Lock()
        self._reserve = reserve
        self._whole = 0

    def error(self) -> int:
        """Count a write, and return the number of the error that it meets, or 0."""
        with self._lock:
            counted, first, last, number, failed = CONTROL.unpack_from(self._memory)
            counted += 1
            fails = first <= counted < last and not self._has_room()
            CONTROL.pack_into(self._memory, 0, counted, first, last, number, failed + fails)
        return number if fails else 0

    def _has_room(self) -> bool:
        try:
            size = self._reserve.stat().st_size
        except FileNotFoundError:
            return False
        self._whole = max(self._whole, size)
        return size < self._whole


def count_python(control: Control, root: Path) -> None:
    """Count what Python makes and writes below a folder."""

    def meet(path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)) and root in Path(os.fsdecode(path)).absolute().parents:
            number = control.error()
            if number:
                raise OSError(number, os.strerror(number), os.fsdecode(path))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in ("os.mkdir", "os.rename")
        if writes or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            meet(arguments[0])  # cutting a file makes room, so that it is not counted

    class CountedFile(io.FileIO):
        def write(self, data: Any) -> int:
            meet(self.name)
            return super().write(data)

    real_open = io.open

    def counted_open(  # noqa: PLR0917 - the signature of open
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
        newline: Any = None, closefd: bool = True, opener: Any = None,
    ) -> Any:  # fmt: skip
        if isinstance(file, int) or "+" in mode or not set(mode) & set("wxa"):
            return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = CountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)

    sys.addaudithook(audit)
    io.open = builtins.open = counted_open


_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_int, use_errno=True)
_WRITE = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
_CUT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int64, use_errno=True)
_CALLS: dict[bytes, Any] = {b"open": _OPEN, b"pwrite": _WRITE, b"pwrite64": _WRITE, b"ftruncate": _CUT}
_GET = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
_SET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_kept: list[Any] = []


def sqlite_library() -> Any:
    """Return the SQLite library that Python uses.

    Raises:
        AttributeError: it shows no names, as where it is a part of Python itself.
    """
    import _sqlite3

    mapped = re.search(r"\S*/libsqlite3\S*", Path("/proc/self/maps").read_text(encoding="utf-8"))
    library = ctypes.CDLL(mapped[0] if mapped else _sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.c_void_p
    return library


def count_sqlite(control: Control) -> None:
    """Count what SQLite writes."""
    vfs = sqlite_library().sqlite3_vfs_find(None)
    # Three numbers, three pointers, then functions: setting and getting system calls are the 14th and 15th of them.
    functions = ctypes.cast(vfs + 40, ctypes.POINTER(ctypes.c_void_p))
    get, put = _GET(functions[14]), _SET(functions[13])
    for name, kind in _CALLS.items():
        address = get(vfs, name)
        if address:
            counted = _counted(kind(address), control, only_writes=name == b"open")
            callback = kind(counted)
            _kept.append(callback)
            put(vfs, name, ctypes.cast(callback, ctypes.c_void_p))


def _counted(real: Any, control: Control, *, only_writes: bool) -> Any:
    def call(*arguments: Any) -> int:
        makes = not only_writes or bool(arguments[1] & os.O_CREAT and not Path(os.fsdecode(arguments[0])).exists())
        number = control.error() if makes else 0
        if number:
            ctypes.set_errno(number)
            return -1
        return int(real(*arguments))

    return call


def start() -> None:
    """Count the writes of this process if it is an endpoint with a control file."""
    path = os.environ.get("LOCALMAKER_TEST_FAULTS")
    if path and "localmaker.process" in sys.orig_argv:
        root = Path(sys.orig_argv[sys.orig_argv.index("--state-dir") + 1]).absolute()
        control = Control(path, root / "reserve")
        count_sqlite(control)
        count_python(control, root)


start()
