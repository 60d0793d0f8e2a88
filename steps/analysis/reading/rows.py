"""Lines of text as columns of cells, with the number of each line.

Arrow divides lines whose quotes, if there are any, enclose whole cells. All others are the csv module's, which says
exactly what is wrong with them and where.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from analysis.reading.header import Header, split
from analysis.runtime.errors import Problem

_LONGEST_CELL = 1 << 20
_BYTE_ORDER_MARK = "\ufeff".encode()


@dataclass
class Rows:
    """What became of some lines.

    lines: number of each row, int64; columns: the header's names in order, one text a row, without blanks around it.
    blank: numbers of the lines without a value; problems: of the lines that are no rows.
    rest: whole lines at the end in which a cell is open, to be put before the next ones. ends: nothing can follow.
    """

    lines: pa.Array
    columns: list[pa.Array]
    blank: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rest: bytes = b""
    ends: bool = False


def parsed(block: bytes, first: int, header: Header, *, last: bool) -> Rows:
    """Divide whole lines, of which `first` is the first one's number; `last`: no more text follows."""
    lone_quotes = b'"' in block and not _quoted_cells(header.delimiter).fullmatch(block)
    # Arrow would take the mark for the beginning of a file, and drop it.
    if lone_quotes or block.startswith(_BYTE_ORDER_MARK):
        rows = _by_csv(block, first, header, last=last)
    else:
        rows = _by_arrow(block, first, header)
    trimmed = pc.ascii_trim_whitespace if block.isascii() else pc.utf8_trim_whitespace
    rows.columns = [trimmed(column) for column in rows.columns]
    _drop_blank(rows)
    _drop_ends(rows, header)
    rows.problems.sort(key=lambda problem: problem.line or 0)
    return rows


def column_at(text: str, header: Header) -> str | None:
    """Return the column of the first cell that has no end in a text from the beginning of a line."""
    delimiter = re.escape(header.delimiter)
    whole_cell = re.compile(rf' *+(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^{delimiter}]*+){delimiter}')
    position, cell = 0, whole_cell.match(text)
    while cell is not None:
        position, cell = position + 1, whole_cell.match(text, cell.end())
    return header.labels[position] if position < header.width else None


def _quoted_cells(delimiter: str) -> re.Pattern[bytes]:
    """Return what matches lines whose cells have no quotes, or are enclosed by them whole."""
    # re keeps what it compiled.
    plain, quoted = f'[^"{re.escape(delimiter)}\n]*+', '"[^"\n]*+(?:""[^"\n]*+)*+"'
    return re.compile(f"(?:(?:{plain}|{quoted})[{re.escape(delimiter)}\n])*+".encode())


def _by_arrow(block: bytes, first: int, header: Header) -> Rows:
    labels = [str(position) for position in range(header.width)]
    rows = Rows(pa.array([], pa.int64()), [])
    skipped: list[int] = []

    def odd(row: arrow_csv.InvalidRow) -> str:
        skipped.append(row.number - 1)
        _put_aside(rows, first + row.number - 1, row.text, header)
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(block),
        # In one piece and on one thread: otherwise rows that don't fit have no number.
        arrow_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=labels),
        arrow_csv.ParseOptions(
            delimiter=header.delimiter,
            quote_char='"' if b'"' in block else False,
            ignore_empty_lines=False,
            invalid_row_handler=odd,
        ),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(labels, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )
    lines = np.arange(first, first + block.count(b"\n"), dtype=np.int64)
    rows.lines = pa.array(np.delete(lines, np.array(skipped, dtype=np.int64)))
    rows.columns = [column.combine_chunks() for column in table.columns]
    return rows


def _by_csv(block: bytes, first: int, header: Header, *, last: bool) -> Rows:
    # Not splitlines, which ends lines at more than the line end.
    texts = [f"{text}\n" for text in block.decode().split("\n")[:-1]]
    exhausted = False

    def each_line() -> Iterator[str]:
        nonlocal exhausted
        yield from texts
        exhausted = True

    numbers: list[int] = []
    found: list[list[str]] = []
    rows = Rows(pa.array([], pa.int64()), [])
    reader = csv.reader(each_line(), delimiter=header.delimiter, strict=True, skipinitialspace=True)
    taken = 0
    try:
        for cells in reader:
            line, height, taken = first + taken, reader.line_num - taken, reader.line_num
            if height > 1:
                rows.problems.append(_line_break(line, cells, header))
            elif len(cells) == header.width:
                numbers.append(line)
                found.append(cells)
            else:
                _put_aside(rows, line, texts[taken - 1].removesuffix("\n"), header)
    except csv.Error as error:
        rest = "".join(texts[taken:]).encode()
        if exhausted and not last and len(rest) <= _LONGEST_CELL:
            rows.rest = rest
        else:
            message = f"the quotes are not balanced or the cell is too long ({error})"
            rows.problems.append(Problem(message, first + taken, column_at(texts[taken], header)))
            rows.ends = True
    rows.lines = pa.array(numbers, pa.int64())
    columns = zip(*found, strict=True) if found else [()] * header.width
    rows.columns = [pa.array(column, pa.string()) for column in columns]
    return rows


def _put_aside(rows: Rows, line: int, text: str, header: Header) -> None:
    """Take a line that has not as many cells as the header."""
    if not text.replace(header.delimiter, "").replace('"', "").strip():
        rows.blank.append(line)
        return
    count, width = len(split(text, header.delimiter) or ()), header.width
    message = f"the line has {count} values, the header names {width} columns"
    if count > width and header.delimiter == ",":
        message += " (a decimal comma makes two values of one)"
    rows.problems.append(Problem(message, line, header.labels[min(count, width - 1)]))


def _line_break(line: int, cells: list[str], header: Header) -> Problem:
    position = next((i for i, cell in enumerate(cells) if "\n" in cell), 0)
    column = header.labels[position] if position < header.width else None
    return Problem("a quoted cell has a line break inside; each row must be on one line", line, column)


def _drop_blank(rows: Rows) -> None:
    empty = pc.equal(rows.columns[0], "")
    for column in rows.columns[1:]:
        if not pc.any(empty).as_py():
            return
        empty = pc.and_(empty, pc.equal(column, ""))
    rows.blank = sorted([*rows.blank, *rows.lines.filter(empty).to_pylist()])
    filled = pc.invert(empty)
    rows.lines = rows.lines.filter(filled)
    rows.columns = [column.filter(filled) for column in rows.columns]


def _drop_ends(rows: Rows, header: Header) -> None:
    """Leave out the cells beyond the last name, which must be empty."""
    names = len(header.names)
    for label, column in zip(header.labels[names:], rows.columns[names:], strict=True):
        for line in rows.lines.filter(pc.not_equal(column, "")).to_pylist():
            rows.problems.append(Problem("the cell has a value, but its column has no name", line, label))
    rows.columns = rows.columns[:names]
