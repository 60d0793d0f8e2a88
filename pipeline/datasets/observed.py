"""What the cells of a column are: missing, numbers, dates, or texts."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from analysis.dataset.columns import strptime_format
from analysis.dataset.declaration import MARKS
from pipeline.datasets.cells import Cells

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CODE = re.compile(r"0[0-9]+")
_DAY = r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}"
_CLOCK = r"[0-9]{1,2}(?::[0-9]{2}){0,2}(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_DATE = re.compile(rf"{_DAY}(?:[ T]{_CLOCK})?|[12][0-9]{{7}}")
_DAYS = ("yyyy-mm-dd", "dd-mm-yyyy", "mm-dd-yyyy", "dd-mm-yy", "mm-dd-yy", "yy-mm-dd")
_CLOCKS = (" HH:MM:SS", " HH:MM", "THH:MM:SS", "THH:MM")
_TIMES = ("", *_CLOCKS, " HH", *(f"{clock}zz" for clock in _CLOCKS))
_PATTERNS = ("yyyymmdd", *(day.replace("-", mark) + time for day, mark, time in product(_DAYS, "-/.", _TIMES)))
_WORDS = frozenset({"none", "na", "n/a", "-"})
"""Marks of missing cells that some tables mean as a level."""
_SENTINELS = frozenset({"-99", "-200", "-999", "-9999", "-99999", "999", "9999", "99999", "999999"})
_MOSTLY, _MANY = 0.9, 0.5
_EXACT = 2.0**53
_NO_AND_YES = (("false", "true"), ("no", "yes"), ("off", "on"), ("f", "t"), ("n", "y"))


@dataclass(frozen=True)
class Observed:
    """One column with its missing cells known."""

    cells: Cells
    marks: frozenset[str]

    @property
    def name(self) -> str:
        """Its name, as the file has it."""
        return self.cells.name

    @cached_property
    def counts(self) -> dict[str, int]:
        """Text → rows, without missing cells, in the order in which they come."""
        rows = np.bincount(self.cells.codes, minlength=len(self.cells.texts)).tolist()
        return {
            text: count for text, count in zip(self.cells.texts, rows, strict=True) if text.lower() not in self.marks
        }

    @cached_property
    def missing(self) -> int:
        """How many cells are missing."""
        return len(self.cells.codes) - sum(self.counts.values())

    @cached_property
    def numbers(self) -> NDArray[np.float64] | None:
        """Row → number, NaN where missing; None for a column that holds something else, or nothing."""
        values = {text: number_of(text) for text in self.counts}
        if not values or None in values.values() or any(_CODE.match(text) for text in values):
            return None
        by_code = [math.nan if (number := values.get(text)) is None else number for text in self.cells.texts]
        return np.array(by_code)[self.cells.codes]

    @cached_property
    def truths(self) -> NDArray[np.float64] | None:
        """Row → 1 for yes and 0 for no, NaN where missing; None for a column that holds something else."""
        said = {text.casefold() for text in self.counts}
        order = next((order for order in _NO_AND_YES if said == set(order)), None)
        if order is None or len(self.counts) > len(order):
            return None
        values = {text: float(order.index(text.casefold())) for text in self.counts}
        return np.array([values.get(text, math.nan) for text in self.cells.texts])[self.cells.codes]

    @property
    def has_decimal_comma(self) -> bool:
        """Whether its numbers are written with a comma."""
        return self.numbers is not None and any("," in text for text in self.counts)

    @cached_property
    def known(self) -> NDArray[np.float64]:
        """The numbers without missing ones; empty where it holds none."""
        return np.array([]) if self.numbers is None else self.numbers[~np.isnan(self.numbers)]

    @cached_property
    def whole(self) -> bool:
        """Whether all its numbers are whole, and written so."""
        return (
            self.numbers is not None
            and bool(np.all(np.abs(self.known) < _EXACT))
            and all(re.fullmatch(r"[+-]?[0-9]+(?:\.0*)?", text) for text in self.counts)
        )

    @property
    def counts_rows(self) -> bool:
        """Whether each number is one more than that of the row before."""
        return self.numbers is not None and bool(np.all(np.diff(self.numbers) == 1))

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Ways to read it as dates or moments, the likeliest first: that by which rows go backwards least often."""
        texts = list(self.counts)
        if not texts or not all(_DATE.fullmatch(text) for text in texts):
            return ()
        found = [(self._steps_back(moments), pattern) for pattern in _PATTERNS if (moments := _read(texts, pattern))]
        return tuple(pattern for _, pattern in sorted(found, key=lambda one: one[0]))

    @cached_property
    def moments(self) -> dict[str, datetime]:
        """Text → moment, by the likeliest pattern."""
        return _read(list(self.counts), self.patterns[0]) if self.patterns else {}

    def _steps_back(self, moments: dict[str, datetime]) -> int:
        ranks = {moment: float(rank) for rank, moment in enumerate(sorted(set(moments.values())))}
        order = np.array([ranks[moments[text]] if text in moments else math.nan for text in self.cells.texts])
        return int(np.sum(np.diff(order[self.cells.codes]) < 0))


def number_of(text: str) -> float | None:
    """Return the number that a cell holds, if it does; a comma is a decimal one."""
    if not (_NUMBER.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text)):
        return None
    number = float(text.replace(",", "."))
    return number if math.isfinite(number) else None


def read_moment(text: str, pattern: str) -> datetime | None:
    """Return the moment that a cell holds, of a zone in UTC, if it is written by a pattern of the declaration."""
    try:
        moment = datetime.strptime(text, strptime_format(pattern))  # noqa: DTZ007 (the file need not say which zone)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _read(texts: Sequence[str], pattern: str) -> dict[str, datetime]:
    """Return text → moment, or nothing where one of them is not written so."""
    moments: dict[str, datetime] = {}
    for text in texts:
        moment = read_moment(text, pattern)
        if moment is None:
            return {}
        moments[text] = moment
    return moments


def missing_marks(columns: Collection[Cells]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts that mean a missing cell in this file, and those among them that nobody would expect.

    A word such as `none` that most cells of a text column have is a level. A text that few cells of a column of numbers
    have is a mark.
    """
    usual = frozenset(MARKS)
    levels: set[str] = set()
    unusual: set[str] = set()
    for cells in columns:
        rows = np.bincount(cells.codes, minlength=len(cells.texts))
        written = Observed(cells, usual)
        odd = [text for text in written.counts if number_of(text) is None]
        share = sum(written.counts[text] for text in odd) / max(1, sum(written.counts.values()))
        if odd and len(odd) <= 2 and share <= 1 - _MOSTLY and len(written.counts) > 2 * len(odd):  # noqa: PLR2004
            unusual.update(text.lower() for text in odd)
        unusual.update(_sentinels(written))
        for text, count in zip(cells.texts, rows, strict=True):
            if text.lower() in _WORDS and len(odd) == len(written.counts) and count > _MANY * len(cells.codes):
                levels.add(text.lower())
    for cells in columns:
        # What is a number among others in one column can't mean a missing one in another: marks are the table's.
        unusual -= {text for text in cells.texts if text in _SENTINELS} - _sentinels(Observed(cells, usual))
    return (*(mark for mark in MARKS if mark not in levels), *sorted(unusual)), tuple(sorted(unusual))


def _sentinels(column: Observed) -> set[str]:
    """Return the numbers, such as -999, that stand for missing ones: several cells have them, far from all others."""
    found = {text for text, count in column.counts.items() if text in _SENTINELS and count > 1}
    if column.numbers is None or not found:
        return set()
    others = column.known[~np.isin(column.known, [float(text) for text in found])]
    if not len(others):
        return set()
    low, high = others.min(), others.max()
    return {text for text in found if max(low - float(text), float(text) - high) > high - low > 0}
