"""Rules between the columns of a row, or between the rows of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from analysis.dataset.columns import CONFIGURATION, refuse

DATE_PARTS = ("year", "month", "day", "weekday", "hour")
_DAY_OF_YEAR = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


class Severity(StrEnum):
    """What happens where a rule is broken."""

    REFUSE = "refuse"
    """The file is refused."""
    FINDING = "finding"
    """The file is taken, and the rows are named in its quality report."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a column may be where others have certain values."""

    __pydantic_config__ = CONFIGURATION

    when: dict[str, tuple[str, ...]]
    """Column → values; rows that have one of them, for each of the columns, are meant."""
    then: tuple[str, ...]
    """What the rule's column may be for these rows."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, in exactly one of its forms: `cases`, `equals`, `one_to_one`, `sum_of`, `at_most` or `follows`."""

    __pydantic_config__ = CONFIGURATION

    column: str
    """The column that messages name."""
    message: str
    """What to say after the value, where it is broken: `contradicts weekday and holiday`."""
    severity: Severity = Severity.REFUSE
    """What happens then."""
    cases: tuple[Case, ...] = ()
    """The column follows from others. Rows of no case are not looked at."""
    equals: str = ""
    """It is that part of a date: `date.month`, of year, month, day, weekday (1 is Monday) and hour."""
    one_to_one: str = ""
    """For each value of that column, or part of a date, it has one value, and for each of its values that has one."""
    sum_of: tuple[str, ...] = ()
    """It is the sum of these columns; rows that lack one are not looked at."""
    at_most: str = ""
    """It is no larger than that column."""
    follows: str = ""
    """From one day of that date column to the next it takes its next level; after the last one comes the first."""
    except_after: tuple[str, ...] = ()
    """With `follows`: days (mm-dd) after which that need not hold."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the fields, unless the rule has exactly one form, with what belongs to it."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        given = [name for name in _FORMS if getattr(self, name)]
        if len(given) != 1:
            yield f"column: a rule has one of {', '.join(_FORMS)}; this one has {' and '.join(given) or 'none'}"
        if self.equals and self.equals.rpartition(".")[2] not in DATE_PARTS:
            yield f"equals: use a column and one of {', '.join(DATE_PARTS)}, as in date.month"
        if self.except_after and not self.follows:
            yield "except_after: it goes with follows"
        for day in self.except_after:
            if not _DAY_OF_YEAR.fullmatch(day):
                yield f"except_after: {day!r} is no day of the form mm-dd"

    def columns(self) -> list[str]:
        """Return every column that it reads."""
        cases = [name for case in self.cases for name in case.when]
        others = [part_of(self.equals)[0], part_of(self.one_to_one)[0], self.at_most, self.follows]
        return [self.column, *cases, *self.sum_of, *(name for name in others if name)]

    def dated_columns(self) -> list[str]:
        """Return the columns of which it needs the calendar."""
        parts = [part_of(text) for text in (self.equals, self.one_to_one)]
        return [name for name, part in parts if part] + ([self.follows] if self.follows else [])


_FORMS = ("cases", "equals", "one_to_one", "sum_of", "at_most", "follows")


def part_of(text: str) -> tuple[str, str]:
    """Split `date.month` into column and part; the part of a plain column is empty."""
    column, dot, part = text.rpartition(".")
    return (column, part) if dot and part in DATE_PARTS else (text, "")
