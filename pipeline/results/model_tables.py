"""Versions of the model as tables that 80 columns hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.results.model_comparison import Comparison, Row, data_sha256
from pipeline.results.registry import ModelVersion

_DIGEST = 12
_STATUS = {"Approved": "approved", "Rejected": "rejected", "PendingManualApproval": "pending"}
_DECIDED = {"Approved": "approved", "Rejected": "rejected"}
_SHOWN = {"r2": "R-squared", "rmse": "RMSE", "mae": "MAE"}
_LARGE, _MANY_DIGITS = 1000.0, 40


def print_versions(found: Sequence[ModelVersion], evaluations: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print versions with metrics, profile and data; and who decided what of each, when and why."""
    table = _grid()
    table.add_column("", no_wrap=True)
    table.add_column("Version", justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Model", overflow="fold", ratio=4)
    table.add_column("Registered and decided", overflow="fold", ratio=5)
    for version, evaluation in zip(found, evaluations, strict=True):
        status = "in use" if version.in_use else _STATUS.get(version.approval, version.approval)
        cells = ["→" if version.in_use else "", str(version.version), status]
        lines = ["\n".join(_model(version, evaluation)), "\n".join(_history(version, evaluation))]
        style = "bold" if version.in_use else ""
        table.add_row(*(Text(cell, style=style) for cell in cells), *(Text(line) for line in lines))
    console.print(table)


def _model(version: ModelVersion, evaluation: Mapping[str, Any]) -> list[str]:
    lines = [f"profile {version.profile}"]
    if digest := data_sha256(version, evaluation):
        lines.append(f"data {digest[:_DIGEST]}")
    lines += _figures(evaluation) or [f"{name} {_number(value)}" for name, value in [*version.metrics.items()][:3]]
    if not version.scores_new_rows:
        needed = " and ".join(version.never_known) or "columns"
        lines.append(f"can't score new files: needs {needed}")
    return lines


def _figures(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the metrics of the test rows, and those of days to come where there are any."""
    validation = evaluation.get("validation") or {}
    blocks = {"test rows": evaluation.get("test") or {}, "to come": validation.get("chronological") or {}}
    return [
        f"{title}: " + ", ".join(f"{_SHOWN[key]} {_number(block[key])}" for key in _SHOWN if block.get(key) is not None)
        for title, block in blocks.items()
        if block.get("r2") is not None
    ]


def _history(version: ModelVersion, evaluation: Mapping[str, Any]) -> list[str]:
    lines = [f"{version.created:%Y-%m-%d %H:%M} registered"]
    if version.decided is not None:
        by = f" by {short_name(version.decided_by)}" if version.decided_by else ""
        lines.append(f"{version.decided:%Y-%m-%d %H:%M} {_DECIDED[version.approval]}{by}")
    if version.reason:
        lines.append(f"“{version.reason}”")
    if said := challenge_in_words(evaluation.get("previous_model") or {}):
        lines.append(said)
    return lines


def challenge_in_words(block: Mapping[str, Any]) -> str:
    """Say in a line what came of the comparison with the version that was in use; "" where there was none."""
    other = f"version {block.get('version')}"
    if block.get("status") in {"not comparable", "unreadable"}:
        return f"not compared with {other}: {block.get('reason')}"
    verdict, change = block.get("verdict"), (block.get("difference") or {}).get("rmse")
    if not verdict or change is None:
        return ""
    said = f"{verdict} than {other}"
    if verdict not in {"better", "worse"}:
        said = f"no difference from {other} that these rows can show"
    ends = (block.get("difference_intervals") or {}).get("rmse")
    interval = f" (95 %: {_signed(ends[0])} to {_signed(ends[1])})" if ends else ""
    return f"{said}: RMSE {_signed(change)}{interval}"


def short_name(arn: str) -> str:
    """Return who it is without the beginning of the ARN, such as ``ann`` or ``Admin/ann``."""
    name = arn.rpartition(":")[2]
    return name.partition("/")[2] or name


def print_comparison(found: Comparison, console: Console) -> None:
    """Print what two versions are of, then their metrics and coefficients with their differences."""
    left, right = f"Version {found.left}", f"Version {found.right}"
    about = _grid()
    for title in ("", left, right, ""):
        about.add_column(title, overflow="fold")
    for row in found.about:
        same = "" if row.left == row.right else "differs"
        about.add_row(row.name, *(Text(_short(value)) for value in (row.left, row.right)), same)
    console.print(about)
    if found.challenge:
        said = challenge_in_words(found.challenge)
        console.print(f"On the same rows, version {found.challenge['challenger']}: {said}", markup=False)
    if found.metrics:
        console.print()
        console.print(_numbers("Metric, each version on rows of its own file", left, right, found.metrics))
    console.print()
    console.print(_numbers("Coefficient, for one unit of the column", left, right, found.coefficients))


def _numbers(title: str, left: str, right: str, rows: Sequence[Row]) -> Table:
    table = _grid()
    table.add_column(title, overflow="fold")
    for name in (left, right, "Difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        difference = "" if row.difference is None else _signed(row.difference)
        table.add_row(Text(row.name), *(_or_dash(value) for value in (row.left, row.right)), difference)
    return table


def _grid() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="bold")


def _or_dash(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= _LARGE else f"{value:.4g}"


def _signed(value: float) -> str:
    return f"+{_number(value)}" if value > 0 else _number(value).replace("-", "\N{MINUS SIGN}", 1)


def _short(value: str | None) -> str:
    """Cut checksums, which are for machines; as many characters tell them apart."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value[:_DIGEST]}…" if len(value) >= _MANY_DIGITS and value.isalnum() else value
