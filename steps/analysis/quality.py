"""From text cells to checked days: types, both published forms, domains, duplicates, and the quality report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import (
    CATEGORIES,
    COUNTS,
    DATE,
    FLAGS,
    INPUTS,
    KNOWN_COLUMNS,
    MEASURES,
    RAREST_WEATHER,
    TARGET,
    TARGET_PARTS,
    WEATHER_STANDS_FOR,
    Purpose,
)
from analysis.errors import InputError, Problem
from analysis.redundancy import removed_columns
from analysis.schema import broken_rules
from analysis.table import Table

_MISSING_MARKS = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "-", "?"})
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ISO_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY_FIRST_DATE = r"[0-9]{2}-[0-9]{2}-(?:[0-9]{2}|[0-9]{4})"

PHYSICAL = "physical"
"""Form with dd-mm-yy dates, degrees, percent and km/h."""
NORMALISED = "normalised"
"""UCI's form with ISO dates and measures divided by their maximum."""


@dataclass(frozen=True)
class QualityLimits:
    """How many rows may be repaired (and counted) before the file is refused. 0 refuses the first.

    duplicate_rows: rows equal to an earlier one in every cell; the repair keeps the first.
    missing_rows: rows without a value in an input column (or the target, in training); the repair drops them.
    unequal_sums: rows where cnt is not casual + registered; they are kept, the repair is only a count.
    minimum_training_rows: a training file with fewer rows is refused.
    """

    duplicate_rows: int = 0
    missing_rows: int = 0
    unequal_sums: int = 0
    minimum_training_rows: int = 60


@dataclass(frozen=True)
class CheckedDays:
    """Days that passed every check.

    days: sorted by date; the date as datetime64, categories, flags and counts as whole numbers, measures in physical
        units (degrees Celsius, percent, km/h); the index is the line in the file. Counts only where the file has them.
    report: the machine-readable quality report, as it is written to quality.json.
    """

    days: pd.DataFrame
    report: dict[str, Any]


@dataclass
class _Findings:
    """What the checks of one file gathered: problems refuse it, repairs are counted."""

    problems: list[Problem] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)

    def repair(self, what: str, lines: list[int]) -> None:
        if lines:
            self.repairs.append({"what": what, "rows": len(lines), "lines": lines[:50]})


def check_days(table: Table, purpose: Purpose, required_counts: tuple[str, ...], limits: QualityLimits) -> CheckedDays:
    """Type, repair and check `table`; raises InputError with every problem found.

    required_counts: which of cnt, casual, registered the file must have (none of them for honest scoring).
    """
    required = (DATE, *INPUTS, *required_counts)
    absent = [name for name in required if name not in table.cells.columns]
    if absent:
        raise InputError(table.file, [Problem("the column is missing", 1, name) for name in absent])
    used = [name for name in KNOWN_COLUMNS if name in table.cells.columns and name in {DATE, *INPUTS, *COUNTS}]
    findings = _Findings()
    cells = _drop_duplicate_rows(table.cells, limits, findings)
    cells = _drop_missing(cells[used], required, limits, findings)
    _stop_on_problems(table, findings)
    if cells.empty:
        raise InputError(table.file, [Problem("no row is left: each one lacks a value or repeats another")])
    days, form = _typed(cells, findings)
    _stop_on_problems(table, findings)
    findings.problems.extend(broken_rules(days))
    _check_sums(days, limits, findings)
    _stop_on_problems(table, findings)
    _fold_rarest_weather(days, findings)
    if purpose is Purpose.TRAINING and len(days) < limits.minimum_training_rows:
        message = f"{len(days)} usable rows are too few to train on; {limits.minimum_training_rows} are needed"
        raise InputError(table.file, [Problem(message)])
    days = days.sort_values(DATE, kind="stable")
    report = {
        "file": table.file,
        "sha256": table.sha256,
        "bytes": table.size,
        "form": form,
        "purpose": purpose.value,
        "rows": {"read": len(table.cells), "used": len(days)},
        "first_day": days[DATE].min().date().isoformat(),
        "last_day": days[DATE].max().date().isoformat(),
        "has_target": TARGET in days.columns,
        "columns": [_column_report(days, str(name)) for name in days.columns],
        "removed_columns": removed_columns(table.cells, days, required_counts),
        "repairs": findings.repairs,
        "limits": asdict(limits),
    }
    return CheckedDays(days=days, report=report)


def _stop_on_problems(table: Table, findings: _Findings) -> None:
    if findings.problems:
        raise InputError(table.file, sorted(findings.problems, key=lambda problem: problem.line or 0))


def _lines(mask: pd.Series[bool]) -> list[int]:
    return [int(line) for line in mask.index[mask.to_numpy(dtype=bool)]]


def _drop_duplicate_rows(cells: pd.DataFrame, limits: QualityLimits, findings: _Findings) -> pd.DataFrame:
    repeated = cells.duplicated(keep="first")
    lines = _lines(repeated)
    if len(lines) > limits.duplicate_rows:
        first_seen: dict[tuple[Any, ...], int] = {}
        for line, row in zip(cells.index, cells.itertuples(index=False, name=None), strict=True):
            first_seen.setdefault(row, int(line))
        for line in lines:
            original = first_seen[tuple(cells.loc[line])]
            findings.problems.append(Problem(f"the row repeats line {original}", line, DATE))
        return cells
    findings.repair("duplicate rows dropped", lines)
    return cells[~repeated]


def _drop_missing(
    cells: pd.DataFrame, required: tuple[str, ...], limits: QualityLimits, findings: _Findings
) -> pd.DataFrame:
    """Cells that are empty become None; rows without a required value are dropped or refused."""
    cells = cells.mask(cells.apply(lambda column: column.str.lower().isin(_MISSING_MARKS)), None)
    empty = cells.isna()
    all_empty = [name for name in required if len(cells) and bool(empty[name].all())]
    if all_empty and (len(cells) > 1 or not limits.missing_rows):
        message = f"the column has no value in any of the {len(cells)} rows"
        findings.problems.extend(Problem(message, int(cells.index[0]), name) for name in all_empty)
        return cells
    # Counts that the purpose does not need may be empty: they are dropped as a column, not row by row.
    optional = [name for name in cells.columns if name not in required and bool(empty[name].any())]
    cells = cells.drop(columns=optional)
    lacking = empty[list(required)].any(axis="columns")
    lines = _lines(lacking)
    if len(lines) > limits.missing_rows:
        for name in required:
            findings.problems.extend(Problem("the cell is empty", line, name) for line in _lines(empty[name]))
        return cells
    findings.repair("rows with a missing value dropped", lines)
    return cells[~lacking]


def _typed(cells: pd.DataFrame, findings: _Findings) -> tuple[pd.DataFrame, str]:
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


def _dates(texts: pd.Series[str], findings: _Findings) -> tuple[pd.Series[Any], str]:
    iso = texts.str.fullmatch(_ISO_DATE)
    day_first = texts.str.fullmatch(_DAY_FIRST_DATE)
    for line in _lines(~(iso | day_first)):
        message = f"{_quoted(texts[line])} is no date; write dd-mm-yy (01-01-18) or ISO (2011-01-01)"
        findings.problems.append(Problem(message, line, DATE))
    form = NORMALISED if int(iso.sum()) >= int(day_first.sum()) else PHYSICAL
    other = day_first if form == NORMALISED else iso
    for line in _lines(other):
        message = f"{_quoted(texts[line])} is written in another form than the other dates of the file"
        findings.problems.append(Problem(message, line, DATE))
    years = 4 if form == NORMALISED else 2
    long_year = texts.str.len() == 10  # noqa: PLR2004 (dd-mm-yyyy)
    parsed = pd.to_datetime(texts, format="%Y-%m-%d" if years == 4 else "%d-%m-%y", errors="coerce")  # noqa: PLR2004
    if form == PHYSICAL and bool(long_year.any()):
        parsed = parsed.where(~long_year, pd.to_datetime(texts, format="%d-%m-%Y", errors="coerce"))
    for line in _lines(parsed.isna() & (iso | day_first) & ~other):
        message = f"{_quoted(texts[line])} is no day of the calendar (the form is {_form_name(form)})"
        findings.problems.append(Problem(message, line, DATE))
    return parsed, form


def _form_name(form: str) -> str:
    return "yyyy-mm-dd" if form == NORMALISED else "dd-mm-yy"


def _quoted(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= 40 else shown[:37] + "...")  # noqa: PLR2004


def _numbers(texts: pd.Series[str], findings: _Findings) -> pd.Series[Any]:
    valid = texts.str.fullmatch(_NUMBER).fillna(value=False).astype(bool)
    name = str(texts.name)
    for line in _lines(~valid):
        findings.problems.append(Problem(f"{_quoted(texts[line])} is not a number", line, name))
    # Python's own float() rounds correctly, so a value that we wrote is read back bit for bit.
    return texts.where(valid, "nan").map(float).astype("float64")


def _whole(texts: pd.Series[str], numbers: pd.Series[Any], findings: _Findings) -> pd.Series[Any]:
    name = str(texts.name)
    fraction = numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**53))
    for line in _lines(fraction):
        findings.problems.append(Problem(f"{_quoted(texts[line])} is not a whole number", line, name))
    return numbers.where(~fraction & numbers.notna(), 0.0).astype("int64")


def _to_physical(days: pd.DataFrame, form: str, findings: _Findings) -> None:
    """Multiply UCI's scaled measures back; refuse a file whose dates and measures are of different forms."""
    highest = float(days[list(MEASURES)].to_numpy().max())
    if form == NORMALISED:
        for name, measure in MEASURES.items():
            for line in _lines(~days[name].between(0.0, 1.0)):
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


def _check_sums(days: pd.DataFrame, limits: QualityLimits, findings: _Findings) -> None:
    if not set(COUNTS) <= set(days.columns):
        return
    parts = days[list(TARGET_PARTS)].sum(axis="columns")
    lines = _lines(parts != days[TARGET])
    if len(lines) > limits.unequal_sums:
        for line in lines:
            message = f"{days.loc[line, TARGET]!s} is not casual + registered ({parts[line]})"
            findings.problems.append(Problem(message, line, TARGET))
    else:
        findings.repair("rows kept although cnt is not casual + registered", lines)


def _fold_rarest_weather(days: pd.DataFrame, findings: _Findings) -> None:
    rare = days["weathersit"] == RAREST_WEATHER
    findings.repair(f"weathersit {RAREST_WEATHER} prepared as {WEATHER_STANDS_FOR}", _lines(rare))
    days.loc[rare, "weathersit"] = WEATHER_STANDS_FOR


def _column_report(days: pd.DataFrame, name: str) -> dict[str, Any]:
    values = days[name]
    if name == DATE:
        return {"column": name, "kind": "date", "distinct": int(values.nunique())}
    report: dict[str, Any] = {
        "column": name,
        "kind": "category" if name in CATEGORIES else "flag" if name in FLAGS else "number",
        "distinct": int(values.nunique()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "mean": float(np.mean(values.to_numpy(dtype="float64"))),
    }
    if name in CATEGORIES:
        report["levels"] = {str(level): int((values == level).sum()) for level in CATEGORIES[name].levels}
    return report
