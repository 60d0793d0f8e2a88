"""Plans as text and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws
from pipeline.deploy.engine.definition_diff import ABSENT, both_sides, compare, definition_changes, readable
from pipeline.deploy.engine.planner import Plan
from pipeline.deploy.engine.policy import policy_changes, statements_of
from pipeline.deploy.engine.resource import Action, Change, Difference, Removal, Resource
from pipeline.executions.costs import Estimate, estimate
from pipeline.settings.contract import upload_prefix
from pipeline.settings.environment import Settings

_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.KEEP: (" ", "dim"),
    Action.REPLACE: ("±", "red"),
    Action.PAUSE: ("=", "yellow"),
}
_LONGEST_VALUE = 100
#: Fields that hold a policy; it is never cut, since what it grants may be at its end.
_POLICIES = frozenset({"policy", "trust"})


def _print(console: Console, *lines: str) -> None:
    """Print lines as they are: brackets are no markup, and long ones are not broken, so that they can be copied."""
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def field_lines(difference: Difference, *, created: bool = False) -> list[str]:
    """Write one field as lines: a definition by step and argument, a policy by its grants, all else by its members."""
    field, current, desired = difference.field, difference.current, difference.desired
    reordered = "the same, in another order"
    if field == "definition":
        found = definition_changes(current, desired, _LONGEST_VALUE)
        return ["definition:", *(f"  {line}" for line in found or [reordered])]
    if field in _POLICIES and statements_of(current) is not None and statements_of(desired) is not None:
        return [f"{field}:", *(f"  {line}" for line in policy_changes(current, desired))]
    changes = compare(field, current, desired)
    if created:
        return [f"{path}: {readable(after)}" for path, _, after in changes]
    return [f"{path}: {both_sides(before, after, _LONGEST_VALUE)}" for path, before, after in changes] or [
        f"{field}: {reordered}"
    ]


def created_lines(resource: Resource) -> list[str]:
    """Write every field of a resource that is to be created."""
    lines = []
    for field, value in resource.desired().items():
        nothing: Any = None if field in _POLICIES else {} if isinstance(value, Mapping) else ABSENT
        lines += field_lines(Difference(field, nothing, value), created=True)
    return lines


def print_change(change: Change, console: Console) -> None:
    """Print a resource and what is done with it, on one line."""
    sign, style = _SIGNS[change.action]
    # A replacement's is a sentence of its own, below the plan.
    note = f"  [dim]({change.note})[/]" if change.note and change.action is not Action.REPLACE else ""
    console.print(f"[{style}]{sign}[/] {change.resource.kind:<20} {change.resource.name}{note}", soft_wrap=True)


def _print_changes(plan: Plan, console: Console, *, full: bool = False) -> None:
    for change in plan.changes:
        if change.action is Action.KEEP and not change.note:
            continue
        print_change(change, console)
        lines = [line for difference in change.differences for line in field_lines(difference)]
        if full and change.action is Action.CREATE:
            lines = created_lines(change.resource)
        _print(console, *(f"      {line}" for line in lines))


def print_plan(plan: Plan, console: Console, settings: Settings, *, full: bool = False) -> None:
    """Print every change, field by field, and what a run of each pipeline costs.

    ``full`` shows every field of what would be created, and not only its name.
    """
    _print_changes(plan, console, full=full)
    console.print()
    _print(console, *(f"A run of {name}: {cost}" for name, cost in _estimates(plan, settings.region).items()))
    if plan.is_empty:
        console.print(f"No changes: all {len(plan.changes)} resources are up to date.")
        return
    counts = Counter(change.action for change in plan.changes)
    paused = f", {counts[Action.PAUSE]} to pause meanwhile" if counts[Action.PAUSE] else ""
    replaced = f", {counts[Action.REPLACE]} to replace" if counts[Action.REPLACE] else ""
    console.print(
        f"Plan {plan.identity}: {counts[Action.CREATE]} to create, {counts[Action.UPDATE]} to change"
        f"{replaced}{paused}, {counts[Action.KEEP]} unchanged."
    )
    command = f"Apply exactly this plan with: {NAME} deploy {settings.options} --plan {plan.identity}"
    _print(console, *replacement_lines(plan), command)


def print_drift(plan: Plan, console: Console, settings: Settings) -> None:
    """Print what differs from settings and sources."""
    _print_changes(plan, console)
    if plan.is_empty:
        console.print(f"No drift: all {len(plan.changes)} resources match settings and sources.")
        return
    count = sum(change.action is not Action.KEEP for change in plan.changes)
    found = f"{count} of {len(plan.changes)} resources differ from settings and sources."
    command = f"Restore them with: {NAME} deploy {settings.options}"
    _print(console, *replacement_lines(plan), f"{found} {command}")


def replacement_lines(plan: Plan) -> list[str]:
    """Say of each resource that is to be replaced what is lost with it."""
    return [
        f"DESTRUCTIVE: {item.resource.kind} {item.resource.name} is replaced: {item.note}."
        for item in plan.replacements
    ]


def _estimates(plan: Plan, region: str) -> dict[str, Estimate]:
    """Estimate the costs of one run of each pipeline, by its name."""
    definitions = {change.resource.name: change.resource.executed_definition() for change in plan.changes}
    return {name: estimate(text, region) for name, text in definitions.items() if text is not None}


def print_summary(plan: Plan, console: Console) -> None:
    """Print what deploy did, in one line."""
    counts = Counter(change.action for change in plan.changes)
    replaced = f", {counts[Action.REPLACE]} replaced" if counts[Action.REPLACE] else ""
    console.print(
        f"Deployed: {counts[Action.CREATE]} created, {counts[Action.UPDATE]} changed{replaced}, "
        f"{counts[Action.KEEP]} unchanged."
    )


def print_next_steps(settings: Settings, aws: Aws, console: Console) -> None:
    """Print how to upload a file and follow it, as commands that can be copied."""
    uploads, download = upload_prefix("training"), settings.declared.download
    name = "table.csv" if download is None else download.member
    lines = [
        f"Put a CSV:  {aws.cli(f's3 cp {name} s3://{settings.raw_bucket}/{uploads}')}",
        f"Follow it:  {settings.command(f'watch {uploads}{name}')}",
    ]
    if settings.alarms.emails:
        lines.append(f"Confirm the mail from SNS to be told of failures: {', '.join(settings.alarms.emails)}")
    _print(console, *lines)


def print_removal(resource: Resource, console: Console, removal: Removal) -> None:
    """Print what came of removing one resource."""
    sign = "[red]-[/]" if removal else " "
    note = "" if removal else f"  [dim]({removal.value})[/]"
    console.print(f"{sign} {resource.kind:<20} {resource.name}{note}", soft_wrap=True)


def print_removal_summary(removals: Sequence[Removal], console: Console, settings: Settings) -> None:
    """Print what destroy did, in one line, and how to remove the data that it kept."""
    counts = Counter(removals)
    kept = counts[Removal.HOLDS_DATA] + counts[Removal.LOCKED] + counts[Removal.NOT_OURS]
    console.print(f"Destroyed: {counts[Removal.REMOVED]} removed, {kept} kept, {counts[Removal.ABSENT]} already gone.")
    if counts[Removal.HOLDS_DATA]:
        _print(console, f"Remove the data as well with: {NAME} destroy {settings.options} --delete-data")


def plan_as_json(plan: Plan, region: str) -> dict[str, Any]:
    """Return the plan for scripts."""
    return {
        "plan": plan.identity,
        "empty": plan.is_empty,
        "destructive": bool(plan.replacements),
        "changes": [_change_as_json(change) for change in plan.changes],
        "runs": {name: _run_as_json(run) for name, run in _estimates(plan, region).items()},
    }


def _run_as_json(run: Estimate) -> dict[str, Any]:
    to_predictions = run.predictions or run.whole
    return {
        "seconds": run.whole.seconds,
        "seconds_to_predictions": to_predictions.seconds,
        "job_starts_to_predictions": to_predictions.job_starts,
        "dollars": run.dollars,
        "jobs": run.jobs,
        "prices_as_of": run.as_of,
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
