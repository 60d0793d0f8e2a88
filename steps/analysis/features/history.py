"""Rows with their features of the past: what is known of earlier rows, from the file and from its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.checking.earlier_rows import History
from analysis.checking.purpose import Purpose
from analysis.dataset.declaration import Dataset
from analysis.features.past import GAPS, past_values
from analysis.features.profiles import Profile
from analysis.runtime.errors import InputError, Problem, SettingsError
from analysis.runtime.names import HISTORY_GAP

_LISTED_LINES = 10


@dataclass(frozen=True)
class RowsWithPast:
    """The rows that have an earlier known value, with their features of the past.

    rows: with a column for each feature. kept: their positions among all rows of the file. gaps: whole numbers of shape
    (n,), see :class:`~analysis.features.past.PastValues`. known: what they are computed of; dataset, names: by what.
    """

    rows: pa.Table
    kept: NDArray[np.int64]
    gaps: NDArray[np.int64]
    known: pa.Table
    dataset: Dataset
    names: tuple[str, ...]

    def with_larger_gaps(self, positions: NDArray[np.int32]) -> pa.Table:
        """Return the features of these rows for each larger gap of the grid: `history_gap`, then one column each.

        Every gap has all the rows in their order, with empty cells where so long before no value is known.
        """
        rows = self.rows.take(positions)
        parts = []
        for gap in GAPS[1:]:
            found = past_values(rows, self.known, self.dataset, self.names, gap=gap)
            values = [pa.array(found.values[name], from_pandas=True) for name in self.names]
            parts.append(pa.table([pa.array(np.full(len(rows), gap)), *values], names=[HISTORY_GAP, *self.names]))
        return pa.concat_tables(parts)


def _needed(dataset: Dataset, profile: Profile) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*dataset.key, str(dataset.time), *profile.past_sources]))


def rows_with_past(rows: pa.Table, history: History | None, dataset: Dataset, profile: Profile) -> RowsWithPast:
    """Compute the features of the past of checked rows; those without an earlier known value are left out.

    What the file knows of a row counts before what the history does. A profile without such features leaves out none.
    Raises SettingsError where the history lacks a column that they need.
    """
    if not profile.past:
        every = np.arange(len(rows))
        return RowsWithPast(rows, every, np.zeros_like(every), rows, dataset, ())
    columns = _needed(dataset, profile)
    own = pa.table(
        [rows[name] if name in rows.column_names else pa.nulls(len(rows), pa.float64()) for name in columns],
        names=list(columns),
    )
    known = own if history is None else pa.concat_tables([_earlier(history, own), own])
    found = past_values(rows, known, dataset, profile.past)
    kept = np.flatnonzero(found.complete)
    made = rows.take(kept)
    for name in profile.past:
        made = made.append_column(name, pa.array(found.values[name][kept]))
    return RowsWithPast(made, kept, found.gaps[kept].astype(np.int64), known, dataset, profile.past)


def _earlier(history: History, own: pa.Table) -> pa.Table:
    """Return the columns of the history that features need, with the types of the file's."""
    absent = [name for name in own.column_names if name not in history.rows.column_names]
    if absent:
        raise SettingsError(f"The history lacks {' and '.join(absent)}. Deploy, then upload the file again.")
    return history.rows.select(own.column_names).cast(own.schema)


def report_of_past(
    past: RowsWithPast, every: pa.Table, report: dict[str, Any], dataset: Dataset, profile: Profile
) -> dict[str, Any]:
    """Return the block `past` of the quality report; raise InputError where too few rows have an earlier known value.

    features: name, column, description, and the form with its number. history_rows: how many rows were known beside
    the file's. without_earlier_values: rows that are left out, with the first lines. gaps: of how many rows the newest
    values that they need are not known, and the largest gap, in rows or days as the features count.
    """
    lines = np.delete(every["line"].to_numpy(), past.kept)
    lines = lines[lines > 0]
    training = report["purpose"] == Purpose.TRAINING
    if not len(past.kept):
        refuse_without_past(report["file"], dataset, profile)
    needed = report["limits"]["minimum_training_rows"]
    if training and len(past.kept) < needed:
        columns = " and ".join(profile.past_sources)
        message = f"{len(past.kept)} rows with an earlier {columns} are too few to train on; {needed} are needed"
        raise InputError(report["file"], [Problem(message)])
    features = [(name, dataset.past[name]) for name in profile.past]
    return {
        "features": [
            {"name": name, "column": one.column, "description": one.description, one.form: one.count}
            for name, one in features
        ],
        "history_rows": len(past.known) - len(every),
        "without_earlier_values": {"rows": len(lines), "lines": lines[:_LISTED_LINES].tolist()},
        "gaps": {"rows": int(np.count_nonzero(past.gaps)), "largest": int(past.gaps.max())},
    }


def refuse_without_past(file: str, dataset: Dataset, profile: Profile) -> NoReturn:
    """Raise InputError: no row of the file has an earlier known value."""
    columns, words = " and ".join(profile.past_sources), dataset.words.row
    message = (
        f"no earlier value of {columns} is known for any {words.one}, neither from this file nor from its history, and "
        f"profile {profile.name} needs one. Put the {words.many} before into the file, with their {columns}"
    )
    raise InputError(file, [Problem(message)])


def in_words(past: dict[str, Any]) -> str:
    """Say for the log what the block `past` of the quality report says."""
    left_out, gaps = past["without_earlier_values"]["rows"], past["gaps"]
    text = f"{left_out} rows without any earlier value left out"
    return f"{text}, {gaps['rows']} rows with a history gap, of at most {gaps['largest']}" if gaps["rows"] else text
