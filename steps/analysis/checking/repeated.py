"""Rows that are there already, and rows whose key an earlier one has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from analysis.checking.domains import lines_of, shown
from analysis.checking.equal_rows import first_positions, group_numbers
from analysis.checking.limits import QualityLimits
from analysis.checking.problems import Findings, Lines, Mask
from analysis.dataset.declaration import Dataset, Repeated


def without_repeated_rows(
    rows: pa.Table, dataset: Dataset, meaning: Repeated, limits: QualityLimits, findings: Findings
) -> pa.Table:
    """Drop or refuse the rows that equal an earlier one in every declared column."""
    if meaning is Repeated.KEEP:
        return rows
    names = rows.column_names[1:]
    first = _first_lines(rows, names)
    repeated = first != lines_of(rows)
    lines = lines_of(rows)[repeated]
    if meaning is Repeated.DROP:
        findings.repaired("no row twice", lines, None, "duplicate rows dropped")
    elif not findings.passed("no row twice", lines, limits.duplicate_rows, "duplicate rows dropped"):
        column = next(iter([*dataset.key, *([dataset.time] if dataset.time else []), *names]))
        findings.refuse_rows(column, "row", lines_of(rows), repeated, lambda row: f"the row repeats line {first[row]}")
        return rows
    return rows.filter(pa.array(~repeated))


def without_repeated_keys(rows: pa.Table, dataset: Dataset, limits: QualityLimits, findings: Findings) -> pa.Table:
    """Drop or refuse the rows whose key an earlier one has."""
    if not dataset.key:
        return rows
    first = _first_lines(rows, dataset.key)
    repeated: Mask = first != lines_of(rows)
    lines = lines_of(rows)[repeated]
    named = " and ".join(dataset.key)
    check, repair = f"each {named} once", f"further rows of the same {named} dropped"
    if dataset.repeated_keys is Repeated.DROP:
        findings.repaired(check, lines, None, repair)
    elif not findings.passed(check, lines, limits.duplicate_keys, repair):

        def message(row: int) -> str:
            key = ", ".join(shown(rows[name][row].as_py()) for name in dataset.key)
            return f"{key} is already on line {first[row]}, and each {named} may appear only once"

        findings.refuse_rows(dataset.key[0], "key", lines_of(rows), repeated, message)
        return rows
    return rows.filter(pa.array(~repeated))


def _first_lines(rows: pa.Table, names: Sequence[str]) -> Lines:
    """Return for each row the line of the first one that is equal in these columns."""
    groups = group_numbers([rows[name] for name in names], len(rows))
    first: Lines = lines_of(rows)[first_positions(groups)]
    return np.asarray(first)
