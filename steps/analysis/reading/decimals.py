"""Whether the commas in cells are decimal marks, judged by all cells of a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from analysis.runtime.errors import Problem

_EXPONENT = r"([eE][+-]?\d+)?"
_DECIMAL_COMMA = rf"^[+-]?(\d+,\d*|,\d+){_EXPONENT}$"
_DECIMAL_POINT = rf"^[+-]?(\d+\.\d*|\.\d+){_EXPONENT}$"
_EITHER_WAY = r"^[+-]?[1-9]\d{0,2},\d{3}$"
"""One and a bit, or a thousand and more."""
_GROUPED = (
    r"^[+-]?\d{1,3}(\.\d{3})+,\d+$|^[+-]?\d{1,3}([ '\x{2019}\x{00a0}\x{202f}]\d{3})+,\d+$"
    r"|^[+-]?\d{1,3}(,\d{3})+\.\d*$|^[+-]?\d{1,3}(,\d{3}){2,}$"
)


@dataclass(frozen=True)
class _Cell:
    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.text!r} in line {self.line}, column {self.column}"


@dataclass
class _Column:
    """How many cells of a column have a comma or a point, how many of those are numbers, and an example of each."""

    commas: int = 0
    comma_numbers: int = 0
    points: int = 0
    point_numbers: int = 0
    decimal: _Cell | None = None
    certain: _Cell | None = None
    grouped: _Cell | None = None
    pointed: _Cell | None = None


class AmbiguousError(Exception):
    """Numbers of the file can be read in two ways."""

    def __init__(self, cell: _Cell, message: str) -> None:
        self.problem = Problem(f"{cell.text!r} {message}", cell.line, cell.column)
        super().__init__(str(self.problem))


class DecimalMarks:
    """Gets to see every cell; then says in which columns a comma is the decimal mark."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._columns = {name: _Column() for name in names}

    def see(self, lines: pa.Array, cells: list[pa.Array]) -> None:
        """Take in rows: their line numbers, and the cells of each column."""
        for (name, column), texts in zip(self._columns.items(), cells, strict=True):
            commas = pc.match_substring(texts, ",")
            if pc.any(commas).as_py():
                self._see_commas(name, column, lines.filter(commas), texts.filter(commas))
            points = pc.match_substring(texts, ".")
            if pc.any(points).as_py():
                found, numbers = texts.filter(points), pc.match_substring_regex(texts, _DECIMAL_POINT)
                column.points += len(found)
                column.point_numbers += pc.sum(numbers).as_py()
                column.pointed = column.pointed or _first(name, lines, texts, numbers)

    @staticmethod
    def _see_commas(name: str, column: _Column, lines: pa.Array, texts: pa.Array) -> None:
        decimal = pc.match_substring_regex(texts, _DECIMAL_COMMA)
        grouped = pc.match_substring_regex(texts, _GROUPED)
        certain = pc.and_not(decimal, pc.match_substring_regex(texts, _EITHER_WAY))
        column.commas += len(texts)
        column.comma_numbers += pc.sum(pc.or_(decimal, grouped)).as_py()
        column.decimal = column.decimal or _first(name, lines, texts, decimal)
        column.certain = column.certain or _first(name, lines, texts, certain)
        column.grouped = column.grouped or _first(name, lines, texts, grouped)

    def decimal_commas(self) -> frozenset[str]:
        """Return the columns whose commas are decimal marks: each cell with a comma is such a number.

        Raises AmbiguousError where commas or points may separate thousands.
        """
        numeric = {name: it for name, it in self._columns.items() if it.commas and it.comma_numbers == it.commas}
        grouped = _any(column.grouped for column in numeric.values())
        if grouped is not None:
            raise AmbiguousError(grouped, "separates thousands; write numbers without such marks")
        certain = _any(column.certain for column in numeric.values())
        example = certain or _any(column.decimal for column in numeric.values())
        if example is None:
            return frozenset()
        if certain is None:
            raise AmbiguousError(example, "may be a fraction or thousands; write it without a comma or with a point")
        pointed = _any(it.pointed for it in self._columns.values() if it.point_numbers == it.points)
        if pointed is not None:
            raise AmbiguousError(pointed, f"has a decimal point, but {certain} has a decimal comma; use one of them")
        return frozenset(numeric)


def _any(cells: Iterable[_Cell | None]) -> _Cell | None:
    return next((cell for cell in cells if cell is not None), None)


def _first(column: str, lines: pa.Array, texts: pa.Array, mask: pa.Array) -> _Cell | None:
    """Return the first cell where `mask` is true."""
    position = pc.index(mask, True).as_py()
    return _Cell(lines[position].as_py(), column, texts[position].as_py()) if position >= 0 else None
