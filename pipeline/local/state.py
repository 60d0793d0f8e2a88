"""The state directory: what lies in it, and which process uses it. Imports nothing slow: every command reads it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

# Any credentials do; these are what the endpoint, its jobs and the tests sign with.
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - nothing checks it

LOCK_NAME = "endpoint.lock"
LOG_NAME = "endpoint.log"
READINESS_NAME = "endpoint.json"


def default_state_dir() -> Path:
    """``$XDG_STATE_HOME/bikeshare/local``, by default ``~/.local/state/bikeshare/local``."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "bikeshare" / "local"


@dataclass(frozen=True)
class Running:
    """A running endpoint, as its readiness file describes it.

    Attributes:
        url: what clients take as ``AWS_ENDPOINT_URL``.
        started_at: seconds since 1970.
    """

    url: str
    pid: int
    region: str
    started_at: float
    state_dir: Path

    @property
    def log_file(self) -> Path:
        """Where a detached endpoint writes its log."""
        return self.state_dir / LOG_NAME

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.url.rsplit(":", 1)[1])


def find_running(state_dir: Path) -> Running | None:
    """The endpoint that uses a state directory, or None; what a killed one left behind counts as none."""
    try:
        record = json.loads((state_dir / READINESS_NAME).read_text())
        lock = (state_dir / LOCK_NAME).open("r+")
    except (FileNotFoundError, ValueError):
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Running(record["url"], record["pid"], record["region"], record["started_at"], state_dir)
    return None


def write_atomically(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
