"""What preparing rows takes from the training rows: it is learned on them alone, and travels with the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.dataset.columns import NUMBERS, Bins, Kind, Missing
from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import ModelError

Value = float | str


@dataclass(frozen=True)
class Preparation:
    """What was learned.

    fills: column → what stands for an empty cell. edges: column → inner edges of its learned bins, rising.
    ranges: numeric input → its smallest and largest value.
    """

    fills: dict[str, Value] = field(default_factory=dict)
    edges: dict[str, tuple[float, ...]] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "fills": dict(self.fills),
            "edges": {name: list(edges) for name, edges in self.edges.items()},
            "ranges": {name: list(limits) for name, limits in self.ranges.items()},
        }


def preparation_from(document: dict[str, Any]) -> Preparation:
    """Read what `to_dict` wrote; raise ModelError where it is something else."""
    try:
        found = Preparation(
            fills={str(name): value for name, value in document["fills"].items()},
            edges={str(name): tuple(map(float, edges)) for name, edges in document["edges"].items()},
            ranges={str(name): (float(low), float(high)) for name, (low, high) in document["ranges"].items()},
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ModelError(f"The model's preparation can't be read ({error!r}). Train again.") from error
    wrong = [name for name, value in found.fills.items() if not isinstance(value, str) and not math.isfinite(value)]
    wrong += [name for name, edges in found.edges.items() if list(edges) != sorted(set(edges))]
    wrong += [name for name, (low, high) in found.ranges.items() if not -math.inf < low <= high < math.inf]
    if wrong:
        raise ModelError(f"The model's preparation of {wrong[0]!r} is impossible. Train again.")
    return found


def placeholders(dataset: Dataset) -> dict[str, Value]:
    """Return what the declaration says stands for an empty cell, by column; nothing of it is learned."""
    fills: dict[str, Value] = {}
    for name, column in dataset.columns.items():
        if column.placeholder is not None and name not in dataset.answers:
            level = column.prepared_as.get(column.placeholder, column.placeholder)
            fills[name] = float(level) if column.kind in NUMBERS else level
    return fills


def learn(training: pa.Table, dataset: Dataset) -> Preparation:
    """Learn from checked training rows: medians and commonest levels, quantiles of bins, and ranges."""
    declared = placeholders(dataset)
    fills: dict[str, Value] = {}
    edges: dict[str, tuple[float, ...]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for name in training.column_names:
        column = dataset.columns.get(name)
        if column is None or name in dataset.answers:
            continue
        values = training[name].drop_null()
        if name in declared:
            fills[name] = declared[name]
        elif column.missing is Missing.FILL and len(values):
            fills[name] = _typical(values, column.kind)
        if column.bins is not None and column.bins.quantiles is not None and len(values):
            edges[name] = _quantile_edges(values, column.bins.quantiles)
        if column.kind in NUMBERS and len(values):
            low_high = pc.min_max(values)
            ranges[name] = (float(low_high["min"].as_py()), float(low_high["max"].as_py()))
    return Preparation(fills, edges, ranges)


def _typical(values: pa.ChunkedArray, kind: Kind) -> Value:
    """Return the median of numbers, whole for counts and flags; of levels the commonest, the first of several."""
    if kind is Kind.CATEGORY:
        counts = sorted((-entry["counts"].as_py(), entry["values"].as_py()) for entry in pc.value_counts(values))
        return str(counts[0][1])
    median = float(np.median(values.to_numpy()))
    return median if kind is Kind.MEASURE else float(math.floor(median))


def _quantile_edges(values: pa.ChunkedArray, count: int) -> tuple[float, ...]:
    """Return the inner edges; fewer than count - 1 where a value is repeated so often that two of them are equal."""
    found = np.quantile(values.to_numpy().astype(np.float64), np.arange(1, count) / count)
    low, high = float(values.to_numpy().min()), float(values.to_numpy().max())
    return tuple(sorted({float(edge) for edge in found if low < edge < high}))


def inner_edges(bins: Bins | None, learned: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the edges between bins: the declared ones, or those that were learned; none make one bin of all."""
    return learned or () if bins is None or bins.quantiles is not None else bins.edges[1:-1]


def labels(bins: Bins, learned: tuple[float, ...] | None) -> tuple[str, ...]:
    """Return the names of the bins; numbered where fewer could be learned than were asked for."""
    wanted = bins.names
    count = len(inner_edges(bins, learned)) + 1
    return wanted if count == len(wanted) else tuple(f"part {part} of {count}" for part in range(1, count + 1))
