"""The log of a detached endpoint: the file that its output goes to, of bounded size."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

#: A log of this size is set aside; so the newest one and the one before it are kept.
MOST_BYTES = 10 << 20


def set_aside_if_large(log: Path) -> bool:
    """Rename a log that has become too large to ``*.log.1``, and return whether that was so."""
    if not log.exists() or log.stat().st_size < MOST_BYTES:
        return False
    log.replace(log.with_name(f"{log.name}.1"))
    return True


class LogHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of text
    """Writes to standard error, and gives it and standard output a new file when the log has become too large.

    Args:
        log: where standard error goes, if this is an endpoint whose output goes to a log.
    """

    def __init__(self, log: Path) -> None:
        super().__init__(sys.stderr)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        super().emit(record)
        with suppress(OSError):  # on a full disk the old one goes on
            if self._is_log() and set_aside_if_large(self._log):
                with self._log.open("ab") as fresh:
                    os.dup2(fresh.fileno(), sys.__stdout__.fileno())  # type: ignore[union-attr]  # a process has one
                    os.dup2(fresh.fileno(), self.stream.fileno())

    def _is_log(self) -> bool:
        return self._log.exists() and os.path.samestat(os.fstat(self.stream.fileno()), self._log.stat())
