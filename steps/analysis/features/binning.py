"""Measures in labelled intervals: fixed ones, or quarters learned on training rows; and mean rentals of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from analysis.reading.columns import BINS, MEASURES, TARGET, Bins

_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")


class Binning(StrEnum):
    """Where the edges come from: fixed (see columns.BINS) or the quartiles of the training rows."""

    FIXED = "fixed"
    QUARTILES = "quartiles"


def bin_positions(values: pd.Series, bins: Bins) -> pd.Series:
    """Position of the bin of each value (0 = lowest), int64, with the index of `values`.

    Values outside the outer edges belong to the outer bins: learned quarters have to take whatever is scored later.
    """
    inner = np.asarray(bins.edges[1:-1], dtype=np.float64)
    found = np.searchsorted(inner, values.to_numpy(dtype=np.float64), side="right")
    return pd.Series(found.astype("int64"), index=values.index, name=values.name)


def quarters(training_days: pd.DataFrame) -> dict[str, Bins]:
    """Bins with a quarter of the training rows each; the outer edges are the measure's domain.

    A measure that repeats a value so often that two quartiles are equal gets fewer bins, named by their number.
    """
    learned = {}
    for name, measure in MEASURES.items():
        quartiles = np.quantile(training_days[name].to_numpy(dtype=np.float64), (0.25, 0.5, 0.75))
        inner = sorted({float(edge) for edge in quartiles if 0.0 < edge < measure.scale})
        edges = (0.0, *inner, measure.scale)
        count = len(edges) - 1
        labels = (
            _QUARTERS if count == len(_QUARTERS) else tuple(f"part {part} of {count}" for part in range(1, count + 1))
        )
        learned[name] = Bins(edges, labels)
    return learned


def bins_for(binning: Binning, training_days: pd.DataFrame) -> Mapping[str, Bins]:
    """The bins of each measure. Only quartiles look at the days, so these must be the training rows."""
    return BINS if binning is Binning.FIXED else quarters(training_days)


def bin_report(days: pd.DataFrame, bins: Mapping[str, Bins], binning: Binning) -> dict[str, Any]:
    """Days and mean rentals of each bin: {"edges", "columns": [{"column", "unit", "intervals": [...]}]}.

    An interval is {"label", "from", "to", "days", "mean_rentals"}; the mean is None without days or counts.
    """
    columns = []
    for name, intervals in bins.items():
        positions = bin_positions(days[name], intervals).to_numpy()
        entries = []
        for position, label in enumerate(intervals.labels):
            inside = positions == position
            known = TARGET in days.columns and bool(inside.any())
            entries.append(
                {
                    "label": label,
                    "from": intervals.edges[position],
                    "to": intervals.edges[position + 1],
                    "days": int(inside.sum()),
                    "mean_rentals": float(days[TARGET].to_numpy(dtype=np.float64)[inside].mean()) if known else None,
                }
            )
        columns.append({"column": name, "unit": MEASURES[name].unit, "intervals": entries})
    return {"edges": binning.value, "columns": columns}
