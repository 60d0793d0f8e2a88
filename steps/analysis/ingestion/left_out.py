"""The records that were left out, in a CSV file that people can open."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Self

from analysis.ingestion.feature_file import Misfit
from analysis.ingestion.records import Record
from analysis.runtime.container import made_directory
from analysis.runtime.spreadsheets import safe_text

LEFT_OUT = "left_out.csv"
COLUMNS = ("row", "record_identifier", "feature_group", "reason")
_SHOWN, _LONGEST_REASON = 3, 150
"""Of what the message of a failure has room for."""


class LeftOut:
    """Writes the file as records are left out, so that memory does not grow with them; none is written for none.

    count: how many there are. shown: the first of them, in words.
    """

    def __init__(self, directory: Path) -> None:
        """Take the directory that gets the file; one of an earlier run is removed."""
        self.path = made_directory(directory) / LEFT_OUT
        self.path.unlink(missing_ok=True)
        self.count = 0
        self.shown: list[str] = []
        self._stream: Any = None

    def add(self, file: str, group: str, row: Record | Misfit, reason: str) -> None:
        """Add a row of a file that is not in the feature group."""
        if self._stream is None:
            self._stream = self.path.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._stream, lineterminator="\n")
            self._writer.writerow(COLUMNS)
        self._writer.writerow([row.row, *map(safe_text, (row.identifier, group, reason))])
        self.count += 1
        if self.count <= _SHOWN:
            self.shown.append(f"{file}, row {row.row} ({row.identifier}): {reason[:_LONGEST_REASON]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
