"""Serving functions of SageMaker's scikit-learn container, for batch transform and endpoints.

In: text/csv without a header, the model's input columns in order, and after them the history gap for a model with
features of the past, one line a row. Out: text/csv, one line
`prediction,lower,upper,extrapolated` a row, no header, no newline at the end (AssembleWith=Line puts one between
payloads). Numbers are written with the shortest digits that read back to the same float; the last one is 1 where an
input lies outside its training range, else 0, and is absent where model.json has no ranges. Imports numpy and pandas
only.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.model.artefact import Floats, LinearModel, Predictions, read_model

CSV = "text/csv"
_IN_NUMBERS = b'0123456789+-.eE," \t\r\n'
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_QUOTE = 40


def model_fn(model_dir: str) -> LinearModel:
    """Load model.json of the unpacked archive."""
    return read_model(Path(model_dir))


def input_fn(body: str | bytes | bytearray, content_type: str = CSV) -> Floats:
    """Parse rows of shape (n, columns); raise ValueError for another type, and naming the row of an empty cell."""
    if content_type.partition(";")[0].strip().lower() != CSV:
        raise ValueError(f"The content type {content_type!r} can't be read; send {CSV} without a header.")
    try:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"The request is not utf-8 (byte {error.start + 1}). Send CSV without a header.") from error
    if not text.strip():
        raise ValueError("The request has no rows.")
    # pandas ends a cell at a NUL byte and takes words for numbers, so characters that numbers don't have are looked at.
    wrong = _no_number(text) if text.encode().translate(None, _IN_NUMBERS) else None
    if wrong is None:
        try:
            # A blank line is a row without values, not nothing: answers belong to rows by their order.
            frame = pd.read_csv(
                io.StringIO(text.rstrip()),
                header=None,
                dtype=np.float64,
                float_precision="round_trip",
                skip_blank_lines=False,
            )
        except ValueError as error:
            wrong = _no_number(text) or str(error).strip()
    if wrong is not None:
        raise ValueError(f"The request is not a table of numbers: {wrong}. Send CSV without a header.")
    rows = frame.to_numpy(dtype=np.float64)
    broken = ~np.isfinite(rows)
    if broken.any():
        line, column = (int(position) + 1 for position in np.argwhere(broken)[0])
        raise ValueError(f"Row {line} of the request, value {column}: empty or not a finite number.")
    return rows


def _no_number(text: str) -> str | None:
    """Describe the first cell that is neither empty nor a number that a double holds."""
    for row, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        for position, cell in enumerate(line.removeprefix("\ufeff").split(","), start=1):
            plain = cell.strip().strip('"')
            if plain and not (_NUMBER.fullmatch(plain) and math.isfinite(float(plain))):
                return f"Row {row} of the request, value {position}, is {plain[:_LONGEST_QUOTE]!r}"
    return None


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
    columns = [predictions.prediction.tolist(), predictions.lower.tolist(), predictions.upper.tolist()]
    if predictions.extrapolated is not None:
        columns.append(predictions.extrapolated.astype(np.int64).tolist())
    return "\n".join(",".join(map(repr, row)) for row in zip(*columns, strict=True)), CSV
