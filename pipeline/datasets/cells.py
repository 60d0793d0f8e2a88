"""Read a CSV file of any common dialect as distinct text cells, before anybody has said what its columns are."""

import csv
import io
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset.columns import plain_name
from pipeline.errors import InputFileError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAMPLED_LINES = 200
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True)
class Cells:
    """The cells of one column: each distinct text once, without spaces around it."""

    name: str
    texts: tuple[str, ...]
    """In the order in which they come."""
    codes: NDArray[np.int32]
    """Row → position of its text."""


@dataclass(frozen=True)
class CsvTable:
    """A file's cells."""

    columns: tuple[Cells, ...]
    rows: int
    delimiter: str
    blank_lines: int


class _Texts(dict[str, int]):
    """Raw cell → position of its text among the distinct ones."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, int] = {}

    def __missing__(self, raw: str) -> int:
        code = self[raw] = self.texts.setdefault(raw.strip(), len(self.texts))
        return code


def read_cells(path: Path) -> CsvTable:
    """Read a file.

    Raises:
        InputFileError: it is no table of named columns; one sentence says why, and where.
    """
    text = _decoded(path)
    delimiter = _delimiter(path, text)
    lines = _lines(path, text, delimiter)
    header = _header(path, next(lines)[1])
    columns = [_Texts() for _ in header]
    codes = [array("i") for _ in header]
    blank = 0
    for line, values in lines:
        if not any(map(str.strip, values)):
            blank += 1
            continue
        if len(values) != len(header):
            raise InputFileError(f"{path}:{line}: the line has {len(values)} values, the header {len(header)} names.")
        if any("\n" in value or "\r" in value for value in values):
            # Jobs refuse it, too: lines are what messages name, and what large files are split by.
            raise InputFileError(f"{path}:{line}: a quoted cell has a line break inside; put each row on one line.")
        for one, known, raw in zip(codes, columns, values, strict=True):
            one.append(known[raw])
    if not codes[0]:
        raise InputFileError(f"{path} has a header and no rows.")
    found = [
        Cells(name, tuple(known.texts), np.frombuffer(one, dtype=np.int32))
        for name, known, one in zip(header, columns, codes, strict=True)
    ]
    return CsvTable(tuple(found), len(codes[0]), delimiter, blank)


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path} can't be read: {error.strerror}.") from error
    encoding = next((name for mark, name in _ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputFileError(f"{path}:{line}: the text is not {encoding.upper()}; save it as CSV UTF-8.") from error
    if "\0" in text:
        raise InputFileError(f"{path} is no text: it has NUL characters. Save it as CSV UTF-8.")
    if not text.strip():
        raise InputFileError(f"{path} is empty.")
    return text


def _delimiter(path: Path, text: str) -> str:
    """Return the delimiter that gives most lines as many values as the header; of equal ones, the most values."""
    rated = []
    for delimiter in DELIMITERS:
        widths: list[int] = []
        with suppress(InputFileError):
            widths.extend(len(values) for _, values in islice(_lines(path, text, delimiter), _SAMPLED_LINES))
        if widths and widths[0] > 1:
            rated.append((sum(width == widths[0] for width in widths) / len(widths), widths[0], delimiter))
    if not rated:
        names = ", ".join(DELIMITERS.values())
        raise InputFileError(f"{path} is no table: its first line has no two names between {names}.")
    return max(rated, key=lambda found: found[:2])[2]


def _lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that is not empty, with its number; what quotes enclose may go over several."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputFileError(f"{path}:{line}: the line is no CSV: {error}.") from error
        if values:
            yield line, values
        line = reader.line_num + 1


def _header(path: Path, values: list[str]) -> list[str]:
    names = [value.strip() or f"unnamed_{position}" for position, value in enumerate(values, start=1)]
    if not any(character.isalpha() for name in values for character in name):
        raise InputFileError(f"{path} has no header: its first line holds no names. Add a line of names.")
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(plain_name(name), name)
        if other is not name:
            raise InputFileError(f"{path}: its columns {other!r} and {name!r} can't be told apart. Rename one.")
    return names
