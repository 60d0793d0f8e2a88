"""Serving functions of SageMaker's scikit-learn container, for batch transform and endpoints.

In: text/csv without a header, the model's input columns in order, and after them the history gap for a model with
features of the past, one line a row. Out: text/csv, one line
`prediction,lower,upper,extrapolated` a row, no header, no newline at the end (AssembleWith=Line puts one between
payloads). Numbers are written with the shortest digits that read back to the same float; the last one is 1 where an
input lies outside its training range, else 0, and is absent where model.json has no ranges. Imports numpy, and of
pyarrow what reads and writes CSV.
"""

from __future__ import annotations

import math
import re
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from analysis.model.artefact import Floats, LinearModel, Predictions, read_model

CSV = "text/csv"
_IN_NUMBERS = b'0123456789+-.eE," \t\r\n'
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r'"([^"]*)"')
_LONGEST_QUOTE = 40
_SMALLEST_ALIKE, _LARGEST_ALIKE = 1e-4, 1e10
"""Magnitudes between which Arrow writes a number with a fraction as Python does."""


def model_fn(model_dir: str) -> LinearModel:
    """Load model.json of the unpacked archive."""
    return read_model(Path(model_dir))


def input_fn(body: str | bytes | bytearray, content_type: str = CSV) -> Floats:
    """Parse rows of shape (n, columns); raise ValueError for another type, and naming a cell that is no number."""
    if content_type.partition(";")[0].strip().lower() != CSV:
        raise ValueError(f"The content type {content_type!r} can't be read; send {CSV} without a header.")
    text = (body.encode("utf-8") if isinstance(body, str) else bytes(body)).removeprefix(BOM_UTF8).rstrip()
    if not text:
        raise ValueError("The request has no rows.")
    # Arrow takes words for numbers, so characters that numbers don't have are looked at first.
    rows = None if text.translate(None, _IN_NUMBERS) else _read(text)
    return _read_cells(text) if rows is None else rows


def _read(text: bytes) -> Floats | None:
    """Read the table; None where not every cell is a number that a double holds, or rows differ in length."""
    count = 1 + re.split(b"[\r\n]", text, maxsplit=1)[0].count(b",")
    names = list(map(str, range(count)))
    try:
        table = csv.read_csv(
            pa.py_buffer(text),
            # A worker has one processor.
            csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
            # A blank line is a row without values, not nothing: answers belong to rows by their order.
            csv.ParseOptions(ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[""]),
        )
    except pa.ArrowInvalid:
        return None
    rows = np.empty((table.num_rows, len(names)), order="F")
    for position, column in enumerate(table.columns):
        (values,) = column.chunks
        if values.null_count:
            return None
        # Not by to_numpy, which imports pandas.
        rows[:, position] = np.frombuffer(values.buffers()[1], count=len(values))
    return rows if np.isfinite(rows).all() else None


def _read_cells(text: bytes) -> Floats:
    """Read the table as _read does, but cell by cell; raise ValueError naming the first that is no number."""
    try:
        lines = _LINE_END.split(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"The request is not utf-8 (byte {error.start + 1}). Send CSV without a header.") from error
    rows = [
        [_number(cell.strip(" \t"), row, position) for position, cell in enumerate(line.split(","), start=1)]
        for row, line in enumerate(lines, start=1)
    ]
    for row, values in enumerate(rows, start=1):
        if len(values) != len(rows[0]):
            raise _no_table(f"Row {row} of the request has {len(values)} values, the first one {len(rows[0])}")
    return np.array(rows)


def _number(cell: str, row: int, position: int) -> float:
    plain = quoted[1] if (quoted := _QUOTED.fullmatch(cell)) else cell
    if not plain:
        raise ValueError(f"Row {row} of the request, value {position}: empty or not a finite number.")
    if _NUMBER.fullmatch(plain) and math.isfinite(number := float(plain)):
        return number
    raise _no_table(f"Row {row} of the request, value {position}, is {plain[:_LONGEST_QUOTE]!r}")


def _no_table(why: str) -> ValueError:
    return ValueError(f"The request is not a table of numbers: {why}. Send CSV without a header.")


def predict_fn(rows: Floats, model: LinearModel) -> Predictions:
    """Predict each row with its interval, in the order of the rows; raise ValueError beyond what a double holds."""
    with np.errstate(over="ignore", invalid="ignore"):
        predictions = model.predict(*model.parted(rows))
    broken = ~np.isfinite([predictions.prediction, predictions.lower, predictions.upper]).all(axis=0)
    if broken.any():
        raise ValueError(
            f"Row {int(broken.argmax()) + 1} of the request: its prediction is beyond what a double holds."
        )
    return predictions


def output_fn(predictions: Predictions, accept: str = CSV) -> tuple[str, str]:
    """Return the body and its content type."""
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if not wanted & {CSV, "text/*", "*/*", ""}:
        raise ValueError(f"Accept {accept!r} can't be answered; ask for {CSV}.")
    numbers = [predictions.prediction, predictions.lower, predictions.upper]
    columns: list[NDArray[Any]] = list(numbers)
    if predictions.extrapolated is not None:
        columns.append(predictions.extrapolated.astype(np.int64))
    # Made of buffers, since pa.array imports pandas.
    arrays = [
        pa.Array.from_buffers(
            pa.from_numpy_dtype(column.dtype), len(column), [None, pa.py_buffer(np.ascontiguousarray(column))]
        )
        for column in columns
    ]
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    csv.write_csv(pa.Table.from_arrays(arrays, list(map(str, range(len(arrays))))), sink, options)
    lines = sink.getvalue().to_pybytes().decode("ascii").splitlines()
    # Whole numbers have no fraction there, and exponents begin elsewhere.
    sizes = np.abs(numbers)
    unlike = (sizes < _SMALLEST_ALIKE) | (sizes >= _LARGEST_ALIKE) | (sizes == np.trunc(sizes))
    for row in np.flatnonzero(unlike.any(axis=0)).tolist():
        lines[row] = ",".join(repr(column[row].item()) for column in columns)
    return "\n".join(lines), CSV
