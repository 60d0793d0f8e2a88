"""An endpoint whose writes fail when a test wants it, and what is on its disk."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

_FAULTS = Path(__file__).parents[1] / "faults"
_CONTROL = struct.Struct("5q")  # see sitecustomize.py there
NEVER = 1 << 62
# What changes by itself: the number and time of a change, and deliveries, which other threads make.
_BY_THEMSELVES = ("change", "meta", "sqlite_sequence")
# Read only: the state of a group of tests is compared, however many writes it took.
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


class FailingDisk:
    """Makes writes of an endpoint fail.

    Args:
        folder: for the control file; not the state directory.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "faults"
        self._path.write_bytes(bytes(_CONTROL.size))

    def _set(self, *values: int) -> None:
        with self._path.open("r+b") as file:
            file.write(_CONTROL.pack(*values))

    def fail(self, first: int, last: int = NEVER, number: int = errno.ENOSPC) -> None:
        """Let the ``first`` write from now on fail, and all after it but the ``last``; 1 is the next one."""
        self._set(0, first, last, number, 0)

    @property
    def failed(self) -> int:
        """How many writes have failed."""
        return int(_CONTROL.unpack(self._path.read_bytes())[4])

    def work(self) -> int:
        """Let every write succeed again; return how many have failed."""
        failed = self.failed
        self._set(0, 0, 0, 0, 0)
        return failed

    @contextmanager
    def endpoint(self, state_dir: Path) -> Iterator[EndpointHandle]:
        """Run an endpoint on the disk."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOCALMAKER_TEST_FAULTS", str(self._path))
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(_FAULTS), os.environ.get("PYTHONPATH")])))
            with running_endpoint(state_dir) as handle:
                yield handle


def on_disk(state_dir: Path) -> dict[str, Any]:
    """Return what the next endpoint would find: rows of every store, the files of objects, and the records of jobs."""
    found: dict[str, Any] = {}
    for path in sorted([*state_dir.rglob("*.db"), *state_dir.rglob("*.sqlite3")]):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            for (table,) in database.execute(_TABLES).fetchall():
                if table not in _BY_THEMSELVES:
                    rows = database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own names
                    found[f"{path.name}.{table}"] = sorted(map(repr, rows))
    found["files"] = sorted(path.name for path in (state_dir / "aws" / "objects").iterdir())
    found["jobs"] = {path: path.read_text() for path in sorted(state_dir.rglob("record.json"))}
    return found
