"""Which actions were used: one JSON line for each that is different, in the order in which they were used first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from localmaker.errors import EndpointStartError
from localmaker.services.iam.evaluation import Call


class ActionRecorder:
    """Writes the actions that principals use to a file.

    A line is ``{"principal": …, "action": …, "resource": …, "by": …}``, with ``"context"`` where the request says
    something that a condition may ask for.

    Args:
        path: is appended to; its folder has to exist.

    Raises:
        EndpointStartError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise EndpointStartError(f"the actions that roles use cannot be recorded in {path}: {error}") from error
        self._lock = threading.Lock()
        self._written: set[str] = set()

    def record(self, principal: str, call: Call, source: str) -> None:
        """Write an action, unless the same was written before.

        Args:
            principal: ARN of a role, or name of a service that acts as itself.
            source: what acts: a job's ARN, a service's name.
        """
        entry: dict[str, Any] = {
            "principal": principal,
            "action": call.action,
            "resource": call.resource,
            "by": source,
        }
        if call.context:
            entry["context"] = {key: list(values) for key, values in sorted(call.context.items())}
        line = json.dumps(entry)
        with self._lock:
            if line in self._written or self._file.closed:
                return
            self._written.add(line)
            self._file.write(f"{line}\n")
            # Whoever looks wants to see it at once, also after a kill.
            self._file.flush()

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._file.close()


def read_actions(lines: Iterable[str]) -> list[tuple[str, Call, str]]:
    """Principal, call and source of each line that :class:`ActionRecorder` wrote."""
    entries = [json.loads(line) for line in lines if line.strip()]
    return [
        (
            entry["principal"],
            Call(
                entry["action"],
                entry["resource"],
                {key: tuple(values) for key, values in entry.get("context", {}).items()},
            ),
            entry["by"],
        )
        for entry in entries
    ]
