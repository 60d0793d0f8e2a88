"""From a sender's file to checked rows."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from analysis.checking.checks import CheckedRows, check_rows
from analysis.checking.earlier_rows import History
from analysis.checking.forms import Ranges
from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.quality_report import Origin
from analysis.dataset.declaration import Dataset, Repeated
from analysis.reading.cell_file import CellFile
from analysis.reading.source import Expansion


def checked_file(
    path: Path,
    dataset: Dataset,
    purpose: Purpose,
    *,
    required: Collection[str] = (),
    limits: QualityLimits | None = None,
    repeated_rows: Repeated | None = None,
    ranges: Ranges | None = None,
    removes_columns: bool = False,
    name: str | None = None,
    expansion: Expansion | None = None,
    history: History | None = None,
) -> CheckedRows:
    """Read and check `path`; `name` is what messages call it (default: the file's own name).

    See :func:`~analysis.checking.checks.check_rows` for the rest. Raises InputError, naming line and column, for a file
    that can't be used.
    """
    known = {column: declared.headers for column, declared in dataset.columns.items()}
    file = CellFile(path, known, name=name, expansion=expansion)
    return check_rows(
        file.batches(),
        dataset,
        purpose,
        required=required,
        limits=limits or QualityLimits(),
        repeated_rows=repeated_rows or dataset.repeated_rows,
        origin=Origin(
            file=file.file,
            sha256=file.sha256,
            size=file.size,
            header_line=file.header.line,
            near=file.header.near,
            dialect=file.dialect,
        ),
        ranges=ranges,
        removes_columns=removes_columns,
        history=history,
    )
