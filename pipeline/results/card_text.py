"""A model card for people who read it in a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDEST_BAR = 30
_SECTIONS = ("model_overview", "intended_uses", "business_details", "training_details")


def print_card(title: str, card: Mapping[str, Any], console: Console) -> None:
    """Print all that a card says: texts section by section, metrics as tables, plots as bars or as numbers."""
    console.print(title, style="bold", markup=False)
    rest = [name for name in card if name not in {*_SECTIONS, "evaluation_details", "additional_information"}]
    for name in (*_SECTIONS, *rest):
        if name in card:
            _print_section(_words(name), _lines(card[name]), console)
    for evaluation in card.get("evaluation_details", []):
        _print_evaluation(evaluation, console)
    if "additional_information" in card:
        _print_section("Additional information", _lines(card["additional_information"]), console)


def _print_section(title: str, lines: Iterator[tuple[str, str]], console: Console) -> None:
    console.print(f"\n{title}", style="bold", markup=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", ratio=1)
    table.add_column(ratio=3, overflow="fold")
    for label, text in lines:
        table.add_row(_plain(label), _plain(text))
    console.print(table)


def _print_evaluation(evaluation: Mapping[str, Any], console: Console) -> None:
    console.print(f"\n{evaluation.get('name', 'Evaluation')}", style="bold", markup=False)
    if evaluation.get("evaluation_observation"):
        console.print(evaluation["evaluation_observation"], markup=False)
    for group in evaluation.get("metric_groups", []):
        figures = [metric for metric in group["metric_data"] if not isinstance(metric["value"], list)]
        if figures:
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(style="dim")
            table.add_column(justify="right")
            table.add_column(style="dim", overflow="fold")
            for metric in figures:
                table.add_row(*map(_plain, (metric["name"], _number(metric["value"]), metric.get("notes", ""))))
            console.print(table)
        for metric in group["metric_data"]:
            if isinstance(metric["value"], list):
                _print_plot(metric, console)


def _print_plot(metric: Mapping[str, Any], console: Console) -> None:
    """Print a bar chart as bars, a graph as its points, a matrix as a table."""
    axes = [metric[axis] for axis in ("x_axis_name", "y_axis_name") if isinstance(metric.get(axis), str)]
    console.print(f"\n{metric['name']}" + (f" ({', '.join(axes)})" if axes else ""), markup=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in _rows(metric):
        table.add_row(*map(_plain, row))
    console.print(table)
    if metric.get("notes"):
        console.print(metric["notes"], style="dim", markup=False)


def _rows(metric: Mapping[str, Any]) -> Iterator[list[str]]:
    values, columns, rows = metric["value"], metric.get("x_axis_name"), metric.get("y_axis_name")
    if metric["type"] == "bar_chart":
        longest = max(map(abs, values)) or 1
        names = columns if isinstance(columns, list) else [str(number) for number in range(1, len(values) + 1)]
        for name, value in zip(names, values, strict=False):
            yield [name, _number(value), "█" * round(_WIDEST_BAR * abs(value) / longest)]
        return
    if isinstance(columns, list):
        yield [""] * isinstance(rows, list) + columns
    for number, row in enumerate(values):
        yield (rows[number : number + 1] if isinstance(rows, list) else []) + [_number(value) for value in row]


def _lines(part: Any, label: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of a part of a card, each with the name of its field."""
    if isinstance(part, Mapping):
        if {"name", "value"} <= part.keys():
            yield str(part["name"]), _number(part["value"])
            return
        for name, value in part.items():
            yield from _lines(value, _words(str(name)))
    elif isinstance(part, list):
        for one in part:
            yield from _lines(one, label)
    else:
        yield label, _number(part)


def _words(name: str) -> str:
    words = " ".join({"arn": "ARN", "id": "ID"}.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _plain(text: object) -> Text:
    """Return a text that rich takes as it is, whatever brackets it has."""
    return Text(str(text))
