"""From text cells to typed days in physical units, the rules that hold for each of them, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.reading.columns import CATEGORIES, COUNTS, DATE, FLAGS, MEASURES
from analysis.runtime.errors import Problem

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ISO_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY_FIRST_DATE = r"[0-9]{2}-[0-9]{2}-(?:[0-9]{2}|[0-9]{4})"
_LONG_DATE = len("dd-mm-yyyy")
_LISTED_LINES = 50
_LONGEST_QUOTE = 40

PHYSICAL = "physical"
"""Form with dd-mm-yy dates, degrees, percent and km/h."""
NORMALISED = "normalised"
"""UCI's form with ISO dates and measures divided by their maximum."""


@dataclass
class Findings:
    """problems: refuse the file. repairs: {"what", "rows", "lines"}. checks: {"check", "found", "allowed", "outcome"}.

    The outcome of a check is "passed" or "repaired"; "allowed" is None where a single find refuses the file. unlisted:
    problems that were only counted.
    """

    problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0
    repairs: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def repair(self, what: str, lines: Sequence[int]) -> None:
        """Count a repair, where there was anything to repair."""
        if lines:
            self.repairs.append({"what": what, "rows": len(lines), "lines": list(lines[:_LISTED_LINES])})

    def passed(self, check: str, lines: Sequence[int] = (), allowed: int | None = None, repair: str = "") -> bool:
        """Record a check and its repair; return False, and record nothing, where more lines than allowed need it."""
        if len(lines) > (allowed or 0):
            return False
        outcome = "repaired" if lines else "passed"
        self.checks.append({"check": check, "found": len(lines), "allowed": allowed, "outcome": outcome})
        self.repair(repair, lines)
        return True

    def refuse(self, message: str, lines: Iterable[int], column: str) -> None:
        """Record the same problem of each of the lines."""
        self.problems.extend(Problem(message, line, column) for line in lines)

    def refuse_cells(self, cells: pd.Series[Any], mask: pd.Series[bool], message: str) -> None:
        """Record a problem of each cell where `mask` is true, with the cell's text in front of `message`."""
        for line in lines_of(mask):
            self.refuse(f"{_quoted(cells[line])} {message}", [line], str(cells.name))


def lines_of(mask: pd.Series[bool]) -> list[int]:
    """Return the index labels (lines of the file) where `mask` is true."""
    return [int(line) for line in mask.index[mask.to_numpy(dtype=bool)]]


def _quoted(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 3] + "...")


def typed_days(cells: pd.DataFrame, findings: Findings) -> tuple[pd.DataFrame, str]:
    """Convert text cells to dates, whole numbers and measures in physical units; also return the file's form.

    What can't be converted is added to the problems; the days must then not be used.
    """
    dates, form = _dates(cells[DATE], findings)
    columns: dict[str, pd.Series[Any]] = {DATE: dates}
    for name in cells.columns.drop(DATE):
        numbers = _numbers(cells[name], findings)
        columns[name] = numbers if name in MEASURES else _whole(cells[name], numbers, findings)
    days = pd.DataFrame(columns, index=cells.index)
    if not findings.problems:
        _to_physical(days, form, findings)
    return days, form


def _dates(texts: pd.Series[str], findings: Findings) -> tuple[pd.Series[Any], str]:
    iso, day_first = texts.str.fullmatch(_ISO_DATE), texts.str.fullmatch(_DAY_FIRST_DATE)
    findings.refuse_cells(texts, ~(iso | day_first), "is not a date; write dd-mm-yy (01-01-18) or ISO (2011-01-01)")
    form = NORMALISED if int(iso.sum()) >= int(day_first.sum()) else PHYSICAL
    other = day_first if form == NORMALISED else iso
    findings.refuse_cells(texts, other, "is written in another form than the other dates of the file")
    parsed = pd.to_datetime(texts, format="%Y-%m-%d" if form == NORMALISED else "%d-%m-%y", errors="coerce")
    long_year = texts.str.len() == _LONG_DATE
    if form == PHYSICAL and bool(long_year.any()):
        parsed = parsed.where(~long_year, pd.to_datetime(texts, format="%d-%m-%Y", errors="coerce"))
    form_name = "yyyy-mm-dd" if form == NORMALISED else "dd-mm-yy"
    impossible = parsed.isna() & (iso | day_first) & ~other
    findings.refuse_cells(texts, impossible, f"is not a day of the calendar (the form is {form_name})")
    return parsed, form


def _numbers(texts: pd.Series[str], findings: Findings) -> pd.Series[Any]:
    valid = texts.str.fullmatch(_NUMBER).fillna(value=False).astype(bool)
    findings.refuse_cells(texts, ~valid, "is not a number")
    # Python's own float() rounds correctly, so a value that we wrote is read back bit for bit.
    return texts.where(valid, "nan").map(float).astype("float64")


def _whole(texts: pd.Series[str], numbers: pd.Series[Any], findings: Findings) -> pd.Series[Any]:
    fraction = numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**53))
    findings.refuse_cells(texts, fraction, "is not a whole number")
    return numbers.where(~fraction & numbers.notna(), 0.0).astype("int64")


def _to_physical(days: pd.DataFrame, form: str, findings: Findings) -> None:
    """Multiply UCI's scaled measures back; refuse a file whose dates and measures are of different forms."""
    highest = float(days[list(MEASURES)].to_numpy().max())
    if form == NORMALISED:
        for name, measure in MEASURES.items():
            for line in lines_of(~days[name].between(0.0, 1.0)):
                message = (
                    f"{days.loc[line, name]!s} is outside 0 to 1: files with ISO dates hold {name} divided by "
                    f"{measure.scale:g}; write dates as dd-mm-yy if it is in {measure.unit}"
                )
                findings.refuse(message, [line], name)
            days[name] = days[name] * measure.scale
    elif highest <= 1.0 and bool((days["hum"] > 0).any()):
        message = (
            "every value of temp, atemp, hum and windspeed is at most 1, as in the scaled form; that form has ISO dates"
        )
        findings.refuse(message, [int(days.index[0])], "hum")


def broken_rules(days: pd.DataFrame) -> list[Problem]:
    """List every rule that a row breaks; the index of `days` is taken as the line number."""
    problems = []
    for name, broken, rule in _rules(days):
        problems += [Problem(f"{days.loc[line, name]!s} {rule}", line, name) for line in lines_of(broken)]
    dates = days[DATE].dt.strftime("%Y-%m-%d")
    wrong_month = (days[DATE].dt.month != days["mnth"]) & days["mnth"].isin(list(CATEGORIES["mnth"].levels))
    for line in lines_of(wrong_month):
        message = f"{days.loc[line, 'mnth']!s} is not the month of the date ({dates[line]})"
        problems.append(Problem(message, line, "mnth"))
    # Backwards, so that the first line of a day wins.
    first_line = dict(zip(dates[::-1], dates.index[::-1], strict=True))
    for line in lines_of(dates.duplicated(keep="first")):
        message = f"{dates[line]} is already on line {first_line[dates[line]]}, and a day may appear only once"
        problems.append(Problem(message, line, DATE))
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or "", problem.message))


def _rules(days: pd.DataFrame) -> Iterator[tuple[str, pd.Series[bool], str]]:
    """Yield (column, where a value breaks the rule, the rule in the words that follow the value)."""
    for name, category in {**CATEGORIES, **FLAGS}.items():
        yield name, ~days[name].isin(list(category.levels)), f"is not one of {category.allowed}"
    for name, measure in MEASURES.items():
        yield name, ~days[name].between(0.0, measure.scale), f"is outside 0 to {measure.scale:g} {measure.unit}"
    for name in COUNTS:
        if name in days.columns:
            yield name, days[name] < 0, "is negative"
