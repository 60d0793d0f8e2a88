"""Bodies of requests as XGBoost's matrices."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import xgboost
from scipy import sparse

_SNIFFED = 512


def csv_to_dmatrix(input: str | bytes, dtype: Any = None) -> xgboost.DMatrix:  # noqa: A002 - the container's name
    """Return rows of CSV without a label; an empty value is a missing one."""
    text = _text(input)
    lines = text.split("\n")
    found = csv.Sniffer().sniff(lines[0][:_SNIFFED]).delimiter
    delimiter = "," if found.isalnum() else found
    rows = [[value or "nan" for value in line.split(delimiter)] for line in lines]
    return xgboost.DMatrix(np.array(rows).astype(dtype or float))


def libsvm_to_dmatrix(string_like: str | bytes) -> xgboost.DMatrix:
    """Return rows of libsvm; labels are skipped."""
    text = _text(string_like)
    lines = text.split("\n")
    rows, columns, values = list[int](), list[int](), list[float]()
    for row, line in enumerate(lines):
        # A label has no column and is skipped; one with a weight would look like a column, in the container, too.
        for column, sign, value in (part.partition(":") for part in line.split()):
            if sign:
                rows.append(row)
                columns.append(int(column))
                values.append(float(value))
    shape = (len(lines), max(columns, default=-1) + 1)
    return xgboost.DMatrix(sparse.csr_matrix((values, (rows, columns)), shape=shape))


def _text(body: str | bytes) -> str:
    return (body.decode() if isinstance(body, bytes) else body).strip()
