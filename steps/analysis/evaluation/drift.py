"""Drift: how far the rows of a file are from the training rows that their model was fitted to, feature by feature.

The measure is the population stability index, PSI = sum over bins of (a - e) ln(a / e), where e is a bin's share of
the training rows and a its share of the file's: 0 for equal shares, and the same whichever of the two comes first (it
is Jeffreys' divergence). By the rule of thumb of credit scoring (Siddiqi, "Credit Risk Scorecards", 2006)
below 0.1 nothing has changed, from 0.1 something has, from 0.25 much has.

- *Bins.* A number has those that the declaration gives it; otherwise a bin for each value where it has at most ten, or
  ten with equally many training rows, fewer where values repeat. A category has its levels. Empty cells count as what
  was put into them for the model; their share is compared beside it.
- *Empty bins.* The logarithm of 0 is floored: a bin that is empty on one side alone counts as half a row of that side,
  or as little as the other side has. What is empty on both sides adds nothing.
- *Chance.* The fewer rows, the larger is the PSI of files that have not drifted at all: then PSI n N / (n + N), with n
  training rows and N of the file, has asymptotically a chi-squared distribution with bins - 1 degrees of freedom
  (Yurdakul, "Statistical Properties of Population Stability Index", 2018). A feature has drifted where its PSI is above
  the threshold and above what chance exceeds once in 1,000 times. That takes rows for independent of one another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.dataset.columns import Bins
from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, inner_edges, labels
from analysis.features.profiles import ModelColumn, Origin
from analysis.model.artefact import LinearModel
from analysis.model.baseline import Baseline, FeatureBaseline
from analysis.model.distributions import chi_squared_quantile

MOST_BINS = 10
MOST_SORTED = 100_000
_FIRST_ROWS = 10_000
CHANCE = 0.001
"""How often a feature that has not drifted may be above the bound of chance."""
_HALF_A_ROW = 0.5

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class BinShare:
    """A bin or level, with its share of the training rows and of the file's rows."""

    label: str
    training: float
    file: float


@dataclass(frozen=True, kw_only=True)
class FeatureDrift:
    """How far a feature is from the training rows.

    chance: what the PSI of a file that has not drifted exceeds once in 1,000
    times. unseen: share of rows in a level that no training row has, or outside the training range of a number.
    missing: share of empty cells. used: whether predictions depend on it. drifted: whether it is used, and its PSI is
    above threshold and chance.
    """

    feature: str
    psi: float
    chance: float
    drifted: bool
    used: bool
    unseen: float
    missing: float
    missing_in_training: float
    bins: tuple[BinShare, ...]

    @property
    def most_changed(self) -> BinShare:
        """The bin whose share has changed most."""
        return max(self.bins, key=lambda one: abs(one.file - one.training))


def baseline_of(
    columns: Sequence[ModelColumn],
    dataset: Dataset,
    preparation: Preparation,
    training: Columns,
    missing: Mapping[str, float],
) -> Baseline:
    """Describe training rows: `training` has the values of the model's columns, `missing` shares of empty cells."""
    made: dict[str, list[ModelColumn]] = {}
    for column in columns:
        if column.origin is not Origin.MISSING:
            # A feature of the past is a number of its own, beside the column that it is made of.
            name = column.name if column.origin is Origin.PAST else column.source
            made.setdefault(name, []).append(column)
    rows = len(next(iter(training.values())))
    features = {}
    for source, parts in made.items():
        number = next((part for part in parts if part.origin in {Origin.NUMBER, Origin.PAST}), None)
        if number is None:
            described = _dummies(source, parts, dataset)
        else:
            described = _number(number, dataset, preparation, training[number.name])
        counts = tuple(map(int, _counts(described, training)))
        features[source] = FeatureBaseline(**{**vars(described), "counts": counts, "missing": missing.get(source, 0.0)})
    return Baseline(rows, features)


def _dummies(source: str, parts: list[ModelColumn], dataset: Dataset) -> FeatureBaseline:
    column, by_level = dataset.columns[source], parts[0].origin is Origin.LEVEL
    parts = [part for part in parts if part.origin is parts[0].origin]
    if by_level or column.bins is None:
        names = {level: column.levels.get(level, level) for level in column.modelled_levels}
        found = {names.get(part.level, part.level): part.name for part in parts}
        known = list(names.values())
    else:
        known = list(column.bins.names)
        found = {known[part.position]: part.name for part in parts}
    rest = [name for name in known if name not in found]
    named = [rest[0] if len(rest) == 1 else "any other"] if rest else []
    return FeatureBaseline(columns=tuple(found.values()), labels=(*named, *found), counts=(), missing=0.0)


def _number(
    column: ModelColumn, dataset: Dataset, preparation: Preparation, values: NDArray[np.float64]
) -> FeatureBaseline:
    declared = dataset.columns[column.source] if column.origin is Origin.NUMBER else None
    bins = None if declared is None else declared.bins
    edges, names = _bins_of(values, bins, preparation.edges.get(column.source))
    levels = {} if declared is None else declared.levels
    return FeatureBaseline(
        columns=(column.name,),
        labels=tuple(levels.get(name, name) for name in names),
        counts=(),
        missing=0.0,
        edges=edges,
        limits=(float(values.min()), float(values.max())),
    )


def _bins_of(
    values: NDArray[np.float64], declared: Bins | None, learned: tuple[float, ...] | None
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return inner edges of a number's bins, and what the bins are called."""
    if declared is not None and (edges := inner_edges(declared, learned)):
        return edges, labels(declared, learned)
    # Most numbers have more values than that among their first rows, and sorting all of them takes long.
    distinct = np.unique(values[:_FIRST_ROWS])
    if distinct.size > MOST_BINS:
        return _quantile_bins(values)
    distinct = np.unique(values)
    if distinct.size == 1:
        # So that other values are not in the same bin, the constant has one of its own between two empty ones.
        (constant,) = map(float, distinct)
        return (constant, float(np.nextafter(constant, np.inf))), ("less", f"{constant:g}", "more")
    if distinct.size <= MOST_BINS:
        return tuple(map(float, distinct[1:])), tuple(f"{value:g}" for value in distinct)
    return _quantile_bins(values)


def _quantile_bins(values: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return ten bins with equally many training rows, fewer where values repeat.

    Of more than MOST_SORTED rows, evenly spread ones say where the bins end; what is in them is counted exactly.
    """
    sample = values[:: -(-len(values) // MOST_SORTED)]
    found, lowest = np.quantile(sample, np.arange(1, MOST_BINS) / MOST_BINS), values.min()
    # Where nearly all are the smallest value, it has a bin of its own.
    edges = tuple(sorted({float(edge) for edge in found if edge > lowest})) or (float(values[values > lowest].min()),)
    between = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    return edges, (f"below {edges[0]:.6g}", *between, f"{edges[-1]:.6g} or more")


def _counts(feature: FeatureBaseline, columns: Columns) -> NDArray[np.int64]:
    """Count the rows in each bin."""
    if feature.edges is not None:
        values = columns[feature.columns[0]]
        below = [0, *(int(np.count_nonzero(values < edge)) for edge in feature.edges), len(values)]
        return np.array([more - less for less, more in pairwise(below)], dtype=np.int64)
    marked = [int(np.sum(columns[name])) for name in feature.columns]
    rows = len(columns[feature.columns[0]])
    rest = [rows - sum(marked)] if len(feature.labels) > len(feature.columns) else []
    return np.array([*rest, *marked], dtype=np.int64)


def drift_of(
    model: LinearModel, baseline: Baseline, columns: Columns, missing: Mapping[str, float], threshold: float
) -> tuple[FeatureDrift, ...]:
    """Compare rows with the baseline of their model, the largest PSI first.

    columns: the values of the model's input columns. missing: column of the table → share of its cells that are empty;
    one that is not named has no value at all.
    """
    found = [
        _feature_drift(name, feature, columns, missing.get(name, 1.0), threshold, used=set(model.selected))
        for name, feature in baseline.features.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.psi, one.feature)))


def _feature_drift(
    name: str,
    feature: FeatureBaseline,
    columns: Columns,
    missing: float,
    threshold: float,
    *,
    used: Collection[str],
) -> FeatureDrift:
    expected, actual = np.array(feature.counts, dtype=np.int64), _counts(feature, columns)
    index, bound = psi(expected, actual), chance_bound(expected, actual)
    if feature.limits is None:
        unseen = actual[expected == 0].sum()
    else:
        values = columns[feature.columns[0]]
        unseen = np.sum((values < feature.limits[0]) | (values > feature.limits[1]))
    is_used = bool(set(feature.columns) & set(used))
    shares = zip(feature.labels, expected / expected.sum(), actual / actual.sum(), strict=True)
    return FeatureDrift(
        feature=name,
        psi=index,
        chance=bound,
        drifted=is_used and index > max(threshold, bound),
        used=is_used,
        unseen=float(unseen) / float(actual.sum()),
        missing=missing,
        missing_in_training=feature.missing,
        bins=tuple(BinShare(label, float(then), float(now)) for label, then, now in shares),
    )


def psi(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """Compute the population stability index of two counts of the same bins."""
    occupied = (expected > 0) | (actual > 0)
    then, now = (counts[occupied] / counts.sum() for counts in (expected, actual))
    low_then = np.where(then > 0.0, then, np.minimum(_HALF_A_ROW / expected.sum(), now))
    low_now = np.where(now > 0.0, now, np.minimum(_HALF_A_ROW / actual.sum(), then))
    # Each term is at least 0; rounding may make it a little less.
    return float(np.maximum((low_now - low_then) * np.log(low_now / low_then), 0.0).sum())


def chance_bound(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """Compute what the index exceeds once in 1,000 times where both are of the same distribution."""
    bins = int(np.sum((expected > 0) | (actual > 0)))
    quantile = chi_squared_quantile(CHANCE, max(bins - 1, 1))
    return quantile * (1.0 / float(expected.sum()) + 1.0 / float(actual.sum()))


def drift_report(
    model: LinearModel | None, columns: Columns, missing: Mapping[str, float], threshold: float
) -> dict[str, Any]:
    """Return the block `drift` of quality.json and evaluation.json.

    {"status": "compared" or "not compared", "reason": why not, "threshold", "rows": {"training", "file"}, "drifted":
    names of features, "features": see FeatureDrift}
    """
    if model is None:
        return not_compared("there is no model to compare with", threshold)
    if model.baseline is None:
        return not_compared("the model was made before training rows were described; train and approve one", threshold)
    if not model.baseline.features:
        return not_compared("no feature is known to be the same", threshold)
    features = drift_of(model, model.baseline, columns, missing, threshold)
    return {
        "status": "compared",
        "reason": "",
        "threshold": threshold,
        "rows": {"training": model.baseline.rows, "file": len(next(iter(columns.values())))},
        "drifted": [one.feature for one in features if one.drifted],
        "features": [asdict(one) for one in features],
    }


def not_compared(reason: str, threshold: float) -> dict[str, Any]:
    """Return the block for a file that was not compared."""
    return {
        "status": "not compared",
        "reason": reason,
        "threshold": threshold,
        "rows": None,
        "drifted": [],
        "features": [],
    }
