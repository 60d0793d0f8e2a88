"""Which rows of a table are equal: exact, and fast for millions of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Positions = npt.NDArray[np.int64]


def group_numbers(columns: Sequence[pa.ChunkedArray], rows: int) -> Positions:
    """Return the number of each row's group, of rows that are equal in all columns, as they first appear.

    Empty cells are equal to each other.
    """
    groups: Positions = np.zeros(rows, dtype=np.int64)
    count = min(rows, 1)
    for column in columns:
        if count == rows:
            break
        codes = _codes(column)
        # Both factors are at most the number of rows, so the product is exact.
        combined = groups * (int(codes.max(initial=0)) + 1) + codes
        groups = _codes(pa.chunked_array([combined]))
        count = int(groups.max(initial=-1)) + 1
    return groups if count < rows else np.arange(rows, dtype=np.int64)


def first_positions(groups: Positions) -> Positions:
    """Return for each row the position of the first row of its group."""
    first: Positions = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    # Backwards, because the last assignment to a place wins.
    first[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)
    return first[groups]


def most_frequent(groups: Positions, values: Positions) -> Positions:
    """Return for each group, by its number, the value (0 or more) that most of its rows have.

    Where two are equally frequent, it is the one that comes first.
    """
    width = int(values.max(initial=0)) + 1
    pairs, first, counts = np.unique(groups * width + values, return_index=True, return_counts=True)
    order = np.lexsort((-first, counts))
    commonest: Positions = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    # Upwards, because the last assignment to a place wins.
    commonest[pairs[order] // width] = pairs[order] % width
    return commonest


def _codes(column: pa.ChunkedArray) -> Positions:
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    array = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    codes: Positions = array.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
