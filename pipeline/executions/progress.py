"""Executions on the screen: a live table in a terminal, one plain line for each change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.executions.view import ExecutionView, StepView

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MARKS = {
    "Succeeded": ("✔", "green"),
    "Failed": ("✘", "bold red"),
    "Executing": ("▶", "cyan"),
    "Starting": ("▶", "cyan"),
    "Stopping": ("■", "yellow"),
    "Stopped": ("■", "yellow"),
    "Waiting": ("·", "dim"),
    "NotRun": ("-", "dim"),
}
_WORDS = {"NotRun": "not run", "Waiting": "waiting", "Executing": "running", "Succeeded": "done"}


def duration(value: float | None) -> str:
    """``4.2 s``, ``3 min 20 s``, or nothing."""
    if value is None:
        return ""
    if value < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def describe(step: StepView) -> str:
    """State in words: ``done``, ``done (from cache)``, ``running`` …"""
    word = _WORDS.get(step.status, step.status.lower())
    return f"{word} (from cache)" if step.cached else word


def first_line(text: str, limit: int = 160) -> str:
    """The first line of a reason, cut where it would not fit."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= limit else line[: limit - 1] + "…"


def table(execution: ExecutionView) -> Table:
    """One row a step, indented under its condition."""
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column()
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(overflow="ellipsis", no_wrap=True, style="dim")
    for step in execution.steps:
        mark, style = _MARKS.get(step.status, ("?", ""))
        note = "" if step.status == "Failed" else first_line(step.reason)
        grid.add_row(
            f"[{style}]{mark}[/]",
            f"{'  ' * step.depth}{escape(step.name)}",
            f"[{style}]{describe(step)}[/]",
            duration(step.seconds(datetime.now(UTC))),
            escape(f"{step.kind}{': ' + note if note else ''}"),
        )
    return grid


def cost_line(execution: ExecutionView, *, local: bool, brief: bool = False) -> str:
    """What the execution has cost so far, or would have cost where it runs on this machine."""
    found = execution.cost(datetime.now(UTC))
    cost = found.amount if brief else str(found)
    return f"Cost: nothing here; on AWS this time would be {cost}" if local else f"Cost so far: {cost}"


def follow(views: Iterable[ExecutionView], console: Console, *, local: bool) -> ExecutionView:
    """Show views until the last one and return it; live where the output is a terminal.

    Args:
        views: of one execution.
        console: where to.
        local: whether it runs on this machine, where nothing is billed.
    """
    return _live(views, console, local=local) if console.is_terminal else _plain(views, console)


def _live(views: Iterable[ExecutionView], console: Console, *, local: bool) -> ExecutionView:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    last: ExecutionView | None = None
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        for last in views:
            took = duration(last.seconds(datetime.now(UTC)))
            live.update(
                Group(
                    table(last),
                    Text(f"  {took}  {cost_line(last, local=local, brief=True)}", style="dim", no_wrap=True),
                )
            )
    return _required(last)


def _plain(views: Iterable[ExecutionView], console: Console) -> ExecutionView:
    shown: dict[str, str] = {}
    last: ExecutionView | None = None
    for last in views:
        for step in last.steps:
            state = describe(step)
            if step.status in {"Waiting", "NotRun", "Starting"} or shown.get(step.name) == state:
                continue
            shown[step.name] = state
            took = duration(step.seconds(step.ended)) if step.ended else ""
            note = first_line(step.reason) if step.status != "Failed" else ""
            line = "  ".join(part for part in (f"{step.name:<20}", state, took, note) if part)
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            sys.stdout.flush()
    return _required(last)


def _required(last: ExecutionView | None) -> ExecutionView:
    assert last is not None, "an execution has at least one view"  # noqa: S101
    return last
