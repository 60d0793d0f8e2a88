"""The few system calls that the standard library lacks, for Linux; elsewhere the functions are not called."""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
# keyctl has no function in libc, and its number depends on the architecture.
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219}
_KEYCTL_JOIN_SESSION_KEYRING = 1

_libc = ctypes.CDLL(None, use_errno=True)


def be_killed_with_parent(number: int) -> None:
    """Request a signal to this process for when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of the processes in this tree whose parents end."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def leave_session_keyring() -> None:
    """Join a new, empty session keyring: the kernel hands the user's own to every child, whatever its namespaces."""
    call = _SYS_KEYCTL.get(os.uname().machine)
    if call is not None:
        _libc.syscall(call, _KEYCTL_JOIN_SESSION_KEYRING, None)
