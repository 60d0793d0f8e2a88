"""Read a CSV file as text cells, and report exactly what is wrong where that fails.

Rows keep the line number that an editor shows, so that every later message can name it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.reading.columns import KNOWN_COLUMNS
from analysis.runtime.errors import InputError, Problem

_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f]")


@dataclass(frozen=True)
class Table:
    """A CSV file as stripped text cells.

    cells: one column per header name, all text; the index is the line number in the file (header = 1).
    sha256: of the file's bytes.
    """

    file: str
    sha256: str
    size: int
    cells: pd.DataFrame


def read_table(path: Path, *, name: str | None = None) -> Table:
    """Read `path`; `name` is what messages call it (default: the file's own name).

    Raises InputError for an empty file, a header without rows, a binary file, bytes that are not UTF-8, a
    delimiter other than the comma, repeated column names, a line with too few or too many values, a line break inside
    quotes and unbalanced quotes.
    """
    file = name or path.name
    data = path.read_bytes()
    text = _decode(file, data)
    header, rows, lines = _parse(file, text)
    cells = pd.DataFrame(rows, columns=pd.Index(header), index=pd.Index(lines, name="line"), dtype="object")
    for column in header:
        cells[column] = cells[column].str.strip()
    return Table(file=file, sha256=hashlib.sha256(data).hexdigest(), size=len(data), cells=cells)


def _decode(file: str, data: bytes) -> str:
    if not data.strip(b" \t\r\n\xef\xbb\xbf"):
        raise InputError(file, [Problem("the file is empty; it needs a header line and at least one row", line=1)])
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            raise InputError(file, [Problem(f"this is {kind}, not CSV text; save it as CSV UTF-8", line=1)])
    if data.startswith(_UTF16_MARKS):
        raise InputError(file, [Problem("the text is UTF-16; save it as CSV UTF-8", line=1)])
    control = _NO_TEXT.search(data)
    if control is not None:
        message = f"byte 0x{control[0].hex()} is not text: this is a binary file, not CSV"
        raise InputError(file, [_problem_at(data, control.start(), message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as CSV UTF-8"
        raise InputError(file, [_problem_at(data, error.start, message)]) from error


def _problem_at(data: bytes, position: int, message: str) -> Problem:
    """Name the line, and the column where the header is readable, of a byte that CSV text can't contain."""
    before = data[:position]
    line = before.count(b"\n") + 1
    field = before[before.rfind(b"\n") + 1 :].count(b",")
    header = data.split(b"\n", 1)[0].strip().decode("ascii", errors="replace").split(",")
    column = header[field].strip() if line > 1 and field < len(header) else None
    return Problem(message, line=line, column=column)


def _parse(file: str, text: str) -> tuple[list[str], list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    problems: list[Problem] = []
    line = 1
    try:
        for values in reader:
            first_line, line = line, reader.line_num + 1
            if line - first_line > 1:
                problems.append(_line_break(first_line, values, header))
            elif header is None:
                if any(value.strip() for value in values):
                    header = _header(file, first_line, values)
            elif len(values) != len(header):
                if any(value.strip() for value in values):
                    problems.append(_wrong_width(first_line, values, header))
            else:
                rows.append(values)
                lines.append(first_line)
    except csv.Error as error:
        problems.append(Problem(f"the quotes are not balanced or the cell is too long ({error})", line=line))
    if problems:
        raise InputError(file, problems)
    if header is None or not rows:
        raise InputError(file, [Problem("the file has a header but no rows", line=2)])
    return header, rows, lines


def _header(file: str, line: int, values: list[str]) -> list[str]:
    names = [value.strip() for value in values]
    if len(names) == 1:
        for delimiter, called in _OTHER_DELIMITERS.items():
            if delimiter in names[0]:
                message = f"the columns are separated by {called}, not by commas; save the file as comma-separated CSV"
                raise InputError(file, [Problem(message, line=line)])
    if not set(names) & set(KNOWN_COLUMNS):
        message = f"this is not a header line: none of its names is a known column ({', '.join(KNOWN_COLUMNS)})"
        raise InputError(file, [Problem(message, line=line)])
    names = [name or f"unnamed_{position}" for position, name in enumerate(names, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(file, [Problem("the header names this column twice", line, name) for name in repeated])
    return names


def _line_break(line: int, values: list[str], header: list[str] | None) -> Problem:
    position = next((i for i, value in enumerate(values) if "\n" in value or "\r" in value), 0)
    column = header[position] if header is not None and position < len(header) else None
    return Problem("a quoted cell has a line break inside; each day must be on one line", line, column)


def _wrong_width(line: int, values: list[str], header: list[str]) -> Problem:
    message = f"the line has {len(values)} values, the header names {len(header)} columns"
    if len(values) < len(header):
        return Problem(message, line, header[len(values)])
    return Problem(f"{message} (a decimal comma makes two values of one)", line, header[-1])
