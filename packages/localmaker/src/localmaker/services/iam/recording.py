"""The record of actions: one JSON line for each distinct action, in the order of first use."""

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

    A line is ``{"principal": …, "action": …, "resource": …, "by": …}``, with ``"context"`` if the request has
    values for condition keys.

    Args:
        path: the lines are appended; its folder must exist.

    Raises:
        EndpointStartError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise EndpointStartError(f"cannot record the actions that roles use in {path}: {error}") from error
        self._lock = threading.Lock()
        self._written: set[str] = set()

    def record(self, principal: str, call: Call, source: str) -> None:
        """Write an action, unless it has been written before.

        Args:
            principal: ARN of a role, or name of a service that acts as itself.
            source: the cause: a job's ARN, a service's name.
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
            # Readers see it at once, even if the endpoint is killed.
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def read_actions(lines: Iterable[str]) -> list[tuple[str, Call, str]]:
    """Return principal, call and source of each line that :class:`ActionRecorder` wrote."""
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
