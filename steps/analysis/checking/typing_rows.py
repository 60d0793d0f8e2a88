"""From record batches of text to typed columns, batch by batch, so that no file's text is held whole.

Dates are read in every declared form, because the form of a file is only known when all of it was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.problems import Findings, Lines, Mask, quoted
from analysis.checking.values import filled_cells, moments, numbers, typed_cells, where
from analysis.dataset.columns import TIMES, Column
from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import SHOWN_PROBLEMS


@dataclass
class DateReading:
    """A date column as one form reads it.

    fits: cells that have the form. failed: cells that it can't read, of which the first are kept in `failures` as
    (line, text, whether the text has the form).
    """

    chunks: list[pa.Array] = field(default_factory=list)
    fits: int = 0
    failed: int = 0
    failures: list[tuple[int, str, bool]] = field(default_factory=list)


@dataclass
class TypedRows:
    """What is kept of a file.

    header: its columns, in their order. values: the declared columns but dates, in the file's own scale. dates: date
    column → form → reading. unknown: columns that are not declared but hold nothing but numbers. missing: column →
    count of empty cells.
    """

    header: tuple[str, ...] = ()
    lines: list[Lines] = field(default_factory=list)
    values: dict[str, list[pa.Array]] = field(default_factory=dict)
    dates: dict[str, dict[str, DateReading]] = field(default_factory=dict)
    unknown: dict[str, list[pa.Array]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows were read."""
        return sum(len(lines) for lines in self.lines)

    def all_lines(self) -> Lines:
        """Return the line of each row."""
        return np.concatenate(self.lines) if self.lines else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Cells:
    """The cells of one column of a batch: each distinct text is looked at once.

    distinct: without surrounding space, null where a text means an empty cell. indices: of each row's.
    """

    distinct: pa.Array
    indices: pa.Array

    @classmethod
    def of(cls, texts: pa.Array, marks: Collection[str], levels: Collection[str]) -> _Cells:
        """Find the distinct texts of a column."""
        encoded = pc.dictionary_encode(texts.fill_null(""))
        return cls(filled_cells(encoded.dictionary, marks, levels), encoded.indices)

    def spread(self, values: pa.Array) -> pa.Array:
        """Give each row the value of its text."""
        return values.take(self.indices)

    def where(self, mask: Mask) -> Mask:
        """Return the rows whose text is meant by the mask."""
        return where(self.spread(pa.array(mask, pa.bool_())))

    def text(self, row: int) -> str:
        """Return the text of a row."""
        return str(self.distinct[self.indices[row].as_py()].as_py())

    def message(self, what: str) -> Callable[[int], str]:
        """Return what to say of a row's cell."""
        return lambda row: f"{quoted(self.text(row))} {what}"


def typed_rows(batches: Iterable[pa.RecordBatch], dataset: Dataset, findings: Findings) -> TypedRows:
    """Type all cells; what is no number where one is due is refused.

    batches: the first column is the line in the file (int64), the others are text.
    """
    rows = TypedRows()
    for batch in batches:
        if not rows.header:
            _start(rows, tuple(batch.schema.names[1:]), dataset)
        lines: Lines = batch.column(0).to_numpy(zero_copy_only=False)
        rows.lines.append(lines)
        for place, name in enumerate(rows.header, start=1):
            column = dataset.columns.get(name)
            cells = _Cells.of(batch.column(place), dataset.missing_marks, column.levels if column else ())
            rows.missing[name] += cells.spread(cells.distinct.is_null()).true_count
            if column is None:
                _add_unknown(rows, name, cells)
            elif column.kind in TIMES:
                _add_dates(rows.dates[name], cells, lines, column)
            else:
                typed = typed_cells(cells.distinct, column)
                rows.values[name].append(cells.spread(typed.values))
                for what, mask in typed.wrong.items():
                    findings.refuse_rows(name, what, lines, cells.where(mask), cells.message(what))
    return rows


def _start(rows: TypedRows, header: tuple[str, ...], dataset: Dataset) -> None:
    rows.header = header
    rows.missing = dict.fromkeys(header, 0)
    for name in header:
        column = dataset.columns.get(name)
        if column is None:
            rows.unknown[name] = []
        elif column.kind in TIMES:
            rows.dates[name] = {form: DateReading() for form in column.formats}
        else:
            rows.values[name] = []


def _add_unknown(rows: TypedRows, name: str, cells: _Cells) -> None:
    """Keep a column that is not declared as long as it holds nothing but numbers: it may give the target away."""
    if name in rows.unknown:
        typed = numbers(cells.distinct)
        rows.unknown[name].append(cells.spread(typed.values))
        if typed.wrong:
            del rows.unknown[name]


def _add_dates(readings: dict[str, DateReading], cells: _Cells, lines: Lines, column: Column) -> None:
    patterns = {pattern for form in column.formats.values() for pattern in form}
    read = {pattern: moments(cells.distinct, pattern, column.kind) for pattern in patterns}
    for form, reading in readings.items():
        values = pc.coalesce(*(read[pattern][0] for pattern in column.formats[form]))
        fits: Mask = np.logical_or.reduce([read[pattern][1] for pattern in column.formats[form]])
        fitting = cells.where(fits)
        failed = np.flatnonzero(cells.where(where(pc.and_(values.is_null(), cells.distinct.is_valid()))))
        reading.chunks.append(cells.spread(values))
        reading.fits += int(fitting.sum())
        reading.failed += len(failed)
        for row in failed[: SHOWN_PROBLEMS - len(reading.failures)].tolist():
            reading.failures.append((int(lines[row]), cells.text(row), bool(fitting[row])))
