"""What the training rows were like, feature by feature: it travels in model.json, and later files are compared with it.

Free of libraries: it is among the files that serve the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FeatureBaseline:
    """One column of the table, as the model gets it.

    columns: the model's columns that are made of it: the number itself, or dummy variables of levels or bins.
    labels: of the bins or levels; where there is one more than columns, the first has no dummy variable.
    counts: of the training rows in each, in the order of the labels.
    missing: share of the training rows whose cell was empty, before something was put into it.
    edges: rising, between the bins of a number; a bin has its lower edge and not its upper one, and the outer bins are
        open. None for dummy variables.
    limits: the lowest and the highest training value of a number.
    """

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    missing: float
    edges: tuple[float, ...] | None = None
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Baseline:
    """The training rows: how many, and how each feature is distributed among them."""

    rows: int
    features: dict[str, FeatureBaseline]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


def baseline_from(document: dict[str, Any] | None) -> Baseline | None:
    """Read what `to_dict` wrote; None stays None. Raises KeyError, TypeError or ValueError for something else."""
    if document is None:
        return None
    features = {str(name): _feature_from(entry) for name, entry in document["features"].items()}
    return Baseline(int(document["rows"]), features)


def _feature_from(entry: dict[str, Any]) -> FeatureBaseline:
    edges, limits = entry["edges"], entry["limits"]
    return FeatureBaseline(
        columns=tuple(map(str, entry["columns"])),
        labels=tuple(map(str, entry["labels"])),
        counts=tuple(map(int, entry["counts"])),
        missing=float(entry["missing"]),
        edges=None if edges is None else tuple(map(float, edges)),
        limits=None if limits is None else (float(limits[0]), float(limits[1])),
    )


def nonsense_of(baseline: Baseline, input_columns: tuple[str, ...]) -> Iterator[str]:
    """Yield what can't be in a baseline of a model with these input columns."""
    for name, feature in baseline.features.items():
        if not set(feature.columns) <= set(input_columns):
            yield f"the baseline of {name} is of a column that is not an input column"
        if len(feature.labels) != len(feature.counts) or not _has_bins(feature):
            yield f"the baseline of {name} does not count each of its bins"
        if min(feature.counts, default=0) < 0 or sum(feature.counts) != baseline.rows or baseline.rows < 1:
            yield f"the baseline of {name} does not count {baseline.rows} rows"
        if not 0.0 <= feature.missing <= 1.0:
            yield f"the baseline of {name} has an impossible share of empty cells"


def _has_bins(feature: FeatureBaseline) -> bool:
    """Say whether there are as many bins as columns or edges make."""
    if feature.edges is None:
        return feature.limits is None and len(feature.labels) - len(feature.columns) in {0, 1} and bool(feature.columns)
    rising = all(low < high for low, high in pairwise(feature.edges))
    finite = all(abs(value) < float("inf") for value in (*feature.edges, *(feature.limits or ())))
    ordered = feature.limits is not None and feature.limits[0] <= feature.limits[1]
    return rising and finite and ordered and len(feature.labels) == len(feature.edges) + 1 and len(feature.columns) == 1
