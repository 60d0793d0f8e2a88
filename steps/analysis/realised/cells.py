"""The files that outcomes and predictions come from, and those of realised results: their columns, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analysis.realised.join import Outcome, Predicted, Realised, Source
from analysis.realised.settle import Counted, Summary
from analysis.realised.sums import Cell, Sums, Table, sums_of
from analysis.runtime.errors import ScoreError
from analysis.runtime.names import ACTUAL, NEW, REALISED, ROW_ROLE
from analysis.runtime.spreadsheets import safe_text
from analysis.runtime.upload import Claim

_BETWEEN_KEYS = "\0"
_ROWS_A_PIECE = 2000


@dataclass(frozen=True)
class Header:
    """The columns of a file, by name."""

    names: list[str]
    file: str

    def place(self, name: str) -> int:
        """Return the position of a column; raise ScoreError where there is none."""
        if name not in self.names:
            raise ScoreError(f"{self.file} has no column {name}; it has {', '.join(self.names) or 'none'}.")
        return self.names.index(name)

    def places(self, names: Iterable[str]) -> list[int]:
        """Return the positions of columns."""
        return [self.place(name) for name in names]


def key_of(row: Sequence[str], places: Sequence[int]) -> str:
    """Return what names a row, from the cells that do."""
    return row[places[0]] if len(places) == 1 else _BETWEEN_KEYS.join(row[place] for place in places)


def outcomes_in(lines: Iterable[str], joined_by: Sequence[str], file: str) -> tuple[list[str], Iterator[Outcome]]:
    """Return the names of the labels in rows.csv, and its rows with an outcome, written as in prediction files."""
    rows = csv.reader(lines)
    header = Header(next(rows, []), file)
    actual, places = header.place(ACTUAL), header.places(joined_by)

    def found() -> Iterator[Outcome]:
        for row in rows:
            if row[actual]:
                cells = [safe_text(cell) for cell in row[:actual]]
                yield Outcome(key_of(cells, places), tuple(cells), row[actual])

    return header.names[:actual], found()


def predictions_in(lines: Iterable[str], joined_by: Sequence[str], source: Source) -> Iterator[Predicted]:
    """Yield the rows of a prediction file, as long as they are those of the execution that its manifest names.

    Another one may have replaced the file, and not yet the manifest.
    """
    rows = csv.reader(lines)
    header = Header(next(rows, []), source.table)
    places = header.places(joined_by)
    value, lower, upper, actual, role = header.places(("prediction", "lower_95", "upper_95", ACTUAL, ROW_ROLE))
    execution = header.place("execution_id")
    for row in rows:
        if row[execution] == source.execution:
            yield Predicted(key_of(row, places), row[value], row[lower], row[upper], row[actual], row[role] == NEW)


@dataclass(frozen=True)
class Realisation:
    """What an upload realises of a profile's predictions. joined_by: columns that name a row.

    time_label: the column whose day a row is counted under; None counts it under the day of the upload.
    """

    claim: Claim
    profile: str
    joined_by: tuple[str, ...]
    time_label: str | None


class RealisedTable:
    """The file of an upload's realised results, made piece by piece, and what its summary says of it."""

    def __init__(self, labels: Sequence[str], about: Realisation) -> None:
        """Take the names of the labels."""
        self.about = about
        self.columns = [*labels, *REALISED]
        self.rows = 0
        self.sums: Table = {}
        self.first = self.last = ""
        self._known_at = about.claim.uploaded_at
        self._day_of = None if about.time_label is None else self.columns.index(about.time_label)

    def pieces(self, rows: Iterable[Realised]) -> Iterator[bytes]:
        """Yield the file's bytes."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row in rows:
            writer.writerow(self._written(row))
            if self.rows % _ROWS_A_PIECE == 0:
                yield buffer.getvalue().encode("utf-8")
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode("utf-8")

    def _written(self, row: Realised) -> list[str]:
        labels, actual, source = row.outcome.labels, row.outcome.actual, row.source
        day = (self._known_at if self._day_of is None else labels[self._day_of])[:10]
        cell = Cell(source.version, day)
        self.sums[cell] = self.sums.get(cell, Sums()) + sums_of(row.prediction, row.lower, row.upper, actual)
        self.first = min(self.first, labels[0]) if self.rows else labels[0]
        self.last = max(self.last, labels[0])
        self.rows += 1
        made_by = (source.version, source.execution, source.key, source.predicted_at)
        return [*labels, row.prediction, row.lower, row.upper, actual, *made_by, self._known_at]


def counted_in(lines: Iterable[str], summary: Summary) -> Iterator[Counted]:
    """Yield the rows of a file of realised results."""
    rows = csv.reader(lines)
    header = Header(next(rows, []), summary.table)
    places = header.places(summary.joined_by)
    figures = header.places(("prediction", "lower_95", "upper_95", ACTUAL))
    version, day = header.place("model_version"), header.place(summary.time_label or "known_at")
    for row in rows:
        sums = sums_of(*(row[place] for place in figures))
        yield Counted(key_of(row, places), Cell(row[version], row[day][:10]), sums)
