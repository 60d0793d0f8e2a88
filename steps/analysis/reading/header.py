"""The header line: which character separates the columns, and which known column each of its names means."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from analysis.runtime.errors import InputError, Problem

Known = Mapping[str, tuple[str, ...]]
"""Columns, each with the other names that a header may have for it."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DECLARED = re.compile(r'"?sep=(.)"?[,;\t| ]*', re.IGNORECASE)
_SHORTEST_BEGINNING = 3
_COMPARED_NAMES = 200
_LISTED_NAMES = 20
_MOST_COLUMNS = 10_000
_COMPARED_LINES = 20
_BLANKS = str.maketrans("", "", '"' + "".join(DELIMITERS))


@dataclass(frozen=True)
class Header:
    """What the header says.

    line: its number; delimiter: one of DELIMITERS; declared: whether a line sep=… before it names that.
    names: of the columns, in order: known ones as they are known, others as written, "unnamed_3" for none.
    width: cells of every line. Those beyond the names are delimiters at the end of each line.
    written: known column → its name in the file, where that differs. near: absent column → a name that may mean it.
    """

    line: int
    delimiter: str
    declared: bool
    names: tuple[str, ...]
    width: int
    written: Mapping[str, str]
    near: Mapping[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """What messages call each of the `width` cells."""
        unnamed = range(len(self.names) + 1, self.width + 1)
        return (*self.names, *(f"unnamed_{position}" for position in unnamed))

    def hints(self) -> list[Problem]:
        """Return a problem for each absent column of which the file seems to have another spelling."""
        return [Problem(f"found {near!r}, expected {name!r}", self.line, name) for name, near in self.near.items()]


def is_blank(text: str) -> bool:
    """Say whether a line has nothing but delimiters and empty cells."""
    return not text.translate(_BLANKS).strip()


def split(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of one line, or None where its quotes are not balanced."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None


def read_header(file: str, lines: Iterable[tuple[int, str]], known: Known) -> Header | None:
    """Find the header in the numbered lines of a file; None where all of them are blank.

    The delimiter is the one by which most names are known; where nothing is known, the one that gives most names.
    Raises InputError for a line that is no header, one that two delimiters divide equally well, and repeated names.
    """
    filled = ((number, text) for number, text in lines if not is_blank(text))
    line, text = next(filled, (0, ""))
    declared = _DECLARED.fullmatch(text.strip())
    if declared is not None:
        if declared[1] not in DELIMITERS:
            raise InputError(file, [Problem(f"columns separated by {declared[1]!r} can't be read; use commas", line)])
        line, text = next(filled, (0, ""))
    if not line:
        return None
    after = list(islice(filled, _COMPARED_LINES))
    delimiter = declared[1] if declared is not None else _delimiter(file, line, text, known)
    cells = _cells(text, delimiter)
    meant = _meant(cells, known)
    near = _near(cells, meant, known)
    if not cells or (known and not meant):
        raise InputError(file, [_no_header(line, text, near, after, known)])
    names = [meant.get(name) or name or f"unnamed_{position}" for position, name in enumerate(cells, start=1)]
    if len(names) > _MOST_COLUMNS:
        message = f"the header names {len(names):,} columns; at most {_MOST_COLUMNS:,} are read"
        raise InputError(file, [Problem(message, line)])
    repeated = [name for name, count in Counter(names).items() if count > 1][:_LISTED_NAMES]
    if repeated:
        spelled = {name: [one for one in cells if meant.get(one, one) == name] for name in repeated}
        raise InputError(file, [_repeated(line, name, spelled[name]) for name in repeated])
    first_row = split(after[0][1], delimiter) if after else None
    # The delimiters after the last name count only where the rows have them too.
    ends = first_row is None or len(first_row) != len(names)
    written = {name: found for found, name in meant.items() if found != name}
    width = len(split(text, delimiter) or ()) if ends else len(names)
    return Header(line, delimiter, declared is not None, tuple(names), width, written, near)


def _cells(text: str, delimiter: str) -> list[str]:
    """Return the names of a header line, without empty ones at its end."""
    cells = [cell.strip() for cell in split(text, delimiter) or ()]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _delimiter(file: str, line: int, text: str, known: Known) -> str:
    cells = {delimiter: _cells(text, delimiter) for delimiter in DELIMITERS}
    fits = {one: (len(_meant(names, known)), 0 if known else len(names)) for one, names in cells.items()}
    most = max(fits.values())
    best = [one for one in DELIMITERS if fits[one] == most]
    # A column without a name, as those of row numbers, is a column all the same.
    if len({tuple(filter(None, cells[one])) for one in best}) > 1 and any(most):
        called = " or by ".join(DELIMITERS[one] for one in best)
        raise InputError(file, [Problem(f"the columns may be separated by {called}; use one of them", line)])
    # Of a line that is no header, the names that come nearest are wanted.
    return max(best if any(most) else DELIMITERS, key=lambda one: len(cells[one]))


def _meant(names: Iterable[str], known: Known) -> dict[str, str]:
    """Map names to the columns that they mean; case, blanks, "_", "-" and "." count where columns differ so."""
    exact = {other: column for column, others in known.items() for other in others} | {name: name for name in known}
    loose: dict[str, set[str]] = {}
    for spelling, column in exact.items():
        loose.setdefault(_plain(spelling), set()).add(column)
    meant = {}
    for name in names:
        columns = {exact[name]} if name in exact else loose.get(_plain(name), set())
        if len(columns) == 1:
            (meant[name],) = columns
    return meant


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _near(cells: Sequence[str], meant: Mapping[str, str], known: Known) -> dict[str, str]:
    """Map columns that are absent to the name that seems to be a misspelling of each."""
    spare = {_plain(name): name for name in cells[:_COMPARED_NAMES] if name and name not in meant}
    near = {}
    found_columns = set(meant.values())
    for column in (column for column in known if spare and column not in found_columns):
        for spelling in map(_plain, (column, *known[column])):
            longer = [one for one in spare if len(spelling) >= _SHORTEST_BEGINNING and one.startswith(spelling)]
            found = [*get_close_matches(spelling, spare, n=1), *longer]
            if found and column not in near:
                near[column] = spare.pop(found[0])
    return near


def _no_header(line: int, text: str, near: Mapping[str, str], after: list[tuple[int, str]], known: Known) -> Problem:
    if all(split(text, delimiter) is None for delimiter in DELIMITERS):
        return Problem("the quotes of the header are not balanced", line)
    better = [number for number, row in after if any(len(_meant(_cells(row, one), known)) > 1 for one in DELIMITERS)]
    advice = f"; line {better[0]} looks like the header, so remove the lines above it" if better else ""
    advice += "".join(f"; found {found!r}, expected {column!r}" for column, found in near.items())
    return Problem(f"this is not a header line: none of its names is a known column ({', '.join(known)}){advice}", line)


def _repeated(line: int, name: str, spelled: list[str]) -> Problem:
    how = " and ".join(map(repr, dict.fromkeys(spelled)))
    return Problem(f"the header names this column twice{f', as {how}' if len(set(spelled)) > 1 else ''}", line, name)
