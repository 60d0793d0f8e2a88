"""The state directory: its files, and which process uses it. Imports nothing slow, because every command imports it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localmaker.errors import UnsafeStateError

LOCK_NAME = "endpoint.lock"
LOG_NAME = "endpoint.log"
READINESS_NAME = "endpoint.json"
# Files of SQLite beside a database.
_BESIDE = ("-wal", "-shm")
_PRIVATE, _OTHERS = 0o700, 0o077


def default_state_dir() -> Path:
    """Return ``$XDG_STATE_HOME/localmaker``, by default ``~/.local/state/localmaker``."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "localmaker"


def make_private(state_dir: Path) -> str | None:
    """Make a state directory that only its owner can enter, and with it everything inside.

    An existing directory is tightened if it is empty or holds state.

    Returns:
        A sentence for the log if it was open to others.

    Raises:
        UnsafeStateError: it belongs to another user, or is open to others and used for something else.
    """
    for folder in (*reversed(state_dir.parents), state_dir):
        with suppress(FileExistsError):
            # As the XDG base directory specification demands; the umask may allow more.
            folder.mkdir(mode=_PRIVATE)
    found = state_dir.stat()
    if found.st_uid != os.geteuid():
        raise UnsafeStateError(f"{state_dir} belongs to another user; give the endpoint another --state-dir")
    mode = stat.S_IMODE(found.st_mode)
    if not mode & _OTHERS:
        return None
    is_state = (state_dir / LOCK_NAME).exists() and not mode & stat.S_ISVTX
    if not is_state and any(state_dir.iterdir()):
        raise UnsafeStateError(
            f"{state_dir} holds other files, and other users can read it (mode {mode:o}): give the endpoint a folder "
            f"of its own, such as --state-dir {shlex.quote(str(state_dir / 'localmaker'))}"
        )
    state_dir.chmod(_PRIVATE)
    return f"{state_dir} had mode {mode:o}; now only its owner can read it (mode 700)"


def command_for(verb: str, state_dir: Path) -> str:
    """Return the command line for the endpoint of a state directory: ``localmaker down --state-dir …``."""
    return f"localmaker {verb}" + (
        "" if state_dir == default_state_dir() else f" --state-dir {shlex.quote(str(state_dir))}"
    )


@dataclass(frozen=True)
class Running:
    """A running endpoint, as its readiness file describes it.

    Attributes:
        url: the value of ``AWS_ENDPOINT_URL`` for clients.
        started_at: seconds since 1970.
        restored: a sentence about the state that it started with.
        enforces_iam: whether it refuses what a role's policies do not allow.
        no_egress: whether jobs and functions with a VpcConfig reach nothing else.
    """

    url: str
    pid: int
    region: str
    started_at: float
    state_dir: Path
    restored: str = ""
    enforces_iam: bool = False
    no_egress: bool = False

    @property
    def log_file(self) -> Path:
        """The log of a detached endpoint."""
        return self.state_dir / LOG_NAME

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.url.rsplit(":", 1)[1])


def running_of(record: dict[str, Any], state_dir: Path) -> Running:
    """Return the running endpoint that a readiness record describes."""
    restored = record.get("restored", "")
    return Running(
        record["url"],
        record["pid"],
        record["region"],
        record["started_at"],
        state_dir,
        restored,
        record.get("enforces_iam", False),
        record.get("no_egress", False),
    )


def find_running(state_dir: Path) -> Running | None:
    """Return the endpoint that uses a state directory, or None, also if a killed one has left its files behind."""
    try:
        record = json.loads((state_dir / READINESS_NAME).read_text())
        lock = (state_dir / LOCK_NAME).open("r+")
    except (FileNotFoundError, ValueError):
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return running_of(record, state_dir)
    return None


def set_aside(path: Path, reason: str) -> str:
    """Move unusable state out of the way, with SQLite's files beside it. Nothing is deleted.

    Returns:
        A sentence on what happened and where the state is now, for the log and for ``status``.
    """
    target = path.with_name(f"{path.name}.set-aside-{_stamp()}")
    for suffix in ("", *_BESIDE):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(target.with_name(target.name + suffix))
    return _said(f"{path.name} could not be used and is set aside as {target}: {reason}")


def set_all_aside(state_dir: Path, patterns: Iterable[str], reason: str) -> str:
    """Move all state out of the way, since a part of it is of another version. Nothing is deleted.

    Args:
        patterns: of the paths below the state directory that hold state.

    Returns:
        As :func:`set_aside`.
    """
    target = state_dir / f"set-aside-{_stamp()}"
    target.mkdir(mode=0o700)
    found = [state_dir.glob(pattern + suffix) for pattern in patterns for suffix in ("", *_BESIDE)]
    for name in sorted({path.relative_to(state_dir).parts[0] for paths in found for path in paths}):
        (state_dir / name).rename(target / name)
    return _said(f"the state could not be used and is set aside, all of it, as {target}: {reason}")


_sentences: list[str] = []


def _said(sentence: str) -> str:
    _sentences.append(sentence)
    return sentence


def sentences_on_what_is_set_aside() -> list[str]:
    """Return what this process has set aside, one sentence for each."""
    return list(_sentences)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def write_atomically(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
