"""Compare the forecast with and without features of the past, and what is left of it when the past is old.

``python -m benchmarks.features_of_the_past day.csv`` refits both profiles, with all their columns, in a rolling origin
(the first 365 days, then folds of 30 days or a week): first with the past as of each day that is predicted, then with
nothing known since the fold began, as a file of days to come is scored. docs/decisions/features-of-the-past.md has
both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.evaluation.metrics import all_metrics, coverage
from analysis.evaluation.validation import TimedTable, rolling_figure
from analysis.features.history import RowsWithPast, rows_with_past
from analysis.features.past import GAPS, past_values
from analysis.features.preparation import Preparation
from analysis.features.profiles import Profile, profile_of
from analysis.features.transform import model_columns
from analysis.model.artefact import Floats, LinearModel
from analysis.model.calibration import calibrate
from analysis.model.refit import refit
from analysis.model.selection import procedure_of
from pipeline.datasets.shipped import declared

BIKES = declared("bike_sharing")
FIRST_DAYS = 365
FOLDS = (30, 7)


@dataclass(frozen=True)
class Prepared:
    """The rows of a profile, with their features as of each day."""

    profile: Profile
    past: RowsWithPast
    table: TimedTable
    first: int

    @classmethod
    def of(cls, rows: pa.Table, name: str) -> Prepared:
        """Prepare checked rows; those of the first year are trained on, as many as the profile can use."""
        profile = profile_of(BIKES, name)
        past = rows_with_past(rows, None, BIKES, profile)
        features = model_columns(past.rows, profile.columns, BIKES, Preparation()).to_pandas()
        target = past.rows[BIKES.target].to_numpy().astype(np.float64)
        times = past.rows[str(BIKES.time)].to_numpy()
        table = TimedTable(features, target, times, lower_bound=0.0)
        return cls(profile, past, table, FIRST_DAYS - (len(rows) - len(past.rows)))

    def model_before(self, start: int) -> LinearModel:
        """Fit on the rows before `start`, with an interval by history gap, as a training job does."""
        features, target, times = self.table.features[:start], self.table.target[:start], self.table.times[:start]
        procedure = procedure_of(self.profile, len(self.profile.columns))
        by_gap = {gap: self._older(start, gap) for gap in GAPS[1:]} if self.profile.past else None
        calibration = calibrate(features, target, procedure, times, by_gap=by_gap)
        return replace(refit(features, target, procedure), calibration=calibration, lower_bound=0.0)

    def _older(self, start: int, gap: int) -> pd.DataFrame:
        rows = self.past.rows[:start]
        return pd.DataFrame(past_values(rows, self.past.known, BIKES, self.profile.past, gap=gap).values)

    def as_known_at(self, start: int, end: int) -> tuple[Floats, Floats]:
        """Return features and history gaps of a fold's rows when nothing is known since it began."""
        columns = self.past.known.column_names
        known = self.past.rows[:start].select(columns)
        found = past_values(self.past.rows[start:end], known, BIKES, self.profile.past)
        names, values = [*self.table.features.columns], self.table.features[start:end].to_numpy(np.float64).copy()
        for name, column in found.values.items():
            values[:, names.index(name)] = column
        return values, found.gaps


def as_of_each_day(prepared: Prepared, fold: int) -> str:
    """Measure with everything known, as the evaluation does."""
    procedure = procedure_of(prepared.profile, len(prepared.profile.columns))
    figure = rolling_figure(prepared.table, procedure, prepared.first, fold)
    interval = figure["intervals"]["calibrated"]
    return f"R-squared {figure['r2']:.3f}, {interval['coverage']:.3f} inside, {interval['mean_width']:,.0f} wide"


def as_of_the_fold(prepared: Prepared, fold: int) -> str:
    """Measure with nothing known since each fold began; also: without the widening by history gap."""
    count = len(prepared.table.target)
    starts = range(prepared.first, count, fold)
    fitted, inside, plain, widths, largest = [], [], [], [], 0.0
    for start in starts:
        model, end = prepared.model_before(start), min(start + fold, count)
        inputs, gaps = prepared.as_known_at(start, end)
        actual, wide, narrow = prepared.table.target[start:end], model.predict(inputs, gaps), model.predict(inputs)
        fitted.append(model.fitted(inputs))
        inside.append(coverage(actual, wide.lower, wide.upper) * len(actual))
        plain.append(coverage(actual, narrow.lower, narrow.upper) * len(actual))
        widths.append(wide.upper - wide.lower)
        largest = max(largest, float(gaps.max()))
    metrics = all_metrics(prepared.table.target[prepared.first :], np.concatenate(fitted), 0)
    rows = count - prepared.first
    return (
        f"R-squared {metrics['r2']:.3f}, {sum(inside) / rows:.3f} inside, {np.concatenate(widths).mean():,.0f} wide; "
        f"{sum(plain) / rows:.3f} inside if not widened; gaps up to {largest:.0f} days"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features_of_the_past", description=__doc__)
    parser.add_argument("days", type=Path, help="a raw file to train on")
    options = parser.parse_args(arguments)
    rows = checked_file(options.days, BIKES, Purpose.TRAINING, required=BIKES.answers).rows
    with threadpool_limits(limits=1):
        for fold in FOLDS:
            print(f"{options.days.name}, refitted every {fold} days, all columns:")
            for name in ("forecast", "forecast-lagged"):
                prepared = Prepared.of(rows, name)
                print(f"  {name + ', as of each day':<36}{as_of_each_day(prepared, fold)}")
            print(f"  {'forecast-lagged, as of the fold':<36}{as_of_the_fold(prepared, fold)}")
        calibration = prepared.model_before(len(prepared.table.target)).calibration
    if calibration is not None:
        widths = ", ".join(f"{gap}: {width:,.0f}" for gap, width in calibration.by_gap)
        print(f"half the width of the interval by history gap, trained on all days: {widths}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
