"""The linear model as data: model.json, and predictions with intervals computed from nothing else.

Needs numpy only: it travels in the model archive beside inference.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.model.baseline import Baseline, baseline_from, nonsense_of
from analysis.runtime.errors import ModelError
from analysis.runtime.names import HISTORY_GAP

FORMAT = "bikeshare-linear-model/1"
MODEL_JSON = "model.json"
_BESIDE = "beside_inputs"
"""Member of model.json: what a row to predict has after its inputs."""
INTERVAL_LEVEL = 0.95
"""Share of new rows that the prediction intervals of a fitted model are to hold."""
CONSTANT = "const"
_LONGEST_QUOTE = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """Lowest and highest value of one column on the training rows."""

    minimum: float
    maximum: float

    @property
    def width(self) -> float:
        """The range that is scaled to 1; 1 for a column that never changed, as in scikit-learn's MinMaxScaler."""
        return (self.maximum - self.minimum) or 1.0


@dataclass(frozen=True)
class Calibration:
    """Half the width of a prediction interval that was measured on predictions of rows that had not been seen.

    method: how, in words (see analysis.model.calibration); half_width: in the target's unit; rows: of how many errors.
    by_gap: history gap → half_width, both rising, of a model with features of the past; the first is that of no gap.
    """

    method: str
    half_width: float
    rows: int
    by_gap: tuple[tuple[int, float], ...] = ()

    def half_widths(self, gaps: Floats) -> Floats:
        """Return it for each history gap: between two measured ones in proportion, beyond them the largest."""
        if not self.by_gap:
            return np.full(gaps.shape, self.half_width)
        measured, widths = zip(*self.by_gap, strict=True)
        found: Floats = np.interp(gaps, measured, widths)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        known = {"method": self.method, "half_width": self.half_width, "rows": self.rows}
        return known | ({"by_gap": [list(pair) for pair in self.by_gap]} if self.by_gap else {})


@dataclass(frozen=True)
class Predictions:
    """Predicted values with the bounds of their prediction intervals; each of shape (rows,), in the target's unit.

    extrapolated: whether an input of the row lies outside its training range; None where the ranges are not known.
    """

    prediction: Floats
    lower: Floats
    upper: Floats
    extrapolated: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class LinearModel:
    """A fitted linear regression.

    input_columns: the values of a row, in order, unscaled.
    selected: the columns that have a coefficient, a subset of input_columns in that order.
    coefficients: of the scaled selected columns, aligned with `selected`.
    covariance: of (intercept, *coefficients), in that order, shape (1 + selected, 1 + selected).
    residual_variance: sum of squared residuals / residual_degrees_of_freedom of the training rows.
    t_quantile: Student-t quantile at (1 + interval_level) / 2 with residual_degrees_of_freedom.
    calibration: of the interval; None in models made before there was one, and with too few training rows.
    lower_bound: below which no target lies, so that no prediction and no end of an interval does; None for none.
    ranges: of every input column on the training rows, unscaled; empty in models made before they were noted.
    preparation: how rows of the table become input columns: variant of the profile, and what was learned for it.
    has_past: whether features of the past are among the inputs. Rows to predict end with their history gap then, which
        is no feature, but widens the interval (see analysis.features.past).
    baseline: of the training rows; None in models made before there was one.
    """

    profile: str
    target: str
    input_columns: tuple[str, ...]
    selected: tuple[str, ...]
    intercept: float
    coefficients: tuple[float, ...]
    bounds: dict[str, Bounds]
    residual_variance: float
    residual_degrees_of_freedom: int
    covariance: tuple[tuple[float, ...], ...]
    interval_level: float
    t_quantile: float
    calibration: Calibration | None = None
    lower_bound: float | None = None
    ranges: dict[str, Bounds] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    preparation: dict[str, Any] = field(default_factory=dict)
    has_past: bool = False
    baseline: Baseline | None = None

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The values of a row that is to be predicted, in order: the inputs, and what is said beside them."""
        return (*self.input_columns, HISTORY_GAP) if self.has_past else self.input_columns

    def parted(self, rows: Floats) -> tuple[Floats, Floats | None]:
        """Part rows of `row_columns` into the inputs and the history gaps; None for a model without a past.

        Raises ModelError for rows of another shape, and a gap below 0.
        """
        if not self.has_past:
            return rows, None
        if rows.ndim != 2 or rows.shape[1] != len(self.row_columns):  # noqa: PLR2004
            raise self._other_shape(rows, self.row_columns)
        gaps = rows[:, -1]
        if (gaps < 0.0).any():
            raise ModelError(f"Row {int((gaps < 0.0).argmax()) + 1}: its {HISTORY_GAP} is below 0.")
        return rows[:, :-1], gaps

    def scaled(self, rows: Floats) -> list[Floats]:
        """Scale the selected columns of `rows` (shape (n, len(input_columns))): one array of shape (n,) each."""
        self._refuse_other_shape(rows)
        columns = []
        for name in self.selected:
            values, bounds = rows[:, self.input_columns.index(name)], self.bounds.get(name)
            columns.append(values if bounds is None else (values - bounds.minimum) / bounds.width)
        return columns

    def _refuse_other_shape(self, rows: Floats) -> None:
        if rows.ndim != 2 or rows.shape[1] != len(self.input_columns):  # noqa: PLR2004
            raise self._other_shape(rows, self.input_columns)

    @staticmethod
    def _other_shape(rows: Floats, columns: tuple[str, ...]) -> ModelError:
        return ModelError(
            f"The model takes {len(columns)} values a row ({', '.join(columns)}); the data has shape {rows.shape}."
        )

    def fitted(self, rows: Floats) -> Floats:
        """Evaluate the regression for `rows` as :meth:`predict` does, whatever bound the target has: shape (n,).

        Columns are added one after the other rather than by a matrix product, so that a row's value is the same to the
        last bit whatever other rows come in the same request.
        """
        fitted = np.full(rows.shape[0], self.intercept)
        for coefficient, values in zip(self.coefficients, self.scaled(rows), strict=True):
            fitted = fitted + coefficient * values
        return fitted

    def predict(self, rows: Floats, gaps: Floats | None = None, *, classical: bool = False) -> Predictions:
        """Predict for `rows` of shape (n, len(input_columns)), unscaled; gaps: their history gaps, None for none.

        The interval is the calibrated one, or the classical one (Student's t, which assumes that errors are normal,
        independent and equally large) where it is asked for or the model has no other.
        """
        prediction = self.fitted(rows)
        if classical or self.calibration is None:
            variance = self.residual_variance + self._mean_variance(self.scaled(rows), rows.shape[0])
            half_width = self.t_quantile * np.sqrt(variance)
        else:
            half_width = self.calibration.half_widths(np.zeros(rows.shape[0]) if gaps is None else gaps)
        bound = -np.inf if self.lower_bound is None else self.lower_bound
        return Predictions(
            np.maximum(prediction, bound),
            np.maximum(prediction - half_width, bound),
            np.maximum(prediction + half_width, bound),
            self.extrapolated(rows),
        )

    def extrapolated(self, rows: Floats) -> NDArray[np.bool_] | None:
        """Say of each row whether a value lies outside its column's training range; None without known ranges."""
        self._refuse_other_shape(rows)
        if not self.ranges:
            return None
        outside = np.zeros(rows.shape[0], dtype=np.bool_)
        for position, name in enumerate(self.input_columns):
            values = rows[:, position]
            outside |= (values < self.ranges[name].minimum) | (values > self.ranges[name].maximum)
        return outside

    def _mean_variance(self, columns: list[Floats], count: int) -> Floats:
        """Compute the variance of each row's estimated mean: x' C x with x = (1, scaled columns)."""
        terms = [np.ones(count), *columns]
        total = np.zeros(count)
        for i, left in enumerate(terms):
            row = np.zeros(count)
            for j, right in enumerate(terms):
                row = row + self.covariance[i][j] * right
            total = total + left * row
        # Rounding can leave a tiny negative number where the true variance is 0 (an exact fit).
        return np.maximum(total, 0.0)

    def to_json(self) -> str:
        """Write the text of model.json; floats are written so that reading gives the same bits."""
        document = {
            "format": FORMAT,
            "profile": self.profile,
            "target": self.target,
            "input_columns": list(self.input_columns),
            **({_BESIDE: [HISTORY_GAP]} if self.has_past else {}),
            "selected_features": list(self.selected),
            "intercept": self.intercept,
            "coefficients": dict(zip(self.selected, self.coefficients, strict=True)),
            "scaler": {name: asdict(bounds) for name, bounds in self.bounds.items()},
            "residual_variance": self.residual_variance,
            "residual_degrees_of_freedom": self.residual_degrees_of_freedom,
            "covariance": {"order": ["intercept", *self.selected], "values": [list(row) for row in self.covariance]},
            "interval": {
                "level": self.interval_level,
                "t_quantile": self.t_quantile,
                "calibration": None if self.calibration is None else self.calibration.to_dict(),
            },
            "lower_bound": self.lower_bound,
            "ranges": {name: asdict(bounds) for name, bounds in self.ranges.items()},
            "training": self.training,
            "provenance": self.provenance,
            "preparation": self.preparation,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
        }
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def model_from_json(text: str, *, source: str = MODEL_JSON) -> LinearModel:
    """Read what `to_json` wrote; raise ModelError naming `source` for anything else."""
    try:
        document = json.loads(text, object_pairs_hook=_named_once)
        if document.get("format") != FORMAT:
            raise ModelError(f"{source}: its format is {document.get('format')!r}, this code reads {FORMAT!r}.")
        selected, interval = _names(document["selected_features"]), document["interval"]
        model = LinearModel(
            profile=_text(document["profile"]),
            target=_text(document["target"]),
            input_columns=_names(document["input_columns"]),
            selected=selected,
            intercept=_number(document["intercept"]),
            coefficients=tuple(_number(document["coefficients"][name]) for name in selected),
            bounds=_bounds_of(document["scaler"]),
            residual_variance=_number(document["residual_variance"]),
            residual_degrees_of_freedom=_whole(document["residual_degrees_of_freedom"]),
            covariance=tuple(tuple(_number(value) for value in row) for row in document["covariance"]["values"]),
            interval_level=_number(interval["level"]),
            t_quantile=_number(interval["t_quantile"]),
            # What follows is not in models of earlier versions.
            calibration=_calibration_of(interval.get("calibration")),
            lower_bound=None if (bound := document.get("lower_bound")) is None else _number(bound),
            ranges=_bounds_of(document.get("ranges", {})),
            training=dict(document["training"]),
            provenance=dict(document["provenance"]),
            preparation=dict(document.get("preparation", {})),
            has_past=_has_past(document.get(_BESIDE, [])),
            baseline=baseline_from(document.get("baseline")),
        )
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: not a model file of this project ({type(error).__name__}: {error}).") from error
    _check(model, source)
    return model


def _bounds_of(document: dict[str, Any]) -> dict[str, Bounds]:
    return {name: Bounds(_number(entry["minimum"]), _number(entry["maximum"])) for name, entry in document.items()}


def _calibration_of(document: dict[str, Any] | None) -> Calibration | None:
    if document is None:
        return None
    by_gap = tuple((_whole(gap), _number(width)) for gap, width in document.get("by_gap", []))
    return Calibration(_text(document["method"]), _number(document["half_width"]), _whole(document["rows"]), by_gap)


def _number(value: object) -> float:
    # Neither "5" nor true: whoever wrote that did not mean a number that can be relied on.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:_LONGEST_QUOTE]!r} is not a number")
    return float(value)


def _whole(value: object) -> int:
    if not _number(value).is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(_number(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:_LONGEST_QUOTE]!r} is not a text")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:_LONGEST_QUOTE]!r} is not a list of names")
    return tuple(map(_text, value))


def _has_past(beside: list[str]) -> bool:
    if beside not in ([], [HISTORY_GAP]):
        raise ValueError(f"{_BESIDE} is {beside!r}, and can only have {HISTORY_GAP}")
    return bool(beside)


def read_model(directory: Path) -> LinearModel:
    """Read model.json of an unpacked model archive."""
    path = directory / MODEL_JSON
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the model can't be read ({error}).") from error
    return model_from_json(text, source=str(path))


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{name!r} is named twice")
    return named


def _check(model: LinearModel, source: str) -> None:
    nonsense = next(_nonsense(model), None)
    if nonsense is not None:
        raise ModelError(f"{source}: {nonsense}; no training writes such a model.")


def _nonsense(model: LinearModel) -> Iterator[str]:
    """Yield what can't be in a model that was fitted; what comes later takes for granted what comes before."""
    size = len(model.selected) + 1
    if any(len(set(names)) < len(names) for names in (model.input_columns, model.selected)):
        yield "a column is named twice"
    if not set(model.selected) | set(model.bounds) <= set(model.input_columns):
        yield "a selected feature or a scaled column is not an input column"
    if len(model.covariance) != size or any(len(row) != size for row in model.covariance):
        yield f"the covariance is not {size} by {size}"
    if model.ranges and set(model.ranges) != set(model.input_columns):
        yield "its training ranges are not those of the input columns"
    calibration, known = model.calibration, [*model.bounds.values(), *model.ranges.values()]
    numbers = [model.intercept, *model.coefficients, model.residual_variance, model.t_quantile]
    numbers += [value for bound in known for value in (bound.minimum, bound.maximum)]
    numbers += [] if calibration is None else [calibration.half_width, *chain.from_iterable(calibration.by_gap)]
    numbers += [] if model.lower_bound is None else [model.lower_bound]
    if not np.isfinite([*numbers, *chain.from_iterable(model.covariance)]).all():
        yield "it contains a number that is not finite"
    if min(model.residual_variance, *(row[i] for i, row in enumerate(model.covariance))) < 0.0:
        yield "a variance is negative"
    if any(bound.minimum > bound.maximum for bound in model.bounds.values()):
        yield "the bounds of a column are reversed"
    yield from _nonsense_of_ranges_and_interval(model)


def _nonsense_of_ranges_and_interval(model: LinearModel) -> Iterator[str]:
    calibration = model.calibration
    if reversed_ranges := [name for name, bound in model.ranges.items() if bound.minimum > bound.maximum]:
        yield f"the training range of {reversed_ranges[0]} ends below its beginning"
    if any(model.ranges.get(name, bound) != bound for name, bound in model.bounds.items()):
        yield "the bounds of a scaled column are not its training range"
    if calibration is not None and (calibration.half_width < 0.0 or calibration.rows < 1):
        yield "the calibration of its interval has a negative width, or is of no rows"
    by_gap = () if calibration is None else calibration.by_gap
    if calibration is not None and by_gap and by_gap[0] != (0, calibration.half_width):
        yield "the first width by history gap is not that of no gap"
    if any(gap >= later or width > wider for (gap, width), (later, wider) in pairwise(by_gap)):
        yield "the widths by history gap do not rise with it"
    if by_gap and not model.has_past:
        yield "it has widths by history gap, and no feature of the past"
    if HISTORY_GAP in model.input_columns and model.has_past:
        yield f"{HISTORY_GAP} is an input column, and is said beside them"
    if not 0.0 < model.interval_level < 1.0 or model.t_quantile < 0.0 or model.residual_degrees_of_freedom < 1:
        yield "its interval has no level between 0 and 1, a negative quantile or no degree of freedom"
    if model.baseline is not None:
        yield from nonsense_of(model.baseline, model.input_columns)
