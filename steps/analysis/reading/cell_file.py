"""A file as a table of text cells in bounded batches, whatever its size and whichever dialect of CSV it is in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.reading.decimals import AmbiguousError, DecimalMarks
from analysis.reading.header import DELIMITERS, Header, Known, read_header
from analysis.reading.rows import Rows, column_at, parsed
from analysis.reading.source import Expansion, Source, UnreadableError
from analysis.runtime.errors import InputError, Problem, Problems

LINE = " line"
"""Column of a batch that has the line of each row. Names of a header have no blanks around them, so none is equal."""
_MISFITS = 3
_START = 2
"""Blocks in which the header is looked for, after those of nothing but blanks and delimiters."""
_BLANKS = f' \n"{"".join(DELIMITERS)}'.encode()


class CellFile:
    """A file whose header was read.

    file: its name in messages; sha256, size: of its bytes; header: the names of its columns among other things.
    decimal_commas: the columns whose numbers have a comma in the file, and a point in the batches.
    """

    def __init__(
        self, path: Path, known: Known, *, name: str | None = None, expansion: Expansion | None = None
    ) -> None:
        """Read the header of `path`, and where the columns are not separated by commas, whether numbers have commas.

        known: the columns that are looked for, with their other names; without any, every header is taken.
        Raises InputError for a file that is no text or has no header, and for numbers that can be read in two ways.
        """
        self.file = name or path.name
        self._source = Source(path, expansion or Expansion())
        with path.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.size = path.stat().st_size
        self._blank_lines = 0
        self._first_blank: int | None = None
        self.header = self._read_header(known)
        self.decimal_commas = self._read_decimal_commas()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows: LINE as int64, then a string column for each name, the texts without blanks around them.

        Lines without a value are left out. Raises InputError at the end where a line is no row; no batch follows the
        first such line.
        """
        for lines, columns in self._rows():
            named = zip(self.header.names, columns, strict=True)
            texts = [pc.replace_substring(t, ",", ".") if name in self.decimal_commas else t for name, t in named]
            yield pa.RecordBatch.from_arrays([lines, *texts], names=[LINE, *self.header.names])

    def dialect(self) -> dict[str, Any]:
        """Return how the file is written, once its batches were read."""
        return {
            "compression": "gzip" if self._source.compressed else "none",
            "encoding": self._encoding(),
            "line_ends": sorted(self._source.line_ends),
            "delimiter": self.header.delimiter,
            "decimal_commas": [name for name in self.header.names if name in self.decimal_commas],
            "blank_lines": self._blank_lines,
            "notes": self._notes(),
        }

    def _notes(self) -> list[str]:
        """Say in a sentence each what is unusual about the file, once its batches were read."""
        header, source, ends = self.header, self._source, sorted(self._source.line_ends)
        renamed = ", ".join(f"{found!r} is {name}" for name, found in header.written.items())
        commas = ", ".join(name for name in header.names if name in self.decimal_commas)
        blank = "1 line" if self._blank_lines == 1 else f"{self._blank_lines:,} lines"
        said = {
            "The file is compressed with gzip.": source.compressed,
            f"The text is {self._encoding()}.": source.marked,
            f"Lines end in {' and '.join(ends)}.": ends not in ([], ["LF"]),
            "A line before the header names the delimiter.": header.declared,
            f"Columns are separated by {DELIMITERS[header.delimiter]}.": header.delimiter != ",",
            "Each line ends in a delimiter.": header.width > len(header.names),
            f"Numbers have a decimal comma in {commas}.": bool(commas),
            f"Names of columns are written otherwise: {renamed}.": bool(renamed),
            f"{blank} without a value left out, the first is line {self._first_blank}.": self._blank_lines > 0,
        }
        near = [f"There is no column {name}; {found!r} is not taken for it." for name, found in header.near.items()]
        return [*(sentence for sentence, is_so in said.items() if is_so), *near]

    def _encoding(self) -> str:
        called = self._source.encoding[: len("utf-16")].removesuffix("-").upper()
        return f"{called} with a byte order mark" if self._source.marked else called

    def _read_header(self, known: Known) -> Header:
        start: list[tuple[int, bytes]] = []
        trouble: UnreadableError | None = None
        try:
            filled = ((first, block) for first, block in self._source.blocks() if block.strip(_BLANKS))
            for first, block in islice(filled, _START):
                start.append((first, block))
        except UnreadableError as error:
            trouble = error
        lines = (
            (first + offset, text)
            for first, block in start
            for offset, text in enumerate(block.decode().split("\n")[:-1])
        )
        try:
            header = read_header(self.file, lines, known)
        except InputError:
            # What is no text is no table either, so that is to be said.
            if trouble is None:
                raise
            header = None
        if header is None:
            message = "the file is empty; it needs a header line and at least one row"
            problem = Problem(message, line=1) if trouble is None else _unreadable(trouble, None)
            raise InputError(self.file, [problem])
        return header

    def _read_decimal_commas(self) -> frozenset[str]:
        if self.header.delimiter == ",":
            return frozenset()
        try:
            if not any(b"," in block for _, block in self._body()):
                return frozenset()
            marks = DecimalMarks(self.header.names)
            for lines, columns in self._rows():
                marks.see(lines, columns)
            return marks.decimal_commas()
        except UnreadableError as error:
            raise self._refused([_unreadable(error, self.header)]) from error
        except AmbiguousError as error:
            raise self._refused([error.problem]) from error

    def _rows(self) -> Iterator[tuple[pa.Array, list[pa.Array]]]:
        """Yield line numbers and cells of the rows; raise InputError at the end where a line is no row."""
        self._blank_lines, self._first_blank = 0, None
        problems = Problems()
        found = 0
        for rows in self._parts():
            self._blank_lines += rows.blank
            self._first_blank = self._first_blank or rows.first_blank
            if not found and not len(rows.lines) and rows.problems.count >= _MISFITS:
                first = rows.problems.listed()[0]
                message = f"none of the first {rows.problems.count:,} lines is a row: {first.message}"
                raise self._refused([Problem(message, first.line, first.column)])
            problems.extend(rows.problems)
            found += len(rows.lines)
            if len(rows.lines) and not problems.count:
                yield rows.lines, rows.columns
        if problems.count:
            raise self._refused(problems.listed())
        if not found:
            raise self._refused([Problem("the file has a header but no rows", line=self.header.line + 1)])

    def _parts(self) -> Iterator[Rows]:
        rest, after = b"", 0
        try:
            for first, block in self._body():
                rows = parsed(rest + block, first - rest.count(b"\n"), self.header, last=False)
                yield rows
                if rows.ends:
                    return
                rest, after = rows.rest, first + block.count(b"\n")
        except UnreadableError as error:
            unread, problem = Rows(pa.array([], pa.int64()), []), _unreadable(error, self.header)
            unread.problems.add(problem.message, error.line, problem.column)
            yield unread
            return
        if rest:
            yield parsed(rest, after - rest.count(b"\n"), self.header, last=True)

    def _body(self) -> Iterator[tuple[int, bytes]]:
        """Yield the blocks of lines below the header."""
        for first, block in self._source.blocks():
            above = max(self.header.line + 1 - first, 0)
            for below in filter(None, block.split(b"\n", above)[above:]):
                yield first + above, below

    def _refused(self, problems: Sequence[Problem]) -> InputError:
        return InputError(self.file, [*self.header.hints(), *problems])


def _unreadable(error: UnreadableError, header: Header | None) -> Problem:
    below = header is not None and error.line > header.line
    return Problem(str(error), error.line, column_at(error.before.decode(), header) if header and below else None)
