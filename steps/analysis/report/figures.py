"""The figures of the run report as SVG text, drawn from numbers alone: the same numbers give the same bytes.

Colours are CSS classes of the report's style sheet, so that figures follow its light and dark colours. Each figure is
an image with a title and a description for those who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from analysis.evaluation.rows import LabelledRows
from analysis.model.artefact import LinearModel
from analysis.report.interpretation import number

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 460, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 18, 14, 52
_MOST_POINTS = 1500
"""Points drawn of one series; of longer ones, only evenly spaced points are, so that the file stays small."""
_KINDS = ("points-train", "points-test")
_RESIDUAL = "actual \N{MINUS SIGN} predicted"


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
    """A scatter plot with the straight line y = line[0] + line[1] * x, where a perfect model would be.

    name: unique in the document. description: for those who do not see it; caption: what to look for. labels: of the x
    and the y axis; x_text writes a tick of the x axis.
    """

    name: str
    title: str
    description: str
    caption: str
    series: Sequence[Series]
    labels: tuple[str, str]
    line: tuple[float, float]
    x_text: Callable[[float], str] | None = None


def scatter(plot: Plot) -> Markup:
    """Draw the plot as an SVG image."""
    series = [_thinned(one) for one in plot.series]
    x = _scale(np.concatenate([one.x for one in series]), _LEFT, _WIDTH - _RIGHT)
    y = _scale(np.concatenate([one.y for one in series]), _HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(x, y, plot), _line(x, y, plot.line)]
    parts += [_points(one, x, y) for one in series]
    name = escape(plot.name)
    head = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(plot.title)}</title><desc id="{name}-d">{escape(plot.description)}</desc>'
    )
    # Every text in it is escaped, or a number written here.
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704


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


def _points(series: Series, x: Scale, y: Scale) -> str:
    # One path of dots (lines without length, drawn with round ends) is a tenth of the size of as many circles.
    dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x(series.x), y(series.y), strict=True))
    return f'<path class="{series.kind}" d="{dots}"/>'


def _line(x: Scale, y: Scale, line: tuple[float, float]) -> str:
    """Draw the part of the line that is inside the plot."""
    intercept, slope = line
    left, right = x.low, x.high
    if slope > 0:
        left, right = max(left, (y.low - intercept) / slope), min(right, (y.high - intercept) / slope)
    if left >= right or not y.low <= intercept + slope * left <= y.high:
        return ""
    ends = [(float(x(value)), float(y(intercept + slope * value))) for value in (left, right)]
    return '<path class="ideal" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>'.format(*ends[0], *ends[1])


def _grid(x: Scale, y: Scale, plot: Plot) -> str:
    bottom, parts = _HEIGHT - _BOTTOM, []
    for value in ticks(y.low, y.high):
        at = float(y(value))
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{at + 4.5:.1f}" text-anchor="end">{_text(value)}</text>')
    for value in ticks(x.low, x.high, 6):
        at = float(x(value))
        text = escape(plot.x_text(value)) if plot.x_text else _text(value)
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP}V{bottom}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 19}" text-anchor="middle">{text}</text>')
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    parts.append(
        f'<text class="label" x="{middle_x:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(plot.labels[0])}</text>'
    )
    parts.append(
        f'<text class="label" transform="translate(14 {middle_y:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(plot.labels[1])}</text>"
    )
    return "".join(parts)


def _text(value: float) -> str:
    if value == 0.0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e6:  # noqa: PLR2004
        return f"{value:.0e}".replace("-", "\N{MINUS SIGN}", 1 if value < 0 else 0)
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")


def residual_plots(model: LinearModel, sides: tuple[LabelledRows, LabelledRows]) -> list[Plot]:
    """Plot predicted against actual, residuals against predicted and over time, and the normal Q-Q plot.

    sides: training and test rows.
    """
    train, test = sides
    predicted = [model.predict(rows.inputs).prediction for rows in sides]
    residuals = [rows.actual - values for rows, values in zip(sides, predicted, strict=True)]
    days = [np.array([float(date.fromisoformat(day).toordinal()) for day in rows.days]) for rows in sides]
    first, last = min(*train.days, *test.days), max(*train.days, *test.days)
    expected, ordered = normal_quantiles(residuals[0])
    correlation = float(np.corrcoef(expected, ordered)[0, 1]) if ordered.std() > 0 else math.nan
    spread = number(float(residuals[1].std()))
    drawn = [
        (Series(kind, x, rows.actual), Series(kind, x, errors), Series(kind, when, errors))
        for kind, x, rows, errors, when in zip(_KINDS, predicted, sides, residuals, days, strict=True)
    ]
    against_actual, against_predicted, over_time = zip(*drawn, strict=True)
    return [
        Plot(
            name="predicted",
            title="Predicted against actual",
            description=f"Scatter plot of {test.actual.size} test and {train.actual.size} training days around the "
            "line where both are equal.",
            caption="On the line, the prediction was right; above it, there were more rentals than predicted.",
            series=against_actual,
            labels=("predicted rentals", "actual rentals"),
            line=(0.0, 1.0),
        ),
        Plot(
            name="residuals",
            title="Residuals against predicted",
            description="Scatter plot of actual minus predicted rentals around the zero line; their standard deviation "
            f"on the test days is {spread}.",
            caption="A shapeless band around zero is what a good model leaves. A funnel means that errors grow, a bend "
            "that the relation is not a straight line.",
            series=against_predicted,
            labels=("predicted rentals", _RESIDUAL),
            line=(0.0, 0.0),
        ),
        Plot(
            name="time",
            title="Residuals over time",
            description=f"Scatter plot of actual minus predicted rentals from {first} to {last}.",
            caption="Stretches above or below zero: something lasts for days that the features do not know.",
            series=over_time,
            labels=("day", _RESIDUAL),
            line=(0.0, 0.0),
            x_text=lambda ordinal: date.fromordinal(max(1, round(ordinal))).strftime("%Y-%m"),
        ),
        Plot(
            name="quantiles",
            title="Normal Q-Q plot of the training residuals",
            description=f"Quantile plot of {ordered.size} residuals; their correlation with normal quantiles is "
            f"{correlation:.3f}.",
            caption="Points on the line are as a normal distribution has them. Ends that leave it are more "
            "extreme days than it has.",
            series=[Series(_KINDS[0], expected, ordered)],
            labels=("quantiles of a normal distribution", "standardised residuals"),
            line=(0.0, 1.0),
        ),
    ]
