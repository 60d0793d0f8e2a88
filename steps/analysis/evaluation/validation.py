"""How good the model is on rows of days to come: the same procedure, refitted on what was known before them.

Everything takes a table (features, target, times), and nothing here knows what its rows are. Beside the registered
model on the random split's test rows there are two figures of refits: the chronological hold-out (one refit on the
earlier rows, tested on the latest) and the rolling origin (refitted again and again, each time tested on the rows that
come next; Tashman, "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16, 2000).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.evaluation.metrics import all_metrics, coverage
from analysis.model.artefact import Floats, LinearModel, Predictions
from analysis.model.calibration import calibrate, start_of_moment
from analysis.model.numbers import Features
from analysis.model.refit import refit
from analysis.model.rows import Times
from analysis.model.selection import Procedure
from analysis.runtime.errors import TrainingError

RANDOM, CHRONOLOGICAL, ROLLING = FIGURES = ("random", "chronological", "rolling")
TRAINED_SHARE = 0.7
"""Share of the rows, the earliest, that the chronological hold-out trains on."""
_FOLDS_OF_A_TABLE = 24


@dataclass(frozen=True)
class TimedTable:
    """Rows with their times. features: the model's columns, unscaled; target, times: of shape (n,), in any order.

    lower_bound: no prediction lies below it; None for none.
    """

    features: Features
    target: Floats
    times: Times
    lower_bound: float | None = None

    def sorted(self) -> TimedTable:
        """Return the rows in the order of their times."""
        order = np.argsort(self.times, kind="stable")
        return replace(self, features=self.features.take(order), target=self.target[order], times=self.times[order])


def chronological_figure(table: TimedTable, procedure: Procedure, share: float = TRAINED_SHARE) -> dict[str, Any]:
    """Fit on the earliest `share` of the rows, measure on the rest; see :func:`validation` for what is returned.

    Raises TrainingError where the rows are too few, or all of one moment.
    """
    # As scikit-learn counts the rows of a split.
    return _figure_of_refits(table, procedure, [math.floor(share * len(table.target))])


def rolling_figure(
    table: TimedTable, procedure: Procedure, first: int | None = None, fold: int | None = None
) -> dict[str, Any]:
    """Fit on the earliest `first` rows, measure on the `fold` rows after them, fit on both, and so on to the last row.

    The defaults are shares, so that the number of refits does not depend on the number of rows: half of the rows, then
    folds of a 24th. Of two years of days these are one year and 30 days each. Raises TrainingError where the rows are
    too few, or all of one moment.
    """
    rows = len(table.target)
    start = rows // 2 if first is None else first
    size = max(1, rows // _FOLDS_OF_A_TABLE if fold is None else fold)
    return _figure_of_refits(table, procedure, range(start, rows, size))


def _figure_of_refits(table: TimedTable, procedure: Procedure, origins: Sequence[int]) -> dict[str, Any]:
    """Measure, pooled, the predictions of the rows from each origin to the next by a model of all rows before it."""
    table, rows = table.sorted(), len(table.target)
    # What happened at one moment is never split between past and future.
    starts = sorted({start_of_moment(table.times, origin) for origin in origins} - {0, rows})
    if not starts:
        raise TrainingError(f"{rows} rows of at least two times are needed to predict later ones from earlier ones.")
    models: dict[int, LinearModel] = {}
    for start in starts:
        try:
            models[start] = _model_before(start, table, procedure)
        except TrainingError:
            # The earliest rows of a small table are too few for the procedure.
            if start == starts[-1]:
                raise
    ends = [*models, rows][1:]
    measured = [
        _Measured.by(model, table.features[start:end].to_numpy(dtype=np.float64))
        for (start, model), end in zip(models.items(), ends, strict=True)
    ]
    first, last = next(iter(models)), next(reversed(models))
    return _figure(table.target[first:], measured, len(models[last].selected)) | {
        "model": "refitted",
        "refits": len(models),
        "trained_on": {"fewest": first, "most": last},
        "first": str(table.times[first]),
        "last": str(table.times[-1]),
    }


def _model_before(start: int, table: TimedTable, procedure: Procedure) -> LinearModel:
    """Fit and calibrate on the rows before `start`, as the registered model is on its training rows."""
    features, target = table.features[:start], table.target[:start]
    calibration = calibrate(features, target, procedure, table.times[:start])
    return replace(refit(features, target, procedure), calibration=calibration, lower_bound=table.lower_bound)


def registered_figure(
    model: LinearModel, inputs: Floats, actual: Floats, trained_on: int, gaps: Floats | None = None
) -> dict[str, Any]:
    """Measure the registered model on rows that its random split left out; see :func:`validation`."""
    return _figure(actual, [_Measured.by(model, inputs, gaps)], len(model.selected)) | {
        "model": "registered",
        "refits": 0,
        "trained_on": {"fewest": trained_on, "most": trained_on},
    }


@dataclass(frozen=True)
class _Measured:
    """What one model gives for some rows: the regression before the target's bound, and predictions of either kind."""

    fitted: Floats
    classical: Predictions
    calibrated: Predictions

    @classmethod
    def by(cls, model: LinearModel, inputs: Floats, gaps: Floats | None = None) -> _Measured:
        return cls(model.fitted(inputs), model.predict(inputs, classical=True), model.predict(inputs, gaps))


def _figure(actual: Floats, measured: Sequence[_Measured], features: int) -> dict[str, Any]:
    """Pool the predictions of successive rows."""
    marked = [one.classical.extrapolated for one in measured]
    return {
        **all_metrics(actual, np.concatenate([one.fitted for one in measured]), features),
        "extrapolated": sum(int(rows.sum()) for rows in marked if rows is not None),
        "intervals": {
            "classical": _interval(actual, [one.classical for one in measured]),
            "calibrated": _interval(actual, [one.calibrated for one in measured]),
        },
    }


def _interval(actual: Floats, predicted: Sequence[Predictions]) -> dict[str, float]:
    lower, upper = (np.concatenate([getattr(one, end) for one in predicted]) for end in ("lower", "upper"))
    return {"coverage": coverage(actual, lower, upper), "mean_width": float((upper - lower).mean())}


def validation(
    registered: dict[str, Any], table: TimedTable | None, procedure: Procedure, level: float
) -> dict[str, Any]:
    """Compute the block `validation` of evaluation.json: all figures side by side.

    headline: which of them says what to expect of days to come ("chronological", or "random" where there is none);
    level: of all intervals. random, chronological, rolling: the metrics of :func:`all_metrics`, of the regression
    before the target's bound, as published figures are (the bound makes errors smaller, if anything); intervals: the
    share of rows inside ("coverage") and "mean_width", in the target's unit, of the "classical" interval and of the
    "calibrated" one, which predictions carry (so the classical one where a model had too few rows to calibrate);
    extrapolated: how many rows lie outside the training ranges; model, refits, trained_on (numbers of rows), first,
    last: what was measured on what. Instead, {"r2": None, "reason"} where the table has no time, or too few rows.
    """
    found: dict[str, Any] = {RANDOM: registered}
    for name, compute in ((CHRONOLOGICAL, chronological_figure), (ROLLING, rolling_figure)):
        found[name] = {"r2": None, "reason": "The rows have no time."}
        if table is None:
            continue
        try:
            found[name] = compute(table, procedure)
        except TrainingError as error:
            found[name]["reason"] = str(error)
        if found[name]["r2"] is None:
            found[name].setdefault("reason", "The latest rows all have the same actual value.")
    headline = RANDOM if found[CHRONOLOGICAL]["r2"] is None else CHRONOLOGICAL
    return {"headline": headline, "level": level, **found}
