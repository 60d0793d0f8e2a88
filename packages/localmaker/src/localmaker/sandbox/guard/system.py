"""The few system calls that the standard library lacks, for Linux; elsewhere the functions are not called."""

from __future__ import annotations

import ctypes
import os

READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
NEW_MOUNTS, NEW_HOST_NAME, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount a file system, as the system call does.

    Raises:
        OSError: with the arguments in its text.
    """
    arguments = [None if value is None else os.fsencode(value) for value in (source, target, kind, options)]
    result = _libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
    _check(result, f"mount {source} on {target}")


def change_mount(path: str, *, read_only: bool, below: bool) -> None:
    """Change the mount at a path, and all mounts below it if asked. Needs Linux 5.12.

    Raises:
        OSError: the kernel is older, or refuses.
    """
    attributes = _MountAttributes(_ATTR_RDONLY if read_only else 0, 0 if read_only else _ATTR_RDONLY, 0, 0)
    flags = _AT_RECURSIVE if below else 0
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, ctypes.byref(attributes), ctypes.sizeof(attributes)
    )
    _check(result, f"make {path} {'read-only' if read_only else 'writable'}")


def allow_writing(path: str, *, below: bool) -> None:
    """Make a mount writable again. A refusal is ignored if the path is writable anyway."""
    try:
        change_mount(path, read_only=False, below=below)
    except OSError:
        if not os.access(path, os.W_OK):
            raise


def unshare(flags: int) -> None:
    """Enter new namespaces.

    Raises:
        OSError: it is not permitted.
    """
    _check(_libc.unshare(flags), "unshare")


def set_host_name(name: str) -> None:
    """Set the host name of the UTS namespace.

    Raises:
        OSError: it is not permitted.
    """
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), "sethostname")


def be_killed_with_parent(number: int) -> None:
    """Request a signal to this process for when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of the processes in this tree whose parents end."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
