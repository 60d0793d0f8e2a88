"""The process of the engine, as the endpoint sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError
from localmaker.services.athena.failures import SYSTEM, QueryFailedError

_PROGRAM = "localmaker.services.athena.engine.program"
_LOG = "engine.log"
_LOG_CHARACTERS = 500


class QueryStoppedError(LocalmakerError):
    """The query has been stopped."""


class Engine:
    """Runs the jobs of one query, and can be stopped from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = ""

    def stop(self, reason: str) -> None:
        """End the query; what it does next raises QueryStoppedError."""
        with self._lock:
            self._stopped = self._stopped or reason
            if self._process is not None:
                self._process.kill()

    def check(self) -> None:
        """Raise QueryStoppedError if the query has been stopped; the message says why."""
        if self._stopped:
            raise QueryStoppedError(self._stopped)

    def run(self, job: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Run a job, and return the answer of :mod:`.engine.program`.

        Raises:
            QueryStoppedError: the query has been stopped.
            QueryFailedError: the process ended without an answer.
        """
        with (folder / _LOG).open("wb") as log:
            process = self._start(log)
        with process:
            try:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                # The process ends when its input does, so that stays open.
                answer = process.stdout.read()
                process.wait()
            except BrokenPipeError:
                answer = ""
            finally:
                process.kill()
                with self._lock:
                    self._process = None
        self.check()
        if not answer:
            said = (folder / _LOG).read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:].strip()
            ended = f"the engine ended with exit status {process.returncode}"
            raise QueryFailedError(f"GENERIC_INTERNAL_ERROR: {ended} {said}".strip(), SYSTEM)
        found: dict[str, Any] = json.loads(answer)
        return found

    def _start(self, log: Any) -> Any:
        with self._lock:
            self.check()
            # No credentials, and nothing else of the endpoint's environment.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                text=True,
                encoding="utf-8",
            )
            return self._process
