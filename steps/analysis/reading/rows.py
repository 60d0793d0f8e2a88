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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from analysis.reading.header import Header
from analysis.runtime.errors import Problems

_LONGEST_CELL = 1 << 20
_BYTE_ORDER_MARK = "\ufeff".encode()
_LINE_BREAK = "a quoted cell has a line break inside; each row must be on one line"
Lines = npt.NDArray[np.int64]


@dataclass
class Rows:
    """What became of some lines.

    lines: number of each row, int64; columns: the header's names in order, one text a row, without blanks around it.
    blank: count of the lines without a value; first_blank: number of the first one.
    problems: of the lines that are no rows.
    rest: whole lines at the end in which a cell is open, to be put before the next ones. ends: nothing can follow.
    """

    lines: pa.Array
    columns: list[pa.Array]
    blank: int = 0
    first_blank: int | None = None
    problems: Problems = field(default_factory=Problems)
    rest: bytes = b""
    ends: bool = False

    def add_blank(self, first: int, count: int = 1) -> None:
        """Count lines without a value."""
        self.blank += count
        self.first_blank = min(first, self.first_blank or first)


def parsed(block: bytes, first: int, header: Header, *, last: bool) -> Rows:
    """Divide whole lines, of which `first` is the first one's number; `last`: no more text follows."""
    lone_quotes = b'"' in block and not _quoted_cells(header.delimiter).fullmatch(block)
    # Arrow, which gets no empty lines, would take the mark for the beginning of a file, and drop it.
    if lone_quotes or block.lstrip(b"\n").startswith(_BYTE_ORDER_MARK):
        rows = _by_csv(block, first, header, last=last)
    else:
        rows = _by_arrow(block, first, header)
    trimmed = pc.ascii_trim_whitespace if block.isascii() else pc.utf8_trim_whitespace
    rows.columns = [trimmed(column) for column in rows.columns]
    _drop_blank(rows)
    _drop_headers(rows, header)
    _drop_ends(rows, header)
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
    rows = Rows(pa.array([], pa.int64()), [pa.array([], pa.string())] * header.width)
    lines = np.arange(first, first + block.count(b"\n"), dtype=np.int64)
    if block.startswith(b"\n") or b"\n\n" in block:
        # Each line that does not fit is a call of `odd`, which is slow for a file of nothing else.
        block, lines = _without_empty(block, lines, rows)
    if not block:
        return rows
    skipped: list[int] = []

    def odd(row: arrow_csv.InvalidRow) -> str:
        skipped.append(row.number - 1)
        _put_aside(rows, int(lines[row.number - 1]), row.text, row.actual_columns, header)
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
    rows.lines = pa.array(np.delete(lines, np.array(skipped, dtype=np.int64)))
    rows.columns = [column.combine_chunks() for column in table.columns]
    return rows


def _without_empty(block: bytes, lines: Lines, rows: Rows) -> tuple[bytes, Lines]:
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    empty = np.diff(ends, prepend=-1) == 1
    rows.add_blank(int(lines[empty][0]), int(empty.sum()))
    return np.delete(text, ends[empty]).tobytes(), lines[~empty]


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
                rows.problems.add(_LINE_BREAK, line, _with_line_break(cells, header))
            elif len(cells) == header.width:
                numbers.append(line)
                found.append(cells)
            else:
                _put_aside(rows, line, texts[taken - 1].removesuffix("\n"), len(cells), header)
    except csv.Error as error:
        rest = "".join(texts[taken:]).encode()
        if exhausted and not last and len(rest) <= _LONGEST_CELL:
            rows.rest = rest
        else:
            message = f"the quotes are not balanced or the cell is too long ({error})"
            rows.problems.add(message, first + taken, column_at(texts[taken], header))
            rows.ends = True
    rows.lines = pa.array(numbers, pa.int64())
    columns = zip(*found, strict=True) if found else [()] * header.width
    rows.columns = [pa.array(column, pa.string()) for column in columns]
    return rows


def _put_aside(rows: Rows, line: int, text: str, count: int, header: Header) -> None:
    """Take a line that has `count` cells, not as many as the header."""
    if not text.replace(header.delimiter, "").replace('"', "").strip():
        rows.add_blank(line)
        return
    width = header.width
    message = f"the line has {count} value{'' if count == 1 else 's'}, the header names {width} columns"
    if count > width and header.delimiter == ",":
        message += " (a decimal comma makes two values of one)"
    rows.problems.add(message, line, header.labels[min(count, width - 1)])


def _with_line_break(cells: list[str], header: Header) -> str | None:
    position = next((i for i, cell in enumerate(cells) if "\n" in cell), 0)
    return header.labels[position] if position < header.width else None


def _drop_blank(rows: Rows) -> None:
    empty = _equal_to(rows, [""], *[""] * (len(rows.columns) - 1))
    if empty is not None:
        lines = rows.lines.filter(empty)
        rows.add_blank(lines[0].as_py(), len(lines))
        _keep(rows, pc.invert(empty))


def _drop_headers(rows: Rows, header: Header) -> None:
    """Refuse lines that are the header again, as files that were joined have them."""
    written = [header.written.get(name, name) for name in header.names]
    names = ["" if name == f"unnamed_{place}" else name for place, name in enumerate(written, start=1)]
    # A file that was put behind another may have a byte order mark.
    again = _equal_to(rows, [names[0], f"\ufeff{names[0]}"], *names[1:]) if len(names) > 1 else None
    if again is not None:
        for line in rows.lines.filter(again).to_pylist():
            rows.problems.add("the header stands here again; remove the line", line)
        _keep(rows, pc.invert(again))


def _equal_to(rows: Rows, first: list[str], *others: str) -> pa.Array | None:
    """Return where a row begins with one of the first cells and these others, or None where no row does."""
    equal = pc.is_in(rows.columns[0], value_set=pa.array(first, pa.string()))
    for cell, column in zip(others, rows.columns[1:], strict=False):
        if not pc.any(equal).as_py():
            break
        equal = pc.and_(equal, pc.equal(column, cell))
    return equal if pc.any(equal).as_py() else None


def _keep(rows: Rows, kept: pa.Array) -> None:
    rows.lines = rows.lines.filter(kept)
    rows.columns = [column.filter(kept) for column in rows.columns]


def _drop_ends(rows: Rows, header: Header) -> None:
    """Leave out the cells beyond the last name, which must be empty."""
    names = len(header.names)
    for label, column in zip(header.labels[names:], rows.columns[names:], strict=True):
        for line in rows.lines.filter(pc.not_equal(column, "")).to_pylist():
            rows.problems.add("the cell has a value, but its column has no name", line, label)
    rows.columns = rows.columns[:names]
