"""Plans as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.deploy.engine.definition_diff import ABSENT, both_shortened, compare, definition_changes
from pipeline.deploy.engine.planner import Plan
from pipeline.deploy.engine.policy_diff import policy_changes, statements_of
from pipeline.deploy.engine.resource import Action, Change, Difference, Removal, Resource
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.executions.costs import estimate
from pipeline.settings.environment import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.aws.clients import Aws

_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.KEEP: (" ", "dim"),
    Action.PAUSE: ("=", "yellow"),
}
_LONGEST_VALUE = 100
_REORDERED = "the same, in another order"
#: Fields that hold a policy; it is never cut, since what it grants may stand at its end.
_POLICIES = frozenset({"policy", "trust"})


def _line(change: Change) -> str:
    sign, style = _SIGNS[change.action]
    note = f"  [dim]({change.note})[/]" if change.note else ""
    return f"[{style}]{sign}[/] {change.resource.kind:<20} {change.resource.name}{note}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


def field_lines(difference: Difference) -> list[str]:
    """One field as lines: a definition by step and argument, a policy by its grants, all else by its members."""
    field, current, desired = difference.field, difference.current, difference.desired
    if field == "definition":
        found = [change.shown(_LONGEST_VALUE) for change in definition_changes(current, desired)]
        return ["definition:", *(f"  {line}" for line in found or [_REORDERED])]
    if field in _POLICIES and statements_of(current) is not None and statements_of(desired) is not None:
        return [f"{field}:", *(f"  {line}" for line in policy_changes(current, desired))]
    lines = [f"{path}: {_sides(before, after)}" for path, before, after in compare(field, current, desired)]
    return lines or [f"{field}: {_REORDERED}"]


def created_lines(resource: Resource) -> list[str]:
    """Every field of a resource that is to be made, as lines."""
    return [line for field, value in resource.desired().items() for line in _created_field(field, value)]


def _created_field(field: str, value: Any) -> list[str]:
    if field == "definition":
        return ["definition:", *(f"  {change.shown(_LONGEST_VALUE)}" for change in definition_changes({}, value))]
    if field in _POLICIES and statements_of(value) is not None:
        return [f"{field}:", *(f"  {line}" for line in policy_changes(None, value))]
    nothing: Any = {} if isinstance(value, Mapping) else ABSENT
    return [f"{path}: {_json(after)}" for path, _, after in compare(field, nothing, value)]


def _sides(before: Any, after: Any) -> str:
    """Both sides of an arrow, neither so long that it pushes the other out of sight."""
    texts = [repr(value) if value is ABSENT else _json(value) for value in (before, after)]
    return " → ".join(both_shortened(texts[0], texts[1], _LONGEST_VALUE))


def _print_changes(plan: Plan, console: Console, *, full: bool = False) -> None:
    for change in plan.changes:
        if change.action is Action.KEEP and not change.note:
            continue
        console.print(_line(change), soft_wrap=True)
        lines = [line for difference in change.differences for line in field_lines(difference)]
        if full and change.action is Action.CREATE:
            lines = created_lines(change.resource)
        for line in lines:
            console.print(f"      {line}", markup=False, soft_wrap=True)


def print_plan(plan: Plan, console: Console, settings: Settings, *, full: bool = False) -> None:
    """Every change, field by field, and what a run of each pipeline costs.

    Args:
        plan: to show.
        console: where to.
        settings: of the environment.
        full: also every field of what would be made; else its name is all.
    """
    _print_changes(plan, console, full=full)
    counts = Counter(change.action for change in plan.changes)
    console.print()
    for pipeline in _pipelines(plan):
        console.print(
            f"A run of {pipeline.name}: {estimate(pipeline.definition, settings.region)}",
            markup=False,
            soft_wrap=True,
        )
    if plan.is_empty:
        console.print(f"No changes: all {len(plan.changes)} resources are as they should be.")
        return
    paused = f", {counts[Action.PAUSE]} to pause meanwhile" if counts[Action.PAUSE] else ""
    console.print(
        f"Plan {plan.identity}: {counts[Action.CREATE]} to create, {counts[Action.UPDATE]} to change{paused}, "
        f"{counts[Action.KEEP]} unchanged."
    )
    if plan.refusals:
        _print_refusals(plan, console)
        return
    console.print(
        f"Apply just this with: bikeshare deploy {settings.options} --plan {plan.identity}",
        markup=False,
        soft_wrap=True,
    )


def print_drift(plan: Plan, console: Console, settings: Settings) -> None:
    """What is other than settings and sources say."""
    _print_changes(plan, console)
    if plan.is_empty:
        console.print(f"No drift: all {len(plan.changes)} resources are as settings and sources say.")
        return
    count = sum(change.action is not Action.KEEP for change in plan.changes)
    found = f"{count} of {len(plan.changes)} resources are other than settings and sources say."
    if plan.refusals:
        console.print(found)
        _print_refusals(plan, console)
        return
    console.print(
        f"{found} Set them right with: bikeshare deploy {settings.options}",
        markup=False,
        soft_wrap=True,
    )


def _print_refusals(plan: Plan, console: Console) -> None:
    for refusal in plan.refusals:
        console.print(f"It can't be applied. {refusal}", markup=False, soft_wrap=True)


def _pipelines(plan: Plan) -> list[Pipeline]:
    return [change.resource for change in plan.changes if isinstance(change.resource, Pipeline)]


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


def print_next_steps(settings: Settings, aws: Aws, console: Console) -> None:
    """How a file is put and followed, as commands that somebody can copy."""
    lines = [
        f"Put a CSV:  {aws.cli(f's3 cp day.csv s3://{settings.raw_bucket}/raw/training/')}",
        f"Follow it:  {settings.command('watch raw/training/day.csv')}",
    ]
    if settings.network.wheels_folder is not None:
        folder = f"s3://{settings.artifacts_bucket}/{settings.network.wheels_folder}/"
        lines.insert(0, f"Put wheels: {aws.cli(f's3 sync wheels {folder}')}")
    if settings.alarms.emails:
        lines.append(f"Who has not confirmed SNS's mail hears of no failure: {', '.join(settings.alarms.emails)}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def print_removal(resource: Resource, console: Console, removal: Removal) -> None:
    """One line for each resource of destroy."""
    sign = "[red]-[/]" if removal else " "
    note = "" if removal else f"  [dim]({removal.value})[/]"
    console.print(f"{sign} {resource.kind:<20} {resource.name}{note}", soft_wrap=True)


def print_removal_summary(removals: Sequence[Removal], console: Console, settings: Settings) -> None:
    """What destroy did, in one line, and how what it kept is removed, too."""
    counts = Counter(removals)
    kept = counts[Removal.HOLDS_DATA] + counts[Removal.OF_OTHERS]
    console.print(
        f"Destroyed: {counts[Removal.REMOVED]} removed, {kept} kept, {counts[Removal.ABSENT]} not there any more."
    )
    if counts[Removal.HOLDS_DATA]:
        console.print(
            f"Remove what holds data, too, with: bikeshare destroy {settings.options} --delete-data",
            markup=False,
            soft_wrap=True,
        )


def plan_as_json(plan: Plan, region: str) -> dict[str, Any]:
    """The plan for scripts."""
    runs = {pipeline.name: estimate(pipeline.definition, region) for pipeline in _pipelines(plan)}
    return {
        "plan": plan.identity,
        "empty": plan.is_empty,
        "refused": [refusal.message for refusal in plan.refusals],
        "changes": [_change_as_json(change) for change in plan.changes],
        "runs": {
            name: {"seconds": run.seconds, "dollars": run.dollars, "jobs": run.jobs, "prices_as_of": run.as_of}
            for name, run in runs.items()
        },
    }


def _change_as_json(change: Change) -> dict[str, Any]:
    return {
        "kind": change.resource.kind,
        "name": change.resource.name,
        "action": change.action.value,
        "note": change.note,
        **({"desired": change.resource.desired()} if change.action is Action.CREATE else {}),
        "differences": [
            {
                "field": item.field,
                "current": item.current,
                "desired": item.desired,
                **({"lines": field_lines(item)} if item.field in {"definition", *_POLICIES} else {}),
            }
            for item in change.differences
        ],
    }
