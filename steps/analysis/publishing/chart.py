"""Predictions with their intervals as an SVG, from one row to any number: a figure of at most some hundred points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.publishing.buckets import Point
from analysis.publishing.markup import Html, element, joined
from analysis.publishing.words import figure

MOST_BARS = 60
"""Of more points the intervals are drawn as a band, and the predictions as a line."""
_LONGEST_TICK = 16
_CHARACTER, _TEXT_HEIGHT = 7.6, 5.0
"""Width of a character, and what centres a text on its line, in pixels."""


@dataclass(frozen=True)
class Size:
    """Of an image in pixels, with the room for the texts of its axes; wide screens and narrow ones have their own."""

    name: str
    width: int
    height: int
    x_ticks: int

    left, right, top, bottom = 78, 14, 12, 34


WIDE, NARROW = Size("wide", 1040, 360, 7), Size("narrow", 400, 320, 3)


@dataclass(frozen=True)
class Axes:
    """How rows and values become pixels."""

    size: Size
    rows: int
    low: float
    high: float

    def x(self, row: float) -> float:
        """Return where a row is, the first being 0."""
        width = self.size.width - self.size.left - self.size.right
        return self.size.left + (row + 0.5) / self.rows * width

    def y(self, value: float) -> float:
        """Return where a value is."""
        bottom = self.size.height - self.size.bottom
        # Half of each first: the difference of two huge numbers would be infinite.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return bottom - share * (bottom - self.size.top)


def chart(points: Sequence[Point], *, timed: bool, title: str, description: str) -> Html:
    """Draw all points twice, for wide screens and for narrow ones; the style sheet shows one of the two."""
    return joined(_drawn(points, size, timed=timed, title=title, description=description) for size in (WIDE, NARROW))


def _drawn(points: Sequence[Point], size: Size, *, timed: bool, title: str, description: str) -> Html:
    axes = axes_of(points, size)
    middles = _middles(points)
    texts = _x_texts(points, middles, axes) if timed else _ends(axes)
    places = list(zip(middles, points, strict=True))
    known = [(axes.x(x), axes.y(one.mean_actual)) for x, one in places if one.mean_actual is not None]
    marks = [
        *(_y_tick(axes, value) for value in ticks(axes.low, axes.high)),
        *_predicted(places, axes),
        _outside([(x, one) for x, one in places if one.extrapolated], axes, single=len(points) <= MOST_BARS),
        _dots("actual", known),
        *texts,
    ]
    name = f"chart-{size.name}"
    return element(
        "svg",
        element("title", title, id=f"{name}-t"),
        element("desc", description, id=f"{name}-d"),
        *marks,
        class_=f"chart {size.name}",
        viewBox=f"0 0 {size.width} {size.height}",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
    )


def axes_of(points: Sequence[Point], size: Size) -> Axes:
    """Choose the values that are drawn: all of them, with a margin."""
    means = [(one.mean("lower"), one.mean("upper"), one.mean("prediction"), one.mean_actual) for one in points]
    values = [value for four in means for value in four if value is not None]
    low, high = min(values), max(values)
    margin = (high / 2 - low / 2) * 0.08 or abs(high) * 0.1 or 1.0
    limit = 1.7e308
    return Axes(size, sum(one.count for one in points), max(low - margin, -limit), min(high + margin, limit))


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return round numbers within low..high, about as many as asked for."""
    span = high / about - low / about
    power = 10.0 ** math.floor(math.log10(span)) if span > 0 else 0.0
    step = next((power * factor for factor in (1, 2, 5, 10) if power * factor >= span), 0.0)
    if not 0.0 < step < math.inf:
        return [low]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _middles(points: Sequence[Point]) -> list[float]:
    middles, before = [], 0
    for point in points:
        middles.append(before + (point.count - 1) / 2)
        before += point.count
    return middles


def _outside(places: Sequence[tuple[float, Point]], axes: Axes, *, single: bool) -> Html:
    """Mark where rows are extrapolated: around their predictions, or where these are a line, below it."""
    if single:
        return _dots("outside", [(axes.x(x), axes.y(one.mean("prediction"))) for x, one in places])
    bottom = axes.size.height - axes.size.bottom + 1
    path = "".join(f"M{axes.x(x):.1f} {bottom}v8" for x, _ in places)
    return element("path", class_="rug", d=path) if path else Html("")


def _predicted(rows: Sequence[tuple[float, Point]], axes: Axes) -> list[Html]:
    places = [(axes.x(x), one) for x, one in rows]
    middle = [(x, axes.y(p.mean("prediction"))) for x, p in places]
    if len(places) <= MOST_BARS:
        bars = "".join(f"M{x:.1f} {axes.y(p.mean('lower')):.1f}V{axes.y(p.mean('upper')):.1f}" for x, p in places)
        return [element("path", class_="bars", d=bars), _dots("predicted", middle)]
    upper = [f"{x:.1f} {axes.y(p.mean('upper')):.1f}" for x, p in places]
    lower = [f"{x:.1f} {axes.y(p.mean('lower')):.1f}" for x, p in reversed(places)]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in middle)
    return [
        element("path", class_="band", d=f"M{'L'.join([*upper, *lower])}Z"),
        element("path", class_="line", d=f"M{line}"),
    ]


def _dots(kind: str, places: Sequence[tuple[float, float]]) -> Html:
    # One path of lines without length, drawn with round ends, is a tenth of the size of as many circles.
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
    return element("path", class_=kind, d=path) if path else Html("")


def _y_tick(axes: Axes, value: float) -> Html:
    y = axes.y(value)
    grid = element("path", class_="grid", d=f"M{axes.size.left} {y:.1f}H{axes.size.width - axes.size.right}")
    return joined([grid, _text(figure(value), axes.size.left - 8, y + _TEXT_HEIGHT, "end")])


def _text(written: str, x: float, y: float, anchor: str) -> Html:
    return element("text", written, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _x_texts(points: Sequence[Point], middles: Sequence[float], axes: Axes) -> list[Html]:
    """Write when rows happened below some of them, so far apart that no text touches the next."""
    count = min(axes.size.x_ticks, len(points))
    chosen = sorted({round(number * (len(points) - 1) / max(count - 1, 1)) for number in range(count)})
    found: list[Html] = []
    end = 0.0
    for index in chosen:
        written = points[index].first[:_LONGEST_TICK]
        half = len(written) * _CHARACTER / 2
        x = min(max(axes.x(middles[index]), half), axes.size.width - half)
        if x - half > end:
            found.append(_text(written, x, axes.size.height - 10, "middle"))
            end = x + half + _CHARACTER
    return found


def _ends(axes: Axes) -> list[Html]:
    if axes.rows == 1:
        return []
    right, bottom = axes.size.width - axes.size.right, axes.size.height - 10
    return [_text("lowest", axes.size.left, bottom, "start"), _text("highest", right, bottom, "end")]
