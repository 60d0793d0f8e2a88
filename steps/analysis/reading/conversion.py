"""From text cells to typed days: dates of both published forms, numbers, physical units."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.reading.columns import DATE, MEASURES
from analysis.reading.findings import Findings, lines_of
from analysis.runtime.errors import Problem

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ISO_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY_FIRST_DATE = r"[0-9]{2}-[0-9]{2}-(?:[0-9]{2}|[0-9]{4})"

PHYSICAL = "physical"
"""Form with dd-mm-yy dates, degrees, percent and km/h."""
NORMALISED = "normalised"
"""UCI's form with ISO dates and measures divided by their maximum."""


def typed_days(cells: pd.DataFrame, findings: Findings) -> tuple[pd.DataFrame, str]:
    """Text cells as dates, whole numbers and measures in physical units, and the form the file was written in.

    What can't be converted is added to the problems; the days are then not to be used.
    """
    dates, form = _dates(cells[DATE], findings)
    columns: dict[str, pd.Series[Any]] = {DATE: dates}
    for name in cells.columns:
        if name == DATE:
            continue
        numbers = _numbers(cells[name], findings)
        columns[name] = numbers if name in MEASURES else _whole(cells[name], numbers, findings)
    days = pd.DataFrame(columns, index=cells.index)
    if not findings.problems:
        _to_physical(days, form, findings)
    return days, form


def _dates(texts: pd.Series[str], findings: Findings) -> tuple[pd.Series[Any], str]:
    iso = texts.str.fullmatch(_ISO_DATE)
    day_first = texts.str.fullmatch(_DAY_FIRST_DATE)
    for line in lines_of(~(iso | day_first)):
        message = f"{_quoted(texts[line])} is no date; write dd-mm-yy (01-01-18) or ISO (2011-01-01)"
        findings.problems.append(Problem(message, line, DATE))
    form = NORMALISED if int(iso.sum()) >= int(day_first.sum()) else PHYSICAL
    other = day_first if form == NORMALISED else iso
    for line in lines_of(other):
        message = f"{_quoted(texts[line])} is written in another form than the other dates of the file"
        findings.problems.append(Problem(message, line, DATE))
    years = 4 if form == NORMALISED else 2
    long_year = texts.str.len() == 10  # noqa: PLR2004 (dd-mm-yyyy)
    parsed = pd.to_datetime(texts, format="%Y-%m-%d" if years == 4 else "%d-%m-%y", errors="coerce")  # noqa: PLR2004
    if form == PHYSICAL and bool(long_year.any()):
        parsed = parsed.where(~long_year, pd.to_datetime(texts, format="%d-%m-%Y", errors="coerce"))
    for line in lines_of(parsed.isna() & (iso | day_first) & ~other):
        message = f"{_quoted(texts[line])} is no day of the calendar (the form is {_form_name(form)})"
        findings.problems.append(Problem(message, line, DATE))
    return parsed, form


def _form_name(form: str) -> str:
    return "yyyy-mm-dd" if form == NORMALISED else "dd-mm-yy"


def _quoted(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= 40 else shown[:37] + "...")  # noqa: PLR2004


def _numbers(texts: pd.Series[str], findings: Findings) -> pd.Series[Any]:
    valid = texts.str.fullmatch(_NUMBER).fillna(value=False).astype(bool)
    name = str(texts.name)
    for line in lines_of(~valid):
        findings.problems.append(Problem(f"{_quoted(texts[line])} is not a number", line, name))
    # Python's own float() rounds correctly, so a value that we wrote is read back bit for bit.
    return texts.where(valid, "nan").map(float).astype("float64")


def _whole(texts: pd.Series[str], numbers: pd.Series[Any], findings: Findings) -> pd.Series[Any]:
    name = str(texts.name)
    fraction = numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**53))
    for line in lines_of(fraction):
        findings.problems.append(Problem(f"{_quoted(texts[line])} is not a whole number", line, name))
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
                findings.problems.append(Problem(message, line, name))
            days[name] = days[name] * measure.scale
    elif highest <= 1.0 and bool((days["hum"] > 0).any()):
        message = (
            "every value of temp, atemp, hum and windspeed is at most 1, as in the scaled form; that form has ISO dates"
        )
        findings.problems.append(Problem(message, int(days.index[0]), "hum"))
