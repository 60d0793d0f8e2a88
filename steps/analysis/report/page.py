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

from analysis.evaluation.rows import LabelledRows
from analysis.model.artefact import Archive
from analysis.reading.columns import MEASURES
from analysis.report.figures import residual_plots, scatter
from analysis.report.interpretation import findings, number, p_value

_FILES = Path(__file__).parent / "files"


def write_report(
    path: Path,
    archive: Archive,
    sides: tuple[LabelledRows, LabelledRows],
    quality: dict[str, Any],
    evaluation: dict[str, Any],
) -> None:
    """Write report.html. sides: training and test rows; evaluation: the content of evaluation.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report_html(archive, sides, quality, evaluation), encoding="utf-8")


def report_html(
    archive: Archive, sides: tuple[LabelledRows, LabelledRows], quality: dict[str, Any], evaluation: dict[str, Any]
) -> str:
    """Render the whole page; the same arguments give the same text."""
    environment = Environment(
        loader=FileSystemLoader(_FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = {"rentals": lambda value: _minus(number(value)), "share": "{:.1%}".format, "pvalue": p_value}
    environment.filters.update({"num": figure} | {name: _or_dash(text) for name, text in texts.items()})
    summary = archive.summary
    return environment.get_template("report.html.jinja").render(
        # Our own file, not data.
        style=Markup((_FILES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        archive=archive,
        coefficients=summary.get("coefficients", []),
        evaluation=evaluation,
        excluded=summary.get("excluded", {}),
        figures=summary.get("figures", {}),
        findings=findings(evaluation, summary),
        plots=[
            {"title": plot.title, "svg": scatter(plot), "caption": plot.caption}
            for plot in residual_plots(archive.model, sides)
        ],
        published=summary.get("published"),
        quality=_quality_view(quality),
        ranking=sorted(summary.get("ranking", {}).items(), key=lambda item: (item[1], item[0])),
        units={name: measure.unit for name, measure in MEASURES.items()},
    )


def _quality_view(quality: dict[str, Any]) -> dict[str, Any]:
    """Return the report's part of quality.json, with nothing missing; bars are shares of the largest mean."""
    rows = quality.get("rows") or {}
    bins = quality.get("bins") or {"edges": "fixed", "columns": []}
    means = [entry["mean_rentals"] or 0.0 for column in bins["columns"] for entry in column["intervals"]]
    return {
        "file": quality.get("file") or "unnamed file",
        "sha256": quality.get("sha256") or "",
        "form": quality.get("form") or "unknown",
        "first_day": quality.get("first_day") or "?",
        "last_day": quality.get("last_day") or "?",
        "rows": {"read": rows.get("read"), "used": rows.get("used")},
        "checks": quality.get("checks", []),
        "repairs": quality.get("repairs", []),
        "removed": quality.get("removed_columns", []),
        "columns": quality.get("columns", []),
        "missing": quality.get("missing_cells", {}),
        "upload": quality.get("upload"),
        "bins": bins,
        "largest_mean": max([*means, 1.0]),
    }


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


def _or_dash(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "\N{EN DASH}" if value is None else text(value)


def _minus(text: str) -> str:
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text
