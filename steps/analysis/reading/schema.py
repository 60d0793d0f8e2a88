"""The declarative schema of a typed day table, checked by pandera."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from analysis.reading.columns import CATEGORIES, COUNTS, DATE, FLAGS, MEASURES
from analysis.runtime.errors import Problem

_MONTH_MATCHES = "is not the month of the date"


@cache
def day_schema() -> pa.DataFrameSchema:
    """Domains of categories and flags, physical ranges of measures, counts not negative, one row a day.

    The error text of each check is what a user reads after the offending value.
    """
    columns: dict[str, pa.Column] = {
        DATE: pa.Column("datetime64[ns]", unique=True, report_duplicates="exclude_first"),
    }
    for name, category in {**CATEGORIES, **FLAGS}.items():
        levels = list(category.levels)
        columns[name] = pa.Column("int64", pa.Check.isin(levels, error=f"is none of {category.allowed}"))
    for name, measure in MEASURES.items():
        error = f"is outside 0 to {measure.scale:g} {measure.unit}"
        columns[name] = pa.Column("float64", pa.Check.in_range(0.0, measure.scale, error=error))
    for name in COUNTS:
        columns[name] = pa.Column("int64", pa.Check.ge(0, error="is negative"), required=False)
    return pa.DataFrameSchema(
        columns,
        checks=pa.Check(_month_matches, error=_MONTH_MATCHES, ignore_na=False),
        strict=True,
    )


def _month_matches(days: pd.DataFrame) -> pd.Series[bool]:
    known = days["mnth"].isin(list(CATEGORIES["mnth"].levels))
    matches: pd.Series[bool] = (days[DATE].dt.month == days["mnth"]) | ~known
    return matches


def broken_rules(days: pd.DataFrame) -> list[Problem]:
    """Every rule of the schema that a row breaks; the index of `days` is taken as the line number."""
    try:
        day_schema().validate(days, lazy=True)
    except SchemaErrors as error:
        return _problems(days, error.failure_cases)
    return []


def _problems(days: pd.DataFrame, failures: pd.DataFrame) -> list[Problem]:
    texts = days.assign(**{DATE: days[DATE].dt.strftime("%Y-%m-%d")}).astype(str)
    first_line: dict[str, int] = {}
    for line, day in zip(texts.index, texts[DATE], strict=True):
        first_line.setdefault(day, int(line))
    problems: set[tuple[int, str, str]] = set()
    for failure in failures.to_dict("records"):
        line, rule = int(failure["index"]), str(failure["check"])
        day = str(texts.loc[line, DATE])
        if rule == _MONTH_MATCHES:
            problems.add((line, "mnth", f"{texts.loc[line, 'mnth']!s} {rule} ({day})"))
        elif failure["column"] == DATE:
            message = f"{day} already stands on line {first_line[day]}, and a day may stand only once"
            problems.add((line, DATE, message))
        else:
            column = str(failure["column"])
            problems.add((line, column, f"{texts.loc[line, column]!s} {rule}"))
    return [Problem(message, line, column) for line, column, message in sorted(problems)]
