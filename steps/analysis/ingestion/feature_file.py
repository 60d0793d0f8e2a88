"""The rows of a feature file, read as they are needed: memory does not grow with the file."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analysis.ingestion.records import Record, RecordForm
from analysis.ingestion.sharing import Share
from analysis.runtime.container import existing_file
from analysis.runtime.errors import SettingsError

_LONGEST_CELL = 358_400
"""What ValueAsString may have; Python's csv module alone would stop at a third of it."""


@dataclass(frozen=True)
class Misfit:
    """A row that makes no record, and why."""

    line: int
    identifier: str
    reason: str


class FeatureFile:
    """A CSV file whose header names features, the record identifier among them. Cells stay the text that they are.

    That no identifier comes twice is not looked at here, since it takes memory that grows with the file:
    preprocess.py guarantees it.
    """

    def __init__(self, path: Path, identifier: str, known: Collection[str]) -> None:
        """Read the header of `path`, or raise SettingsError where it is not one of the known features.

        identifier: name of the record identifier. size: of the file in bytes; read: how many of them were read.
        """
        self.path = existing_file(path, "The feature file")
        self.identifier = identifier
        self.size, self.read = path.stat().st_size, 0
        self.rows = 0
        """Rows read so far, of all instances."""
        with path.open("rb") as stream:
            self.columns: tuple[str, ...] = tuple(next(self._cells(stream), (0, []))[1])
        unknown = [name for name in self.columns if name not in known]
        if unknown or identifier not in self.columns or len(set(self.columns)) < len(self.columns):
            what = f"which are no features: {', '.join(unknown)}" if unknown else f"once each, with {identifier}"
            raise SettingsError(
                f"{path.name} has the columns {', '.join(self.columns) or '(none)'}; expected are features of the "
                f"declaration, {what}. Write the file again with preprocess.py."
            )

    def records(self, form: RecordForm, share: Share) -> Iterator[Record | Misfit]:
        """Yield the records of the rows of this instance; raise SettingsError where the file can't be read."""
        self.rows = self.read = 0
        with self.path.open("rb") as stream:
            rows = self._cells(stream)
            next(rows, None)
            for line, cells in rows:
                self.rows += 1
                if share.has(self.rows - 1):
                    yield self._record(form, line, cells)

    def _record(self, form: RecordForm, line: int, cells: Sequence[str]) -> Record | Misfit:
        if len(cells) != len(self.columns):
            return Misfit(line, "", f"the row has {len(cells)} cells, and the header {len(self.columns)}")
        record = form.record(line, cells)
        return record if record.identifier else Misfit(line, "", f"the row has no {self.identifier}")

    def _cells(self, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the cells of every row, the header's first; lines of a cell count as lines."""
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(self._lines(stream), strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except (csv.Error, OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{self.path.name} can't be read at line {line}: {error}.") from error

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        for line in stream:
            self.read += len(line)
            yield line.decode("utf-8")
