"""Empty cells: what they mean follows from the column and from what the file is for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from analysis.checking.domains import lines_of
from analysis.checking.limits import QualityLimits
from analysis.checking.problems import Findings, Mask
from analysis.dataset.columns import Column, Kind, Missing
from analysis.dataset.declaration import Dataset


def may_be_empty(name: str, dataset: Dataset, required: Collection[str]) -> bool:
    """Whether a column's empty cells stay: answers nobody asks for, what is filled later, names nobody needs."""
    column = dataset.columns[name]
    if name in dataset.answers:
        return name not in required
    if column.kind in {Kind.IDENTIFIER, Kind.TEXT} and column.optional and name not in dataset.key:
        return True
    return column.missing in {Missing.FILL, Missing.PLACEHOLDER}


def refuse_wholly_empty(
    rows: pa.Table, dataset: Dataset, required: Collection[str], limits: QualityLimits, findings: Findings
) -> None:
    """Record the columns without any value, once each instead of once a row."""
    count = len(rows)
    if not count or (count == 1 and limits.missing_rows):
        return
    for name in rows.column_names[1:]:
        if rows[name].null_count == count and not may_be_empty(name, dataset, required):
            findings.refuse(f"the column has no value in any of the {count} rows", int(rows["line"][0].as_py()), name)


def drop_rows_with_gaps(
    rows: pa.Table, dataset: Dataset, required: Collection[str], limits: QualityLimits, findings: Findings
) -> pa.Table:
    """Drop or refuse the rows that lack a value."""
    kept = np.ones(len(rows), dtype=np.bool_)
    lines = lines_of(rows)
    refused: dict[str, Mask] = {}
    for name in rows.column_names[1:]:
        column: Column = dataset.columns[name]
        if may_be_empty(name, dataset, required):
            continue
        empty: Mask = rows[name].is_null().to_numpy()
        if column.missing is Missing.DROP:
            findings.repaired(f"{name}: no value missing", lines[empty], None, f"rows without {name} dropped")
            kept &= ~empty
        else:
            refused[name] = empty
    lacking = np.logical_or.reduce([np.zeros(len(rows), dtype=np.bool_), *refused.values()])
    repair = "rows with a missing value dropped"
    if not findings.passed("no value missing where one is needed", lines[lacking], limits.missing_rows, repair):
        for name, empty in refused.items():
            findings.refuse_rows(name, "empty", lines, empty, lambda _: "the cell is empty")
        return rows
    return rows.filter(pa.array(kept & ~lacking))
