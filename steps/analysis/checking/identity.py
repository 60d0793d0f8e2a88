"""What names a row for ever: its key, or what is in it."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.equal_rows import group_numbers
from analysis.dataset.columns import TIMES
from analysis.dataset.declaration import Dataset

_BETWEEN_KEYS, _BEFORE_CELLS = "|", "\x1f"


def row_identities(rows: pa.Table, dataset: Dataset) -> list[str]:
    """Return what :func:`identity_column` does, as a list."""
    names: list[str] = identity_column(rows, dataset).to_pylist()
    return names


def identity_column(rows: pa.Table, dataset: Dataset) -> pa.Array:
    """Return an identifier for each row, the same wherever in a file the row is.

    With a key: its values, joined by | where there are several (a | or backslash inside of one has a backslash before
    it); days and moments in ISO form. Without: the SHA-256 of the cells that are known before the target, each by name
    and canonical value, a hyphen, and the count of equal rows before it. Rows that are equal but for their answers are
    counted in the order of the answers.
    """
    if dataset.key:
        keys = [_texts(rows[name], dataset, name) for name in dataset.key]
        return keys[0] if len(keys) == 1 else _joined_keys(keys)
    known = [name for name in dataset.known_before if name in rows.column_names]
    pieces = [piece for name in known for piece in (f"{_BEFORE_CELLS}{name}=", _texts(rows[name], dataset, name))]
    # A table may have nothing but answers.
    contents = pc.binary_join_element_wise(*pieces, "") if pieces else pa.array([""] * len(rows))
    counts = _equal_before(rows, contents, [name for name in dataset.answers if name in rows.column_names])
    names = [
        f"{hashlib.sha256(content.encode()).hexdigest()}-{count}"
        for content, count in zip(contents.to_pylist(), counts, strict=True)
    ]
    return pa.array(names, pa.string())


def _texts(values: pa.ChunkedArray, dataset: Dataset, name: str) -> pa.Array:
    """Write values canonically: numbers as Python's repr does, so that 7 and 7.0 of a measure are one; empty as ""."""
    encoded = pc.dictionary_encode(values.combine_chunks())
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    distinct = encoded.dictionary.to_pylist()
    if pa.types.is_floating(values.type):
        # Plus zero, because -0.0 is 0.0.
        texts = [repr(value + 0.0) for value in distinct]
    elif dataset.columns[name].kind in TIMES:
        texts = [value.isoformat() for value in distinct]
    else:
        texts = [str(value) for value in distinct]
    return pc.fill_null(pa.array(texts, pa.string()).take(encoded.indices), "")


def _joined_keys(keys: list[pa.Array]) -> pa.Array:
    for mark in ("\\", _BETWEEN_KEYS):
        keys = [pc.replace_substring(key, mark, f"\\{mark}") for key in keys]
    return pc.binary_join_element_wise(*keys, _BETWEEN_KEYS)


def _equal_before(rows: pa.Table, contents: pa.Array, answers: list[str]) -> list[int]:
    """Count for each row the equal ones before it, in the order of the answers and then of the rows."""
    groups = group_numbers([pa.chunked_array([contents])], len(rows))
    if int(groups.max(initial=-1)) + 1 == len(rows):
        return [0] * len(rows)
    order = np.arange(len(rows))
    if answers:
        table = rows.select(answers).append_column("place", pa.array(order))
        keys = [(name, "ascending") for name in table.column_names]
        order = pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.int64)
    together = order[np.argsort(groups[order], kind="stable")]
    starts = np.searchsorted(groups[together], groups[together])
    counts = np.empty(len(rows), dtype=np.int64)
    counts[together] = np.arange(len(rows)) - starts
    found: list[int] = counts.tolist()
    return found
