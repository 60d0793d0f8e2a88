"""The prediction file: rows and their predictions side by side, made piece by piece."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from analysis.publishing.observed import Observed
from analysis.runtime.errors import PublishError
from analysis.runtime.names import ACTUAL, HISTORY_GAP, LINE, NEW, PREDICTED, RECORD, ROW_ROLE
from analysis.runtime.spreadsheets import safe_text

_ROWS_A_PIECE = 2000


def prediction_of(line: str, number: int) -> tuple[list[str], tuple[float, float, float]]:
    """Return (prediction, lower, upper, extrapolated) of a line of the transform's output as written, and its numbers.

    extrapolated is empty where the model's own code, of an earlier version, does not say. Raises PublishError naming a
    line that is not three finite numbers, and 0 or 1.
    """
    values = line.split(",")
    try:
        # Written out, as it is done for each of millions of rows.
        prediction, lower, upper = numbers = float(values[0]), float(values[1]), float(values[2])
        if math.isfinite(prediction) and math.isfinite(lower) and math.isfinite(upper):
            if values[3:] in (["0"], ["1"]):
                return values, numbers
            if not values[3:]:
                return [*values, ""], numbers
    except (IndexError, ValueError):
        pass
    raise PublishError(
        f"The transform's output, line {number}: {line[:60]!r} is not prediction,lower,upper,extrapolated."
    )


@dataclass(frozen=True)
class SameInAllRows:
    """What is the same in all rows of a file, under the names of its columns."""

    model_version: str
    execution_id: str
    source_key: str
    model_status: str
    uploaded_at: str


class Table:
    """The prediction file, made piece by piece from the lines of rows.csv and of the transform's output."""

    def __init__(self, rows: Iterator[str], predictions: Iterator[str], same: SameInAllRows, time: str = "") -> None:
        """Take rows.csv: what names each row, `actual`, for a model with a past `history_gap`, and `row_role`.

        time: the column that says when a row happened, "" where there is none.
        """
        self._rows = csv.reader(rows)
        self._header = next(self._rows, [])
        self._has_gaps = self._header[-2:] == [HISTORY_GAP, ROW_ROLE]
        self._beside = (ACTUAL, HISTORY_GAP, ROW_ROLE) if self._has_gaps else (ACTUAL, ROW_ROLE)
        self._predictions = predictions
        self._same = same
        self.rows = 0
        self.extrapolated: int | None = None
        """How many rows are extrapolated; None where no line of the transform's output says."""
        self.gaps: dict[str, int] | None = {"rows": 0, "largest": 0} if self._has_gaps else None
        """How many rows have a history gap, and the largest; None for a model without features of the past."""
        names = self._header[: -len(self._beside)]
        timed = time in names
        self.observed = Observed(timed, names.index(time) if timed else 0, names[-2:] == [RECORD, LINE])
        self.roles: dict[str, int] = {}
        """How many rows there are of each role."""
        self.known = self.awaited = 0
        """How many rows have an outcome, and how many are new and have none yet."""
        self.first = self.last = ""
        """Smallest and largest text in the first column: what tells files apart that have no row in common."""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [*self._header[: -len(self._beside)], *PREDICTED]

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes.

        Raises PublishError where the two sources don't belong together, at the latest after the last piece.
        """
        if tuple(self._header[-len(self._beside) :]) != self._beside or len(self._header) == len(self._beside):
            has, needed = ", ".join(self._header), ", ".join(self._beside)
            raise PublishError(
                f"rows.csv has the columns {has}: the last ones must be {needed}, after what names a row."
            )
        same = self._same
        run = [safe_text(text) for text in (same.model_version, same.execution_id, same.source_key)]
        file = [safe_text(text) for text in (same.model_status, same.uploaded_at)]
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row, line in zip_longest(self._rows, self._predictions):
            if row is None or line is None:
                raise self._unequal(row, line)
            *named, actual, gap, role = row if self._has_gaps else [*row[:-1], "", row[-1]]
            self.rows += 1
            self._count_gap(gap)
            cells = [safe_text(cell) for cell in named]
            self._take_range(cells[0])
            self.known += actual != ""
            self.awaited += actual == "" and role == NEW
            self.roles[role] = self.roles.get(role, 0) + 1
            (*written, mark), numbers = prediction_of(line, self.rows)
            if mark:
                self.extrapolated = (self.extrapolated or 0) + int(mark)
            self.observed.add(named, numbers, actual, mark, role)
            writer.writerow([*cells, *written, actual, *run, mark, gap, role, *file])
            if self.rows % _ROWS_A_PIECE == 0:
                yield buffer.getvalue().encode("utf-8")
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode("utf-8")

    def _count_gap(self, gap: str) -> None:
        if self.gaps is None or gap == "0":
            return
        if not gap.isdecimal():
            raise PublishError(f"rows.csv, row {self.rows}: {HISTORY_GAP} is {gap!r}, and not a whole number.")
        self.gaps["rows"] += 1
        self.gaps["largest"] = max(self.gaps["largest"], int(gap))

    def _take_range(self, label: str) -> None:
        self.first = label if self.rows == 1 else min(self.first, label)
        self.last = max(self.last, label)

    def _unequal(self, row: list[str] | None, line: str | None) -> PublishError:
        rows = self.rows + (row is not None) + sum(1 for _ in self._rows)
        predictions = self.rows + (line is not None) + sum(1 for _ in self._predictions)
        return PublishError(
            f"There are {rows} rows but {predictions} predictions: they don't belong to the same run. "
            "Nothing was published."
        )
