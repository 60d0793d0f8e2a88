"""Earlier rows of a table, as they were known at a moment, and a file's rows together with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.dataset.columns import Kind, Missing
from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import SettingsError


@dataclass(frozen=True)
class History:
    """What was known of the table at a moment.

    as_of: the moment, ISO 8601. rows: "line" (0), then the declared columns that are stored, typed as checked rows
    are; answers are null where they were not known. identities: record identifier of each row.
    """

    as_of: str
    rows: pa.Table
    identities: pa.Array


@dataclass(frozen=True)
class Joined:
    """The rows of a file and those of the history that the file does not have.

    identities: of the rows. from_history: how many are the history's. incomplete: how many of the history's were left
    out, because they lack what the declaration asks of every row by now.
    """

    rows: pa.Table
    identities: pa.Array
    from_history: int
    incomplete: int


def joined(rows: pa.Table, identities: pa.Array, history: History, dataset: Dataset) -> Joined:
    """Put the history's rows with a known target before those of a file; what landed wins for the rows that it has.

    Raises SettingsError where the history lacks an input of the file.
    """
    names = [name for name in dataset.columns if name in rows.column_names or name in history.rows.column_names]
    absent = [name for name in dataset.inputs if name in rows.column_names and name not in history.rows.column_names]
    if absent:
        raise SettingsError(
            f"The history lacks {' and '.join(absent)}: the feature groups are older. Deploy, then retry."
        )
    other = pc.invert(pc.is_in(history.identities, value_set=identities))
    places = np.flatnonzero(pc.and_(other, pc.is_valid(history.rows[dataset.target])).to_numpy(zero_copy_only=False))
    # Athena answers in any order.
    places = places[pc.sort_indices(history.identities.take(places)).to_numpy()]
    wanted, known = history.rows.take(places), history.identities.take(places)
    complete = _complete(wanted.combine_chunks(), dataset)
    tables = [_aligned(table, names, (rows, wanted)) for table in (wanted.filter(complete), rows)]
    every = pa.concat_tables(tables).combine_chunks()
    from_history = len(every) - len(rows)
    return Joined(
        every,
        pa.chunked_array([known.filter(complete), identities]).combine_chunks(),
        from_history,
        len(wanted) - from_history,
    )


def _complete(rows: pa.Table, dataset: Dataset) -> pa.Array:
    """Say of each row whether no cell is empty that may not be, and every level is a declared one."""
    masks = [pa.repeat(pa.scalar(value=True), len(rows))]
    for name in dataset.inputs:
        column = dataset.columns[name]
        if name in rows.column_names and column.missing in {Missing.REFUSE, Missing.DROP} and not column.optional:
            masks.append(pc.is_valid(rows[name]))
        if name in rows.column_names and column.kind is Kind.CATEGORY:
            levels = pa.array(column.modelled_levels, pa.string())
            masks.append(pc.or_(pc.is_null(rows[name]), pc.is_in(rows[name], value_set=levels)))
    found = reduce(pc.and_, masks)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _aligned(table: pa.Table, names: Sequence[str], both: Sequence[pa.Table]) -> pa.Table:
    """Give a table all of these columns, empty where it has none, with the types of the other one."""
    columns = [table["line"]]
    for name in names:
        kind = next(one.schema.field(name).type for one in reversed(both) if name in one.column_names)
        columns.append(pc.cast(table[name], kind) if name in table.column_names else pa.nulls(len(table), kind))
    return pa.table(columns, names=["line", *names])
