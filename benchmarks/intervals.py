"""Compare ways of making prediction intervals: how many rows that come later they hold, and how wide they are.

``python -m benchmarks.intervals day.csv`` prepares the file as the pipeline does and refits the forecast in a rolling
origin (half of the days, then folds of a 24th), each time with intervals of every kind. ``--wine winequality-red.csv``
also does so for a table without a time, over seeded random splits. docs/decisions/calibrated-intervals.md has both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

import preprocess
from analysis.evaluation.validation import TimedTable
from analysis.features.profiles import profile_of
from analysis.model.artefact import Floats
from analysis.model.calibration import calibrate, calibration_rows, conformal_half_width
from analysis.model.numbers import Features
from analysis.model.refit import refit
from analysis.model.selection import Procedure, procedure_of
from analysis.runtime.tables import read_table
from pipeline.datasets.shipped import declaration_file, declared

Known = tuple[Features, Floats]
"""Training rows in the order of their times: features and target."""
HalfWidths = Callable[[Known, Procedure, Floats], Floats]
"""From training rows, the procedure and new rows to half the width of each new row's interval."""


def classical(known: Known, procedure: Procedure, new: Floats) -> Floats:
    """Student's t, as for normal, independent and equally large errors."""
    found = refit(*known, procedure).predict(new, classical=True)
    return (found.upper - found.lower) / 2.0


def latest(count: int | None, *, relative: bool = False, order_statistic: bool = False) -> HalfWidths:
    """Split conformal on the latest rows; `count` None for the rule in use."""

    def half_widths(known: Known, procedure: Procedure, new: Floats) -> Floats:
        features, target = known
        start = len(target) - (calibration_rows(len(target)) if count is None else count)
        model = refit(features[:start], target[:start], procedure)
        fitted = model.fitted(features[start:].to_numpy(dtype=np.float64))
        errors = np.abs(target[start:] - fitted)
        if relative:
            size = np.maximum(refit(*known, procedure).fitted(new), target.mean() / 4.0)
            return conformal_half_width(errors / np.maximum(fitted, target.mean() / 4.0)) * size
        if order_statistic:
            rank = min(errors.size, int(np.ceil(0.95 * (errors.size + 1))))
            return np.full(len(new), np.sort(errors)[rank - 1])
        return np.full(len(new), conformal_half_width(errors))

    return half_widths


def folds(known: Known, procedure: Procedure, new: Floats) -> Floats:
    """Cross-conformal: each training row by a model without its seeded fold, whatever its time."""
    found = calibrate(*known, procedure)
    return np.full(len(new), np.nan if found is None else found.half_width)


def a_quarter(known: Known, procedure: Procedure, new: Floats) -> Floats:
    """Split conformal on a quarter of the rows, which a random split has put last."""
    return latest(len(known[1]) // 4)(known, procedure, new)


OVER_TIME: Mapping[str, HalfWidths] = {
    "classical (Student's t)": classical,
    "folds of all training rows": folds,
    **{f"latest {count} rows": latest(count) for count in (30, 60, 90, 120)},
    "latest 90 rows, order statistic": latest(90, order_statistic=True),
    "latest 90 rows, relative errors": latest(90, relative=True),
    "latest rows, the rule in use": latest(None),
}
WITHOUT_TIME: Mapping[str, HalfWidths] = {
    "classical (Student's t)": classical, "folds of all training rows": folds, "a random quarter": a_quarter,
}  # fmt: skip


def prepared(path: Path) -> TimedTable:
    """Return the rows that preprocess.py makes of a raw file."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name)
        declaration = ["--dataset", str(declaration_file("bike_sharing"))]
        preprocess.main([*declaration, "--input-file", str(path), "--output-dir", name])
        columns = read_table(output / "train" / "train.parquet").column_names[:-1]
        features = pd.read_csv(output / "scoring" / "features.csv", header=None, names=columns)
        rows = pd.read_csv(output / "rows" / "rows.csv")
    return TimedTable(features, rows["actual"].to_numpy(dtype=np.float64), rows["date"].to_numpy(dtype="U")).sorted()


def rolling_origin(table: TimedTable, procedure: Procedure) -> None:
    """Print coverage, coverage of the worst fold, and mean width of every kind of interval."""
    count = len(table.target)
    starts = [*range(count // 2, count, count // 24)]
    for name, half_widths in OVER_TIME.items():
        inside, widths = [], []
        for start, end in zip(starts, [*starts[1:], count], strict=True):
            known, new = (table.features[:start], table.target[:start]), table.features[start:end].to_numpy(dtype=float)
            half = half_widths(known, procedure, new)
            inside.append(np.abs(table.target[start:end] - refit(*known, procedure).fitted(new)) <= half)
            widths.append(2.0 * half)
        worst = min(float(fold.mean()) for fold in inside)
        line = f"{np.concatenate(inside).mean():.3f} inside, {worst:.2f} in the worst fold"
        print(f"  {name:<34}{line}, {np.concatenate(widths).mean():,.0f} wide")


def random_splits(path: Path, splits: int) -> None:
    """Print mean and standard deviation of the coverage over seeded splits, and the mean width."""
    table = pd.read_csv(path)
    target = table["quality"].to_numpy(dtype=np.float64)
    features = table.drop(columns="quality")
    procedure = Procedure(scaled=tuple(features.columns))
    for name, half_widths in WITHOUT_TIME.items():
        shares, widths = [], []
        for seed in range(splits):
            order = np.random.Generator(np.random.PCG64(seed)).permutation(len(target))
            train, test = order[: len(order) * 7 // 10], order[len(order) * 7 // 10 :]
            known, new = (features.iloc[train], target[train]), features.iloc[test].to_numpy(dtype=float)
            half = half_widths(known, procedure, new)
            shares.append(float((np.abs(target[test] - refit(*known, procedure).fitted(new)) <= half).mean()))
            widths.append(2.0 * float(half.mean()))
        print(f"  {name:<34}{np.mean(shares):.3f} ± {np.std(shares):.3f} inside, {np.mean(widths):.2f} wide")


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("days", type=Path, help="a raw file to train on")
    parser.add_argument("--wine", type=Path, help="winequality-red.csv")
    parser.add_argument("--splits", type=int, default=50, help="random splits of the wine table (default: 50)")
    options = parser.parse_args(arguments)
    table = prepared(options.days)
    profile = profile_of(declared("bike_sharing"), "forecast")
    for kept in (profile.feature_count, len([*table.features.columns])):
        print(f"{options.days.name}, rolling origin, {kept} features:")
        rolling_origin(table, procedure_of(profile, kept))
    if options.wine is not None:
        print(f"{options.wine.name}, {options.splits} random splits:")
        random_splits(options.wine, options.splits)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
