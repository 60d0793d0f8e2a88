"""Plans as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.deploy.planner import Plan
from pipeline.deploy.resource import Action, Change, Difference, Resource

if TYPE_CHECKING:
    from rich.console import Console

_SIGNS = {Action.CREATE: ("+", "green"), Action.UPDATE: ("~", "yellow"), Action.KEEP: (" ", "dim")}
_LONGEST_VALUE = 100


def _line(change: Change) -> str:
    sign, style = _SIGNS[change.action]
    return f"[{style}]{sign}[/] {change.resource.kind:<20} {change.resource.name}"


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _field(difference: Difference) -> str:
    return f"      {difference.field}: {_short(difference.current)} → {_short(difference.desired)}"


def print_plan(plan: Plan, console: Console) -> None:
    """Every change, field by field."""
    for change in plan.changes:
        if change.action is Action.KEEP:
            continue
        console.print(_line(change), soft_wrap=True)
        for difference in change.differences:
            console.print(_field(difference), markup=False, soft_wrap=True)
    counts = Counter(change.action for change in plan.changes)
    if plan.is_empty:
        console.print(f"No changes: all {len(plan.changes)} resources are as they should be.")
    else:
        console.print(
            f"{counts[Action.CREATE]} to create, {counts[Action.UPDATE]} to change, {counts[Action.KEEP]} unchanged. "
            "Apply with: bikeshare deploy"
        )


def print_change(change: Change, console: Console, *, done: bool) -> None:
    """One line once a change is done."""
    if done:
        console.print(_line(change), soft_wrap=True)


def print_summary(plan: Plan, console: Console) -> None:
    """What deploy did, in one line."""
    counts = Counter(change.action for change in plan.changes)
    console.print(
        f"Deployed: {counts[Action.CREATE]} created, {counts[Action.UPDATE]} changed, {counts[Action.KEEP]} unchanged."
    )


def print_removal(resource: Resource, console: Console, *, removed: bool) -> None:
    """One line for each resource of destroy."""
    sign = "[red]-[/]" if removed else " "
    note = "" if removed else "  [dim](not there, or kept for its data)[/]"
    console.print(f"{sign} {resource.kind:<20} {resource.name}{note}", soft_wrap=True)


def plan_as_json(plan: Plan) -> list[dict[str, Any]]:
    """The plan for scripts."""
    return [
        {
            "kind": change.resource.kind,
            "name": change.resource.name,
            "action": change.action.value,
            "differences": [
                {"field": item.field, "current": item.current, "desired": item.desired} for item in change.differences
            ],
        }
        for change in plan.changes
    ]
