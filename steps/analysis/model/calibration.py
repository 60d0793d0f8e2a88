"""Prediction intervals that were measured rather than assumed: split conformal prediction.

The errors of predictions of rows that a model had not seen say how wide its interval has to be, whatever the errors'
distribution. Where rows have a time, these are the latest training rows, predicted by a model fitted on the rows before
them: what is predicted later is of the time after, too, and errors grow with distance. Features of the past say less
the older their values are, so the same rows are also predicted from older ones: a width for each history gap. Without a
time, every training row is predicted by a model fitted without its fold (cross-conformal).
docs/decisions/calibrated-intervals.md and docs/decisions/features-of-the-past.md compare.

Sources: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005); Lei, G'Sell, Rinaldo, Tibshirani,
Wasserman, "Distribution-free predictive inference for regression", JASA 113 (2018); Vovk, "Cross-conformal predictors",
Annals of Mathematics and Artificial Intelligence 74 (2015); Barber, Candes, Ramdas, Tibshirani, "Predictive inference
with the jackknife+", Annals of Statistics 49 (2021).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.model.artefact import INTERVAL_LEVEL, Calibration, Floats
from analysis.model.factor import Factor, Parts, factors_of, merged
from analysis.model.numbers import Features
from analysis.model.regression import Regression
from analysis.model.residuals import ResidualMap
from analysis.model.rows import Times, rows_of_frame
from analysis.model.selection import Procedure, choose
from analysis.runtime.errors import TrainingError

LATEST, FOLDS = "split conformal, latest training rows", "cross-conformal, seeded folds of the training rows"
USUAL_ROWS = 90
_LARGEST_SHARE, _LARGE_SHARE = 3, 10
_FOLDS = 10
_SEED = 20260101

Models = dict[int, Regression]
"""Regressions by the part of the rows that each predicts."""
Gaps = Iterable[tuple[int, Floats]]
"""Gap, and the next rows' features of the past as they would be with it, of shape (m, features), NaN for none"""


def conformal_half_width(errors: Floats, level: float = INTERVAL_LEVEL) -> float:
    """Return the finite-sample quantile of the absolute `errors` (shape (n,)): that of level (1 + 1/n).

    It interpolates between neighbours: with n = 90 these are the fourth and fifth largest errors, which are far apart.
    """
    share = min(1.0, level * (1.0 + 1.0 / errors.size))
    return float(np.quantile(np.abs(errors), share, overwrite_input=True))


def fewest_rows(level: float = INTERVAL_LEVEL) -> int:
    """Return how many errors the quantile needs to be one of them rather than beyond the largest: 19 for 95 %."""
    return math.ceil(round(level / (1.0 - level), 9))


def calibration_rows(rows: int) -> int:
    """Return how many of the latest training rows calibrate: 90, or a tenth of a large table, a third of a small one.

    0 where a third is too few for the quantile, that is below 57 rows.
    """
    count = min(max(USUAL_ROWS, rows // _LARGE_SHARE), rows // _LARGEST_SHARE)
    return count if count >= fewest_rows() else 0


def start_of_moment(times: Times, position: int) -> int:
    """Return the first position from `position` on that begins another time than its predecessor's; n for none.

    times: sorted. So that what happened at one moment is never split between past and future.
    """
    if 0 < position < len(times) and times[position] == times[position - 1]:
        return int(np.searchsorted(times, times[position], side="right"))
    return position


@dataclass(frozen=True)
class Plan:
    """How rows are parted to predict some of them by models that have not seen them.

    parts: the part of each row, shape (n,). known: part that is predicted → the parts that its model is fitted on.
    """

    method: str
    parts: Parts
    known: dict[int, tuple[int, ...]]

    def models(self, factors: Mapping[int, Factor], names: tuple[str, ...], procedure: Procedure) -> Models:
        """Fit a regression for each part that is predicted; names: of the factors' columns, the target last.

        Raises TrainingError where the rows of one are too few.
        """
        whole = {part: merged(factors[one] for one in known) for part, known in self.known.items()}
        return {part: choose(one, names, procedure).regression(one, procedure) for part, one in whole.items()}


def plan_of(count: int, times: Times | None, rows: int | None = None, level: float = INTERVAL_LEVEL) -> Plan | None:
    """Part `count` rows to calibrate on them: the latest `rows`, or folds; None where they are too few."""
    parts = np.zeros(count, dtype=np.int8)
    if times is None:
        if count < max(2 * _FOLDS, fewest_rows(level)):
            return None
        shuffled = np.random.Generator(np.random.PCG64(_SEED)).permutation(count)
        for part, fold in enumerate(np.array_split(shuffled, _FOLDS)):
            parts[fold] = part
        others = {part: tuple(other for other in range(_FOLDS) if other != part) for part in range(_FOLDS)}
        return Plan(FOLDS, parts, others)
    order = np.argsort(times, kind="stable")
    start = start_of_moment(times[order], count - (calibration_rows(count) if rows is None else rows))
    parts[order[start:]] = 1
    # With no row before the latest ones there is nothing to fit.
    return Plan(LATEST, parts, {1: (0,)}) if 0 < start <= count - fewest_rows(level) else None


class Errors:
    """The errors of predicting rows by models that have not seen them: add all rows, then ask for the calibration."""

    def __init__(self, plan: Plan, models: Models, names: tuple[str, ...] = (), past: Sequence[str] = ()) -> None:
        """Take the models of the plan; past: those of the columns' names that are features of the past."""
        self._plan, self.models = plan, models
        self._start, self._predicted = 0, 0
        self._errors = np.empty(np.count_nonzero(np.isin(plan.parts, list(models))))
        self._past: list[Floats] = []
        self._positions = [names.index(name) for name in past]
        first = next(iter(models.values()))
        slopes = dict(zip(first.columns, first.slopes, strict=True))
        self._slopes = [slopes.get(name, 0.0) for name in past]

    def add(self, batch: Floats, residuals: Floats) -> None:
        """Add the next rows, of all columns, and their residuals by each model."""
        parts = self._plan.parts[self._start : self._start + len(batch)]
        self._start += len(batch)
        for number, part in enumerate(self.models):
            errors = residuals[parts == part, number]
            self._errors[self._predicted : self._predicted + len(errors)] = errors
            self._predicted += len(errors)
        if self._positions:
            self._past.append(batch[:, self._positions][np.isin(parts, list(self.models))])

    def calibration(self, level: float = INTERVAL_LEVEL, older: Gaps = ()) -> Calibration:
        """Return the width of the interval that holds the errors; older: see :data:`Gaps`, of the same rows."""
        errors = self._errors
        half_width = conformal_half_width(errors, level)
        return Calibration(
            self._plan.method, half_width, errors.size, tuple(self._wider(errors, older, half_width, level))
        )

    def _wider(self, errors: Floats, older: Gaps, first: float, level: float) -> Iterator[tuple[int, float]]:
        """Yield history gap and half-width, of rows predicted from older values; nothing where there are none.

        errors, first: the errors and the width without a gap. An interval is never narrower for knowing less, so no
        width is below the one before it. It ends where too few rows have values so old.
        """
        predicted = np.isin(self._plan.parts, list(self.models))
        starts: Counter[int] = Counter()
        kept: dict[int, list[Floats]] = {}
        for gap, values in older:
            kept.setdefault(gap, []).append(values[predicted[starts[gap] : starts[gap] + len(values)]])
            starts[gap] += len(values)
        if not kept:
            return
        yield 0, first
        past, slopes, widest = np.concatenate(self._past), np.array(self._slopes), first
        for gap in sorted(kept):
            # A prediction is linear in the values, so it changes by what they change times their coefficients.
            changed = errors + (past - np.concatenate(kept[gap])) @ slopes
            complete = changed[~np.isnan(changed)]
            if complete.size < fewest_rows(level):
                return
            widest = max(widest, conformal_half_width(complete, level))
            yield gap, widest


def calibrate(
    features: Features,
    target: Floats,
    procedure: Procedure,
    times: Times | None = None,
    *,
    rows: int | None = None,
    level: float = INTERVAL_LEVEL,
    by_gap: Mapping[int, Features] | None = None,
) -> Calibration | None:
    """Measure the half-width of the interval on training rows alone; None where they are too few.

    features, target, times: of n training rows in any order; times None for rows without one. rows: how many of the
    latest rows calibrate, by default :func:`calibration_rows`. by_gap: history gap → features of the past as they would
    be with it, of the same rows, NaN where they would have none.
    """
    table = rows_of_frame(features, target)
    plan = plan_of(table.count, times, rows, level)
    if plan is None:
        return None
    older = {gap: values.to_numpy(dtype=np.float64) for gap, values in (by_gap or {}).items()}
    past = [str(name) for values in list((by_gap or {}).values())[:1] for name in values.columns]
    try:
        models = plan.models(factors_of(table.batches(), plan.parts), table.columns, procedure)
    except TrainingError:
        return None
    errors, predicted = Errors(plan, models, table.columns, past), ResidualMap.of([*models.values()])
    for batch in table.batches():
        errors.add(batch, predicted.residuals(batch)[1])
    return errors.calibration(level, older.items())
