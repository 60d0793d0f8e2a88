"""Tables of text for tests, as record batches: a line number and one text column for each of the header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.checking.checks import CheckedRows, check_rows
from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.quality_report import Origin
from analysis.dataset.columns import plain_name
from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import dataset_from, read_dataset

ROOT = Path(__file__).resolve().parents[4]
BIKE = read_dataset(ROOT / "datasets" / "bike_sharing.toml")
WINE = read_dataset(ROOT / "datasets" / "red_wine.toml")

Cells = list[dict[str, str]]


def batches_of(rows: Cells, header: Sequence[str] | None = None, size: int = 50) -> Iterator[pa.RecordBatch]:
    """Rows from line 2 on, in batches."""
    header = list(rows[0]) if header is None else header
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        lines = pa.array(range(start + 2, start + 2 + len(part)), pa.int64())
        columns = [pa.array([row[name] for row in part], pa.string()) for name in header]
        yield pa.record_batch([lines, *columns], names=["line", *header])


def cells_of(path: Path, dataset: Dataset) -> Cells:
    """Read a file whose dialect is evident; names as declared, decimal points, no blank lines at the end."""
    text = path.read_text(encoding="utf-8-sig")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    header, *rows = csv.reader(text.splitlines(), delimiter=delimiter)
    declared = {plain_name(name): name for name in dataset.columns}
    names = [declared.get(plain_name(name), name) for name in header]
    decimals = [[cell.replace(",", ".") if delimiter == ";" else cell for cell in row] for row in rows if any(row)]
    return [dict(zip(names, row, strict=True)) for row in decimals]


def checked(
    rows: Cells,
    dataset: Dataset = BIKE,
    purpose: Purpose = Purpose.TRAINING,
    limits: QualityLimits | None = None,
    *,
    size: int = 50,
    header: Sequence[str] | None = None,
    **options: Any,
) -> CheckedRows:
    """Check rows as the forecast profile of the data set does."""
    required = [dataset.target] if purpose is Purpose.TRAINING else []
    given = {"required": required, "repeated_rows": dataset.repeated_rows, "origin": Origin(file="raw/days.csv")}
    return check_rows(
        batches_of(rows, header, size),
        dataset,
        purpose,
        limits=limits or QualityLimits(minimum_training_rows=1),
        **{**given, **options},
    )


def towns(**changes: Any) -> Dataset:
    """A data set with two key columns, a moment, empty cells of every meaning, words for levels and a real target.

    A change to None leaves the field out.
    """
    document = {
        "name": "towns",
        "title": "Towns",
        "description": "Towns.",
        "source": "Made up.",
        "words": {
            "row": {"one": "reading", "many": "readings"},
            "target": "load",
            "unit": {"one": "kilowatt", "many": "kilowatts"},
            "use": "Guess loads.",
        },
        "target": "load",
        "parts": ["day load", "night load"],
        "key": ["town", "at"],
        "time": "at",
        "columns": {
            "town": {"kind": "identifier"},
            "at": {"kind": "datetime", "formats": {"standard": ["yyyy-mm-dd HH:MM", "yyyy-mm-ddTHH:MM:SS"]}},
            "hour": {"kind": "count", "maximum": 23},
            "land": {"kind": "category", "levels": {"n": "north", "s": "south", "none": "sea"}, "missing": "fill"},
            "grade": {"kind": "category", "levels": {"1": "low", "2": "high"}},
            "heat": {"kind": "measure", "unit": "K", "minimum": 0, "maximum": 400, "missing": "fill"},
            "wind": {"kind": "measure", "missing": "placeholder", "placeholder": "0"},
            "rain": {"kind": "measure", "missing": "drop"},
            "coast": {"kind": "flag"},
            "note": {"kind": "text", "optional": True},
            "day load": {"kind": "measure"},
            "night load": {"kind": "measure"},
            "load": {"kind": "measure"},
        },
        "rules": [
            {"column": "hour", "equals": "at.hour", "message": "is not the hour"},
            {"column": "rain", "at_most": "heat", "message": "is more than the heat", "severity": "finding"},
        ],
        "profiles": {"forecast": {"description": "All."}},
        "gate": {"minimum_r_squared": 0.5},
    }
    changed = {**document, **changes}
    return dataset_from({name: value for name, value in changed.items() if value is not None})


def readings(count: int = 6) -> Cells:
    """Rows of the towns."""
    return [
        {
            "town": "A" if number % 2 else "B",
            "at": f"2024-05-{number // 24 + 1:02d} {number % 24:02d}:30",
            "hour": str(number % 24),
            "land": ("n", "s", "none")[number % 3],
            "grade": str(number % 2 + 1),
            "heat": str(280 + number / 8),
            "wind": str(number % 5),
            "rain": str(number % 7),
            "coast": str(number % 4 // 2),
            "note": f"no. {number}",
            "day load": str(number + 0.1),
            "night load": str(number + 0.2),
            "load": str((number + 0.1) + (number + 0.2)),
        }
        for number in range(count)
    ]
