"""The charts of a model card: each type of graph that its schema has, as a picture."""

from __future__ import annotations

import importlib
import io
import re
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from localmaker.services.sagemaker.registry.card_content import Chart, number_text

_BLUE, _GREY = "#1f5a93", "#666666"
WIDTH = 6.85  # inches
_LOWEST, _HEIGHT = 1.9, 2.7
_PIXELS_PER_INCH = 200
_MARKED_POINTS, _UPRIGHT_BARS, _SHORT_LABEL = 30, 12, 9
_LABEL_CHARACTERS = 30
_DARK = 0.6
_UNIT = re.compile(r"\(([^()]+)\)$")


def heights(chart: Chart) -> tuple[float, float]:
    """Return the least height of a chart, in which its labels do not touch, and a good one; in inches."""
    count = len(chart.value)
    if chart.type == "matrix":
        return 0.9 + 0.19 * count, 0.9 + 0.27 * count
    if chart.type == "bar_chart" and not _upright(_bar_labels(chart)):
        return 0.9 + 0.145 * count, 0.9 + 0.19 * count
    return _LOWEST, _HEIGHT


def chart_png(chart: Chart, fonts: Sequence[Path] = (), height: float | None = None) -> bytes:
    """Return a chart as PNG, as wide as a page's text.

    Args:
        chart: to draw.
        fonts: for characters that matplotlib's own typeface lacks.
        height: in inches; None for a good one.
    """
    figures: Any = importlib.import_module("matplotlib.figure")
    texts: Any = importlib.import_module("matplotlib.text")
    size = (WIDTH, height or heights(chart)[1])
    figure = figures.Figure(figsize=size, dpi=_PIXELS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    _DRAWN[chart.type](axes, chart)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, color=_GREY)
    for text in figure.findobj(texts.Text):
        text.set_parse_math(False)  # a dollar sign is one
        text.set_fontfamily(["DejaVu Sans", *map(_family, fonts)])
    written = io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


@cache
def _family(font: Path) -> str:
    """Return the name of a font that matplotlib may not know, as it was installed later."""
    fonts: Any = importlib.import_module("matplotlib.font_manager").fontManager
    fonts.addfont(font)
    return str(fonts.ttflist[-1].name)


def _lines(axes: Any, chart: Chart) -> None:
    points = sorted(chart.value)
    units = {match[1] for name in (*chart.x_names, *chart.y_names) if (match := _UNIT.search(name))}
    if len(units) == 1 and _UNIT.search(chart.x_names[0] if chart.x_names else ""):
        # Axes of the same unit: a reader compares one with the other.
        ends = [end(number for point in points for number in point) for end in (min, max)]
        axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle="--", label="the same on both axes")
        axes.legend(fontsize=7, frameon=False, loc="upper left")
    marker = "o" if len(points) <= _MARKED_POINTS else ""
    axes.plot([x for x, _ in points], [y for _, y in points], color=_BLUE, linewidth=1.5, marker=marker, markersize=3)
    axes.grid(visible=True, alpha=0.25)
    _name_axes(axes, chart.x_names, chart.y_names)


def _bar_labels(chart: Chart) -> list[str]:
    named = len(chart.x_names) == len(chart.value)
    return [_short(name) for name in chart.x_names] if named else [str(n) for n in range(1, len(chart.value) + 1)]


def _upright(labels: Sequence[str]) -> bool:
    return len(labels) <= _UPRIGHT_BARS and max(map(len, labels), default=0) <= _SHORT_LABEL


def _bars(axes: Any, chart: Chart) -> None:
    labels = _bar_labels(chart)
    x_names = () if len(chart.x_names) == len(chart.value) else chart.x_names
    places = range(len(chart.value))
    if _upright(labels):
        axes.bar(places, chart.value, color=_BLUE, width=0.6)
        axes.set_xticks(places, labels)
        axes.axhline(0, color=_GREY, linewidth=0.8)
        axes.grid(visible=True, axis="y", alpha=0.25)
        _name_axes(axes, x_names, chart.y_names)
    else:
        axes.barh(places, chart.value, color=_BLUE, height=0.6)
        axes.set_yticks(places, labels)
        axes.margins(y=0.01)
        axes.invert_yaxis()
        axes.axvline(0, color=_GREY, linewidth=0.8)
        axes.grid(visible=True, axis="x", alpha=0.25)
        _name_axes(axes, chart.y_names, x_names)
    axes.set_axisbelow(True)


def _matrix(axes: Any, chart: Chart) -> None:
    rows, columns = len(chart.value), max(map(len, chart.value))
    cells = [[*row, *[float("nan")] * (columns - len(row))] for row in chart.value]
    numbers = [cell for row in chart.value for cell in row]
    low, high = min(numbers), max(numbers)
    axes.imshow(cells, cmap="Blues", aspect="auto", vmin=low, vmax=high if high > low else low + 1)
    for y, row in enumerate(chart.value):
        for x, cell in enumerate(row):
            dark = (cell - low) > _DARK * (high - low)
            axes.text(x, y, number_text(cell), ha="center", va="center", size=7, color="white" if dark else "black")
    x_named, y_named = len(chart.x_names) == columns > 1, len(chart.y_names) == rows > 1
    x_labels = [_short(name) for name in chart.x_names] if x_named else [str(n) for n in range(1, columns + 1)]
    y_labels = [_short(name) for name in chart.y_names] if y_named else [str(n) for n in range(1, rows + 1)]
    steep = sum(map(len, x_labels)) > 80  # noqa: PLR2004 - as many as fit side by side
    axes.set_xticks(range(columns), x_labels, rotation=60 if steep else 0, ha="right" if steep else "center")
    axes.set_yticks(range(rows), y_labels)
    _name_axes(axes, () if x_named else chart.x_names, () if y_named else chart.y_names)


def _name_axes(axes: Any, x_names: Sequence[str], y_names: Sequence[str]) -> None:
    axes.set_xlabel(", ".join(x_names), size=8)
    axes.set_ylabel(textwrap.fill(", ".join(y_names), _LABEL_CHARACTERS), size=8)


def _short(name: str) -> str:
    return name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…"


_DRAWN = {"linear_graph": _lines, "bar_chart": _bars, "matrix": _matrix}
