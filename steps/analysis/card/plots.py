"""The plots of a card, each a few numbers: where predictions are wrong, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.card.metrics import Metric, bars, line, matrix
from analysis.dataset.declaration import Words
from analysis.evaluation.rows import LabelledRows
from analysis.model.artefact import CONSTANT, Floats

_BINS = 10
_QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
_PARTS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
_MOST_MONTHS = 36
_MONTH, _YEAR = 7, 4
"""Characters of an ISO time that name one."""


def plots_of_rows(test: LabelledRows, predicted: Floats, words: Words) -> list[list[Metric]]:
    """Return the plots of test rows and what was predicted for them, each as metrics or nothing."""
    errors, unit = test.actual - predicted, words.unit.many
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if part.size]
    return [
        line(
            "Actual against predicted",
            [(predicted[part].mean(), test.actual[part].mean()) for part in parts],
            (f"mean prediction ({unit})", f"mean actual value ({unit})"),
            f"The test {words.row.many} in {len(parts)} parts of the same size, by their prediction. On the diagonal "
            "predictions are right on average.",
        ),
        line(
            "Quantiles of the error",
            [(share, np.quantile(errors, share / 100)) for share in _QUANTILES],
            (f"percent of the {words.row.many}", f"actual - predicted ({unit})"),
            f"So many percent of the test {words.row.many} have a smaller error.",
        ),
        _errors_by_group(test, predicted, np.abs(errors), words),
    ]


def _errors_by_group(test: LabelledRows, predicted: Floats, sizes: Floats, words: Words) -> list[Metric]:
    """Show the mean absolute error of each month (of each year, where months are many), or by the prediction."""
    axis = f"mean absolute error ({words.unit.many})"
    if test.times is None:
        order = np.array_split(np.argsort(predicted, kind="stable"), len(_PARTS))
        by_part = {name: sizes[rows].mean() for name, rows in zip(_PARTS, order, strict=True) if rows.size}
        notes = f"The test {words.row.many} in four parts of the same size, by their prediction."
        return bars("Mean absolute error by size of the prediction", by_part, axis, notes)
    months = np.unique([time[:_MONTH] for time in test.times]).size <= _MOST_MONTHS
    labels = np.array([time[: _MONTH if months else _YEAR] for time in test.times])
    by_label = {str(label): sizes[labels == label].mean() for label in np.unique(labels)[-_MOST_MONTHS:]}
    return bars(f"Mean absolute error by {'month' if months else 'year'}", by_label, axis)


def coefficient_plots(coefficients: Sequence[dict[str, Any]], has_bounds: bool) -> list[list[Metric]]:
    """Return the plots of summary.json's coefficients, the clearest first, and not of the constant."""
    some = [entry for entry in coefficients if entry.get("name") != CONSTANT]
    some.sort(key=lambda entry: -abs(entry.get("t") or 0.0))
    scale = "Numbers are scaled to 0..1 by their training range. " if has_bounds else ""
    return [
        bars(
            "Coefficients", {entry["name"]: entry["coefficient"] for entry in some}, "change of the prediction", scale
        ),
        matrix(
            "Coefficients with their 95 % confidence interval",
            {entry["name"]: [entry.get(part) for part in ("lower_95", "coefficient", "upper_95")] for entry in some},
            ("lower bound", "coefficient", "upper bound"),
            f"{scale}Those with the largest t statistic, at most 20.",
        ),
    ]


def coverage_plot(validation: dict[str, Any], names: dict[str, str]) -> list[Metric]:
    """Show which share of the rows of each figure lies inside either interval; names: figure → its name."""
    shares = {
        f"{names[figure]}, {kind}": found["coverage"]
        for figure in names
        for kind, found in (validation.get(figure, {}).get("intervals") or {}).items()
    }
    level = validation.get("level")
    notes = f"The intervals are to hold {level:.0%}." if isinstance(level, float) else ""
    return bars("Share inside the prediction interval", shares, "share of the rows", notes)
