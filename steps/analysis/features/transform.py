"""From checked rows to model columns, dummy variables and bins among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, inner_edges, labels
from analysis.features.profiles import ModelColumn, Origin


def filled(rows: pa.Table, dataset: Dataset, preparation: Preparation) -> pa.Table:
    """Put what stands for empty cells into them; answers stay as they are."""
    for position, name in enumerate(rows.column_names):
        value = preparation.fills.get(name)
        if value is not None and name in dataset.columns and rows[name].null_count:
            kind = rows.schema.field(position).type
            typed = pa.scalar(int(value) if pa.types.is_integer(kind) else value, type=kind)
            rows = rows.set_column(position, name, pc.fill_null(rows[name], typed))
    return rows


def model_columns(
    rows: pa.Table, columns: Sequence[ModelColumn], dataset: Dataset, preparation: Preparation
) -> pa.Table:
    """Compute the columns for each row, in their order: numbers as the table has them, dummy variables as 0 and 1.

    rows: with their features of the past, by their names (see analysis.features.past). Levels come from the
    declaration, so a file that lacks one still gives the same columns.
    """
    present = {name: rows[name] for name in {column.source for column in columns if column.origin is not Origin.PAST}}
    full = filled(rows, dataset, preparation)
    positions: dict[str, pa.Array] = {}
    made = []
    for column in columns:
        values = full[column.name if column.origin is Origin.PAST else column.source]
        if column.origin in {Origin.NUMBER, Origin.PAST}:
            made.append(values)
        elif column.origin is Origin.LEVEL:
            made.append(pc.cast(pc.equal(values, column.level), pa.int8()))
        elif column.origin is Origin.MISSING:
            made.append(pc.cast(pc.is_null(present[column.source]), pa.int8()))
        else:
            if column.source not in positions:
                positions[column.source] = bin_positions(values, dataset, column.source, preparation)
            made.append(pc.cast(pc.equal(positions[column.source], column.position), pa.int8()))
    return pa.table(made, names=[column.name for column in columns])


def missing_shares(rows: pa.Table, names: Sequence[str]) -> dict[str, float]:
    """Return the share of each column's cells that are empty."""
    return {name: rows[name].null_count / max(rows.num_rows, 1) for name in names}


def bin_positions(values: pa.ChunkedArray, dataset: Dataset, name: str, preparation: Preparation) -> pa.Array:
    """Return the position of the bin of each value (0 = lowest) as int64.

    Values outside the outer edges belong to the outer bins: learned bins have to take whatever is scored later.
    """
    edges = np.asarray(inner_edges(dataset.columns[name].bins, preparation.edges.get(name)), dtype=np.float64)
    return pa.array(np.searchsorted(edges, values.to_numpy().astype(np.float64), side="right").astype(np.int64))


def bin_report(rows: pa.Table, dataset: Dataset, preparation: Preparation) -> list[dict[str, Any]]:
    """Count the rows of each bin, and average their target.

    Entries are {"column", "unit", "learned", "intervals"}; an interval is {"label", "from", "to", "rows",
    "mean_target"}; the mean is None where no row has a target.
    """
    full = filled(rows, dataset, preparation)
    target = rows[dataset.target].to_numpy(zero_copy_only=False) if dataset.target in rows.column_names else None
    report = []
    for name in dataset.of_kind(Kind.MEASURE, Kind.COUNT, among=dataset.inputs):
        bins = dataset.columns[name].bins
        if bins is None or name not in rows.column_names or full[name].null_count:
            continue
        learned = preparation.edges.get(name)
        inner = inner_edges(bins, learned)
        numbers = full[name].to_numpy()
        outer = (bins.edges[0], bins.edges[-1]) if bins.edges else (float(numbers.min()), float(numbers.max()))
        edges = (outer[0], *inner, outer[1])
        positions = bin_positions(full[name], dataset, name, preparation).to_numpy()
        intervals = []
        for position, label in enumerate(labels(bins, learned)):
            inside = positions == position
            known = np.array([]) if target is None else target[inside].astype(np.float64)
            known = known[~np.isnan(known)]
            intervals.append(
                {
                    "label": label,
                    "from": float(edges[position]),
                    "to": float(edges[position + 1]),
                    "rows": int(inside.sum()),
                    "mean_target": float(known.mean()) if known.size else None,
                }
            )
        unit = dataset.columns[name].unit
        report.append({"column": name, "unit": unit, "learned": bins.quantiles is not None, "intervals": intervals})
    return report
