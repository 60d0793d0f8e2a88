"""The figures of the run report, scaled to pixels; files/scatter.svg.jinja draws them.

The same numbers give the same bytes. Colours are CSS classes of the report's style sheet, so that figures follow its
light and dark colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import NormalDist

import numpy as np

from analysis.evaluation.rows import LabelledRows
from analysis.model.artefact import Floats, LinearModel

_MOST_POINTS = 1500
"""Points drawn of one series; of longer ones, only evenly spaced points are, so that the file stays small."""
_MOST_TIMES = 4
"""Ticks of an axis of time: their texts are long."""
_LONGEST_MONTH = 31
_MINUTES = 24 * 60
_KINDS = ("points-train", "points-test")


@dataclass(frozen=True)
class Series:
    """Points of shape (n,) each. kind: CSS class, "points-train" or "points-test"."""

    kind: str
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Scale:
    """A mapping of values of low..high to pixels of start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: Floats | float) -> Floats:
        """Map values to pixels."""
        share = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return np.asarray(self.start + share * (self.end - self.start))


@dataclass(frozen=True)
class Plot:
    """A scatter plot in pixels, on an image of one size with room for the texts of the axes.

    paths: CSS class and path data of the line and of the points of each series; ticks: position and text.
    """

    paths: list[tuple[str, str]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]

    width, height = 460, 330
    left, right, top, bottom = 84, 442, 14, 278


def text_of(value: float) -> str:
    """Write the text of a tick."""
    if value == 0.0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e6:  # noqa: PLR2004
        return f"{value:.0e}".replace("-", "\N{MINUS SIGN}", 1 if value < 0 else 0)
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")


def scatter(series: Sequence[Series], line: tuple[float, float], *, over_time: bool = False) -> Plot:
    """Plot the series and the straight line y = line[0] + line[1] * x, where a perfect model would be.

    over_time: whether x is in days, since the first one of the calendar.
    """
    series = [_thinned(one) for one in series]
    x = _scale(np.concatenate([one.x for one in series]), Plot.left, Plot.right)
    y = _scale(np.concatenate([one.y for one in series]), Plot.bottom, Plot.top)
    x_ticks = ticks(x.low, x.high, _MOST_TIMES if over_time else 6)
    x_text = _time_text(x_ticks) if over_time else text_of
    return Plot(
        paths=[*_line(x, y, line), *((one.kind, _dots(one, x, y)) for one in series)],
        x_ticks=[(float(x(value)), x_text(value)) for value in x_ticks],
        y_ticks=[(float(y(value)), text_of(value)) for value in ticks(y.low, y.high)],
    )


def normal_quantiles(residuals: Floats) -> tuple[Floats, Floats]:
    """Return theoretical quantiles and sorted standardised residuals, each of shape (n,)."""
    count = residuals.size
    normal = NormalDist()
    expected = np.array([normal.inv_cdf((rank - 0.375) / (count + 0.25)) for rank in range(1, count + 1)])
    spread = float(residuals.std()) or 1.0
    return expected, np.sort((residuals - residuals.mean()) / spread)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within low..high, about as many as asked for."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= about)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _scale(values: Floats, start: float, end: float) -> Scale:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return Scale(low - margin, high + margin, start, end)


def _thinned(series: Series) -> Series:
    if series.x.size <= _MOST_POINTS:
        return series
    rows = np.linspace(0, series.x.size - 1, _MOST_POINTS).round().astype(int)
    return Series(series.kind, series.x[rows], series.y[rows])


def _dots(series: Series, x: Scale, y: Scale) -> str:
    # One path of dots (lines without length, drawn with round ends) is a tenth of the size of as many circles.
    return "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x(series.x), y(series.y), strict=True))


def _line(x: Scale, y: Scale, line: tuple[float, float]) -> list[tuple[str, str]]:
    """Return the path of the part of the line that is inside the plot, if any is."""
    intercept, slope = line
    left, right = x.low, x.high
    if slope > 0:
        left, right = max(left, (y.low - intercept) / slope), min(right, (y.high - intercept) / slope)
    if left >= right or not y.low <= intercept + slope * left <= y.high:
        return []
    ends = [(float(x(value)), float(y(intercept + slope * value))) for value in (left, right)]
    return [("ideal", "M{:.1f} {:.1f}L{:.1f} {:.1f}".format(*ends[0], *ends[1]))]


@dataclass(frozen=True)
class ResidualPlots:
    """The four plots of the report, and the numbers that their descriptions name.

    predicted: actual against predicted values. residuals: against predicted values; spread: their standard deviation on
    the test rows. time: residuals from first to last time (ISO), None for rows without one. quantiles: normal Q-Q plot
    of the training residuals; correlation: of the two axes, NaN where the residuals never change.
    """

    predicted: Plot
    residuals: Plot
    spread: float
    time: Plot | None
    first: str | None
    last: str | None
    quantiles: Plot
    correlation: float


def residual_plots(model: LinearModel, sides: tuple[LabelledRows, LabelledRows]) -> ResidualPlots:
    """Plot what the regression gives, before the target's bound, and residuals of the training and test rows."""
    train, test = sides
    predicted = [model.fitted(rows.inputs) for rows in sides]
    residuals = [rows.actual - values for rows, values in zip(sides, predicted, strict=True)]
    times = None if train.times is None or test.times is None else np.concatenate([train.times, test.times])
    expected, ordered = normal_quantiles(residuals[0])
    drawn = [
        (Series(kind, x, rows.actual), Series(kind, x, errors))
        for kind, x, rows, errors in zip(_KINDS, predicted, sides, residuals, strict=True)
    ]
    over_time = [
        Series(kind, np.array([_ordinal(time) for time in rows.times]), errors)
        for kind, rows, errors in zip(_KINDS, sides, residuals, strict=True)
        if rows.times is not None
    ]
    against_actual, against_predicted = zip(*drawn, strict=True)
    return ResidualPlots(
        predicted=scatter(against_actual, (0.0, 1.0)),
        residuals=scatter(against_predicted, (0.0, 0.0)),
        spread=float(residuals[1].std()),
        time=scatter(over_time, (0.0, 0.0), over_time=True) if times is not None else None,
        first=str(min(times)) if times is not None else None,
        last=str(max(times)) if times is not None else None,
        quantiles=scatter([Series(_KINDS[0], expected, ordered)], (0.0, 1.0)),
        correlation=float(np.corrcoef(expected, ordered)[0, 1]) if ordered.std() > 0 else math.nan,
    )


def _ordinal(time: str) -> float:
    """Return days since the first day of the calendar, with the share of the day that has passed."""
    moment = datetime.fromisoformat(time)
    return moment.toordinal() + (moment - datetime.combine(moment, datetime.min.time())) / timedelta(days=1)


def _time_text(ticks: Sequence[float]) -> Callable[[float], str]:
    """Return how ticks are written: as exactly as it takes to tell each from the next."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
    pattern = "%Y-%m" if step >= _LONGEST_MONTH else "%Y-%m-%d" if step >= 1.0 else "%m-%d %H:%M"
    return lambda ordinal: _moment(ordinal).strftime(pattern)


def _moment(ordinal: float) -> datetime:
    """Return the moment to the minute; ticks may be beyond the calendar's ends."""
    last = date.max.toordinal()
    days, rest = divmod(round(min(max(1.0, ordinal), last) * _MINUTES), _MINUTES)
    return datetime.combine(date.fromordinal(days), datetime.min.time()) + timedelta(minutes=rest)
