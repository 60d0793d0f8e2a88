"""The quality report: what a file holds, what was found in it, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.domains import shown
from analysis.checking.limits import QualityLimits
from analysis.checking.problems import Findings
from analysis.checking.purpose import Purpose
from analysis.checking.typing_rows import TypedRows
from analysis.checking.unused_columns import unused_columns
from analysis.dataset.columns import NUMBERS, Kind
from analysis.dataset.declaration import Dataset


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The file that rows are from.

    file: what messages call it. sha256, size: of its bytes. header_line: number of its header.
    near: absent column → name in the file that may be a misspelling of it.
    dialect: tells, once all rows were read, how the file is written, with "notes" on what is unusual about it.
    """

    file: str
    sha256: str = ""
    size: int = 0
    header_line: int = 1
    near: Mapping[str, str] = field(default_factory=dict)
    dialect: Callable[[], Mapping[str, Any]] = dict


def quality_report(
    rows: pa.Table,
    typed: TypedRows,
    dataset: Dataset,
    findings: Findings,
    limits: QualityLimits,
    *,
    origin: Origin,
    form: str,
    purpose: Purpose,
    required: Collection[str],
    removes_columns: bool,
    history: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the report of a file's checked rows, as it is written to quality.json.

    history: what was trained on beside the file; None for nothing.
    """
    dialect = origin.dialect()
    # Of columns that are not declared the history knows nothing.
    unknown = _unknown_numbers(rows, typed) if history is None else pa.table({})
    span = None if dataset.time is None else pc.min_max(rows[dataset.time]).as_py()
    return {
        "file": origin.file,
        "sha256": origin.sha256,
        "bytes": origin.size,
        "dialect": {name: value for name, value in dialect.items() if name != "notes"},
        "notes": list(dialect.get("notes", ())),
        "dataset": dataset.name,
        "form": form,
        "purpose": purpose.value,
        "rows": {"read": typed.count, "used": len(rows)},
        "history": None if history is None else dict(history),
        "first": None if span is None else shown(span["min"]),
        "last": None if span is None else shown(span["max"]),
        "has_target": dataset.target in rows.column_names and rows[dataset.target].null_count < len(rows),
        "columns": [_column_report(rows[name], name, dataset) for name in rows.column_names[1:]],
        "missing_cells": dict(typed.missing),
        "checks": findings.checks,
        "removed_columns": unused_columns(
            rows, typed.header, unknown, dataset, limits, required=required, removes=removes_columns
        ),
        "repairs": findings.repairs,
        "findings": findings.strange,
        "limits": asdict(limits),
    }


def _unknown_numbers(rows: pa.Table, typed: TypedRows) -> pa.Table:
    """Return the columns that are not declared but hold nothing but numbers, for the rows that are left."""
    columns = {name: pa.chunked_array(chunks, pa.float64()) for name, chunks in typed.unknown.items()}
    # Lines grow from row to row of the file.
    place = np.searchsorted(typed.all_lines(), rows["line"].to_numpy())
    return pa.table([column.take(pa.array(place)) for column in columns.values()], names=[*columns])


def _mean(values: npt.NDArray[np.float64]) -> float:
    with np.errstate(over="ignore"):
        mean = float(np.mean(values))
    return mean if np.isfinite(mean) else float(np.sum(values / len(values)))


def _column_report(values: pa.ChunkedArray, name: str, dataset: Dataset) -> dict[str, Any]:
    column = dataset.columns[name]
    report: dict[str, Any] = {
        "column": name,
        "kind": column.kind.value,
        "distinct": pc.count_distinct(values).as_py(),
        "missing": values.null_count,
    }
    if column.kind in NUMBERS and report["distinct"]:
        known = pc.cast(values, pa.float64()).drop_null().to_numpy()
        written = float if column.kind is Kind.MEASURE else int
        report |= {"minimum": written(known.min()), "maximum": written(known.max()), "mean": _mean(known)}
    if column.kind is Kind.CATEGORY:
        counted = {entry["values"]: entry["counts"] for entry in pc.value_counts(values.combine_chunks()).to_pylist()}
        report["levels"] = {level: counted.get(level, 0) for level in column.levels}
    return report
