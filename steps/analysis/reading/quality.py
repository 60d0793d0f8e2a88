"""From text cells to checked days: gaps, duplicates, domains, sums; repairs and refusals; the quality report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.reading.columns import (
    CATEGORIES,
    COUNTS,
    DATE,
    FLAGS,
    INPUTS,
    KNOWN_COLUMNS,
    RAREST_WEATHER,
    TARGET,
    TARGET_PARTS,
    WEATHER_STANDS_FOR,
)
from analysis.reading.days import Findings, broken_rules, lines_of, typed_days
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.redundancy import removed_columns
from analysis.reading.table import Table
from analysis.runtime.errors import LISTED_PROBLEMS, InputError, Problem

_MISSING_MARKS = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "-", "?"})


@dataclass(frozen=True)
class CheckedDays:
    """Days that passed every check.

    days: sorted by date; the date as datetime64, categories, flags and counts as whole numbers, measures in physical
        units (degrees Celsius, percent, km/h); the index is the line in the file. Counts only where the file has them.
    report: the machine-readable quality report, as it is written to quality.json.
    """

    days: pd.DataFrame
    report: dict[str, Any]


def check_days(
    table: Table,
    purpose: Purpose,
    required_counts: tuple[str, ...],
    limits: QualityLimits,
    *,
    removes_columns: bool = False,
) -> CheckedDays:
    """Type, repair and check `table`; raises InputError with every problem found.

    required_counts: which of cnt, casual, registered the file must have (none of them for honest scoring).
    removes_columns: whether inputs that carry nothing of their own are kept from the model; for a profile with fixed
        columns, and a file that is only scored, they are reported instead.
    """
    required = (DATE, *INPUTS, *required_counts)
    absent = [name for name in required if name not in table.cells.columns]
    if absent:
        raise InputError(table.file, [_missing(table, name) for name in absent])
    used = [name for name in KNOWN_COLUMNS if name in table.cells.columns and name in {DATE, *INPUTS, *COUNTS}]
    findings = Findings()
    cells = _drop_duplicate_rows(table.cells, limits, findings)
    cells = _drop_missing(cells[used], required, limits, findings)
    _stop_on_problems(table, findings)
    if cells.empty:
        raise InputError(table.file, [Problem("no row is left: each one lacks a value or repeats another")])
    days, form = typed_days(cells, findings)
    _stop_on_problems(table, findings)
    findings.passed("every cell can be read as its type")
    days = _drop_broken_rows(days, limits, findings)
    _check_sums(days, limits, findings)
    _stop_on_problems(table, findings)
    _fold_rarest_weather(days, findings)
    _check_size(table.file, len(days), purpose, limits, findings)
    days = days.sort_values(DATE, kind="stable")
    report = {
        "file": table.file,
        "sha256": table.sha256,
        "bytes": table.size,
        "dialect": {name: value for name, value in table.dialect.items() if name != "notes"},
        "notes": table.dialect["notes"],
        "form": form,
        "purpose": purpose.value,
        "rows": {"read": len(table.cells), "used": len(days)},
        "first_day": days[DATE].min().date().isoformat(),
        "last_day": days[DATE].max().date().isoformat(),
        "has_target": TARGET in days.columns,
        "columns": [_column_report(days, str(name)) for name in days.columns],
        "missing_cells": {str(name): int(count) for name, count in _is_missing(table.cells).sum().items()},
        "checks": findings.checks,
        "removed_columns": removed_columns(
            table.cells, days, required_counts, (limits.correlation, limits.constant_share), removes=removes_columns
        ),
        "repairs": findings.repairs,
        "limits": asdict(limits),
    }
    return CheckedDays(days=days, report=report)


def _missing(table: Table, name: str) -> Problem:
    near = table.near.get(name)
    found = f": found {near!r}, expected {name!r}" if near is not None else ""
    return Problem(f"the column is missing{found}", table.header_line, name)


def _stop_on_problems(table: Table, findings: Findings) -> None:
    if findings.problems:
        problems = sorted(findings.problems, key=lambda problem: problem.line or 0)
        raise InputError(table.file, problems, findings.unlisted)


def _check_size(file: str, rows: int, purpose: Purpose, limits: QualityLimits, findings: Findings) -> None:
    if not rows:
        raise InputError(file, [Problem("no row is left: every one was dropped")])
    if purpose is not Purpose.TRAINING:
        return
    needed = limits.minimum_training_rows
    if rows < needed:
        subject = "1 usable row is" if rows == 1 else f"{rows} usable rows are"
        raise InputError(file, [Problem(f"{subject} too few to train on; {needed} are needed")])
    findings.passed(f"at least {needed} rows to train on")


def _is_missing(cells: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: column.str.lower().isin(_MISSING_MARKS) for name, column in cells.items()})


def _drop_broken_rows(days: pd.DataFrame, limits: QualityLimits, findings: Findings) -> pd.DataFrame:
    """Drop or refuse rows that break the schema, and later rows of a day that is there already."""
    problems = broken_rules(days)
    lines = sorted({problem.line for problem in problems if problem.column != DATE and problem.line is not None})
    rule, repair = "levels, ranges and months as the schema has them", "rows outside their domain or range dropped"
    if not findings.passed(rule, lines, limits.invalid_rows, repair):
        findings.problems.extend(problems)
        return days
    days = days.drop(index=lines)
    repeated = lines_of(days[DATE].duplicated(keep="first"))
    if not findings.passed("no day twice", repeated, limits.duplicate_keys, "further rows of a day dropped"):
        findings.problems.extend(problem for problem in problems if problem.column == DATE)
        return days
    return days.drop(index=repeated)


def _drop_duplicate_rows(cells: pd.DataFrame, limits: QualityLimits, findings: Findings) -> pd.DataFrame:
    repeated = cells.duplicated(keep="first")
    lines = lines_of(repeated)
    if not findings.passed("no row twice", lines, limits.duplicate_rows, "duplicate rows dropped"):
        listed = cells[repeated].head(LISTED_PROBLEMS)
        findings.unlisted += len(lines) - len(listed)
        for line, original in _originals(cells, listed, ~repeated).items():
            findings.refuse(f"the row repeats line {original}", [line], DATE)
    return cells[~repeated]


def _originals(cells: pd.DataFrame, repeated: pd.DataFrame, first: pd.Series[bool]) -> dict[int, int]:
    """Map the lines of repeated rows to the line of the first such row; `first` is true for first rows of `cells`."""
    # Only rows with an equal hash are compared.
    hashes = pd.util.hash_pandas_object(cells, index=False)
    candidates = cells[first & hashes.isin(hashes[repeated.index])]
    lines = {row: int(line) for line, row in zip(candidates.index, _tuples(candidates), strict=True)}
    return {int(line): lines[row] for line, row in zip(repeated.index, _tuples(repeated), strict=True)}


def _tuples(cells: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return cells.itertuples(index=False, name=None)


def _drop_missing(
    cells: pd.DataFrame, required: tuple[str, ...], limits: QualityLimits, findings: Findings
) -> pd.DataFrame:
    """Replace empty cells by None; drop or refuse rows without a required value."""
    empty = _is_missing(cells)
    cells = cells.mask(empty, None)
    all_empty = [name for name in required if len(cells) and bool(empty[name].all())]
    if all_empty and (len(cells) > 1 or not limits.missing_rows):
        for name in all_empty:
            message = f"the column has no value in any of the {len(cells)} rows"
            findings.refuse(message, [int(cells.index[0])], name)
        return cells
    # Counts that the purpose does not need may be empty: they are dropped as a column, not row by row.
    optional = [name for name in cells.columns if name not in required and bool(empty[name].any())]
    cells = cells.drop(columns=optional)
    lacking = empty[list(required)].any(axis="columns")
    repair = "rows with a missing value dropped"
    if not findings.passed("no value missing", lines_of(lacking), limits.missing_rows, repair):
        for name in required:
            findings.refuse("the cell is empty", lines_of(empty[name]), name)
        return cells
    return cells[~lacking]


def _check_sums(days: pd.DataFrame, limits: QualityLimits, findings: Findings) -> None:
    if not set(COUNTS) <= set(days.columns):
        return
    parts = days[list(TARGET_PARTS)].sum(axis="columns")
    lines = lines_of(parts != days[TARGET])
    repair = "rows kept although cnt is not casual + registered"
    if not findings.passed("cnt = casual + registered", lines, limits.unequal_sums, repair):
        for line in lines:
            message = f"{days.loc[line, TARGET]!s} is not casual + registered ({parts[line]})"
            findings.refuse(message, [line], TARGET)


def _fold_rarest_weather(days: pd.DataFrame, findings: Findings) -> None:
    rare = days["weathersit"] == RAREST_WEATHER
    findings.repair(f"weathersit {RAREST_WEATHER} prepared as {WEATHER_STANDS_FOR}", lines_of(rare))
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
