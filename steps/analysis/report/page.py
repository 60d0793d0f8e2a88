"""The run report: one HTML file that holds all it needs and opens from disk.

The page is a Jinja template with automatic escaping, so that nothing from the data (file names, columns, levels) can
become markup. All numbers come from evaluation.json, quality.json and summary.json; the figures from the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.dataset.declaration import Dataset
from analysis.evaluation.rows import LabelledRows
from analysis.evaluation.validation import FIGURES
from analysis.model.archive import Archive
from analysis.report.figures import residual_plots
from analysis.report.interpretation import findings, number, p_value

_FILES = Path(__file__).parent / "files"
_ABSENT: dict[str, Any] = {
    **dict.fromkeys(("bins", "checks", "columns", "findings", "notes", "removed_columns", "repairs"), ()),
    "file": "unnamed file",
    "sha256": "",
    "form": "unknown",
    **dict.fromkeys(("first", "last")),
    "rows": {"read": None, "used": None},
    "missing_cells": {},
}
"""Shown for what the quality.json of an older version lacks."""


def templates() -> Environment:
    """Return the environment of the report's templates, with the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(_FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = {"unit": lambda value: _minus(number(value)), "share": "{:.1%}".format, "pvalue": p_value}
    environment.filters.update(
        {"num": figure, "first_capital": _first_capital} | {name: _or_dash(text) for name, text in texts.items()}
    )
    return environment


def report_html(
    archive: Archive,
    sides: tuple[LabelledRows, LabelledRows],
    quality: dict[str, Any],
    evaluation: dict[str, Any],
    dataset: Dataset,
) -> str:
    """Render the whole page; the same arguments give the same text."""
    summary, quality = archive.summary, _ABSENT | quality
    intervals = [interval for column in quality["bins"] for interval in column["intervals"]]
    means = [interval["mean_target"] or 0.0 for interval in intervals]
    return (
        templates()
        .get_template("report.html.jinja")
        .render(
            # Our own file, not data.
            style=Markup((_FILES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
            archive=archive,
            coefficients=summary.get("coefficients", []),
            evaluation=evaluation,
            excluded=summary.get("excluded", {}),
            figures=summary.get("figures", {}),
            first_fit=summary.get("first_fit"),
            findings=findings(evaluation, summary, dataset.words),
            plots=residual_plots(archive.model, sides),
            drift=evaluation.get("drift"),
            published=evaluation.get("published"),
            quality=quality,
            measured=[name for name in FIGURES if evaluation["validation"][name]["r2"] is not None],
            robust=summary.get("robust_errors"),
            largest_mean=max(means, default=1.0) or 1.0,
            ranking=sorted(summary.get("ranking", {}).items(), key=lambda item: (item[1], item[0])),
            units={name: column.unit for name, column in dataset.columns.items()},
            dataset=dataset,
            words=dataset.words,
        )
    )


def figure(value: Any) -> str:
    """Write a figure of a table: whole numbers as they are, others with enough digits, None as a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str | bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size != 0.0 and (size < 1e-4 or size >= 1e9):  # noqa: PLR2004
        return _minus(f"{value:.3e}")
    return _minus(f"{value:,.1f}" if size >= 1e5 else f"{value:,.2f}" if size >= 10 else f"{value:.4f}")  # noqa: PLR2004


def _first_capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _or_dash(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "\N{EN DASH}" if value is None else text(value)


def _minus(text: str) -> str:
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text
