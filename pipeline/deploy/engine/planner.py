"""Compare what should be with what is; then act, in dependency order; or remove everything again."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError
from tenacity import retry_if_result

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.retries import is_taken
from pipeline.deploy.engine.resource import Action, Change, Difference, ForeignResource, Removal, Resource, differences
from pipeline.errors import DeploymentError

_CONCURRENT_DESCRIPTIONS = 6
_VERBS = {Action.CREATE: "Creating", Action.UPDATE: "Changing", Action.PAUSE: "Pausing", Action.REPLACE: "Replacing"}


@dataclass(frozen=True)
class Plan:
    """What has to be done to each resource, in the order in which it can be done."""

    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether nothing differs."""
        return all(change.action is Action.KEEP for change in self.changes)

    @property
    def replacements(self) -> list[Change]:
        """List what AWS can't change in place: it is removed and created anew."""
        return [change for change in self.changes if change.action is Action.REPLACE]

    @property
    def identity(self) -> str:
        """Return twelve hexadecimal digits that are the same for the same changes, and for no others."""
        changes = [
            {
                "kind": change.resource.kind,
                "name": change.resource.name,
                "action": change.action.value,
                "desired": change.resource.desired() if change.action is Action.CREATE else None,
                "differences": [(item.field, item.current, item.desired) for item in change.differences],
            }
            for change in self.changes
            if change.action is not Action.KEEP
        ]
        text = json.dumps(changes, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _silent(*_: object) -> None:
    """Report nothing."""


def make_plan(resources: Sequence[Resource], aws: Aws) -> Plan:
    """Describe every resource, given in dependency order, and compare; change nothing.

    What is neither wanted nor there has no line in the plan.

    Raises:
        DeploymentError: AWS refused a description, or was not reached.
    """
    # Describing only reads, and most of its time goes into waiting for answers.
    with ThreadPoolExecutor(_CONCURRENT_DESCRIPTIONS) as pool:
        compared = pool.map(lambda resource: _compare(resource, aws), resources)
        return Plan(pause_orphans(tuple(change for change in compared if change is not None)))


def settled_plan(resources: Sequence[Resource], aws: Aws, seconds: float) -> Plan:
    """Return the plan after what differs has been looked at again for some seconds: AWS may show what was before."""
    differs = retry_if_result(lambda plan: not plan.is_empty)
    looking = aws.pace.repeat(
        differs, seconds, retry_error_callback=lambda state: state.outcome and state.outcome.result()
    )
    plan: Plan = looking(make_plan, resources, aws)
    return plan


def _compare(resource: Resource, aws: Aws) -> Change | None:
    with aws_errors(f"Describing {resource.kind} {resource.name}", aws, DeploymentError):
        current = aws.pace.until_it_passes()(resource.current, aws)
    if current is None:
        return Change(resource, Action.CREATE) if resource.is_wanted else None
    if isinstance(current, ForeignResource):
        return Change(resource, Action.KEEP, note=current.reason)
    found = differences(current, resource.desired())
    if reason := resource.replacement({item.field: item for item in found}):
        return Change(resource, Action.REPLACE, found, reason)
    return Change(resource, Action.UPDATE if found else Action.KEEP, found)


def pause_orphans(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Pause the triggers whose target is missing first, and enable them after it has been created.

    So no event starts what does not exist, even if the deployment is interrupted in between.
    """
    created = [change.resource for change in changes if change.action is Action.CREATE]
    paused: list[Change] = []
    following: list[Change] = []
    for change in changes:
        if change.action is Action.CREATE or not any(change.resource.triggers(other) for other in created):
            following.append(change)
            continue
        others = tuple(difference for difference in change.differences if difference.field != "state")
        if others == change.differences:
            note = "its pipeline does not exist yet; enabled again below"
            paused.append(Change(change.resource, Action.PAUSE, note=note))
        enabling = Difference("state", "DISABLED", "ENABLED")
        following.append(Change(change.resource, Action.UPDATE, (*others, enabling)))
    return (*paused, *following)


def apply_plan(plan: Plan, aws: Aws, progress: Callable[[Change], None] = _silent) -> None:
    """Carry out the plan in its order. Safe to interrupt, and to repeat with a new plan.

    Raises:
        DeploymentError: names the resource that could not be created or changed; those before it are done.
    """
    for change in plan.changes:
        if change.action is Action.KEEP:
            continue
        resource = change.resource
        with aws_errors(f"{_VERBS[change.action]} {resource.kind} {resource.name}", aws, DeploymentError):
            _carry_out(change, aws)
        progress(change)


def _carry_out(change: Change, aws: Aws) -> None:
    """Make a change. After a refusal, look what is there by now: an earlier attempt may have got further than known."""
    for attempt in aws.pace.until_it_passes():
        with attempt:
            try:
                _make(change, aws)
            except ClientError as error:
                if change.action is Action.PAUSE:
                    raise
                wanted_new, may_replace = change.action is Action.CREATE, change.action is Action.REPLACE
                looked = _compare(change.resource, aws)
                if looked is None:
                    return  # somebody has removed what was only to rest
                change = looked
                if change.action is Action.REPLACE and not may_replace:
                    raise DeploymentError(
                        f"{change.resource.kind.capitalize()} {change.resource.name} would have to be replaced by now.",
                        hint="Plan again: it has been changed since the plan was made.",
                    ) from error
                if wanted_new and change.action is not Action.CREATE and is_taken(error):
                    _refuse_theirs(change)
                if change.action is not Action.KEEP:
                    raise


def _refuse_theirs(change: Change) -> None:
    tags = next((item.current for item in change.differences if item.field == "tags"), None)
    if tags is not None and not change.resource.is_ours(tags):
        raise DeploymentError(
            f"{change.resource.kind.capitalize()} {change.resource.name} has just been created by somebody else.",
            hint="Look whose it is; give everything here other names (setting `project`), or remove it.",
        )


def _make(change: Change, aws: Aws) -> None:
    if change.action is Action.CREATE:
        change.resource.create(aws)
    elif change.action is Action.UPDATE:
        change.resource.update(aws, {difference.field: difference for difference in change.differences})
    elif change.action is Action.REPLACE:
        change.resource.replace(aws)
    else:
        change.resource.pause(aws)


def destroy(
    resources: Sequence[Resource], aws: Aws, *, keep_data: bool, progress: Callable[[Resource, Removal], None] = _silent
) -> None:
    """Remove everything, last created first: triggers go before what they start. Removing twice is not an error.

    ``keep_data`` leaves buckets with objects in them, feature groups and registered models. ``progress`` is called with
    each resource and what came of it.
    """
    for resource in reversed(resources):
        with aws_errors(f"Removing {resource.kind} {resource.name}", aws, DeploymentError):
            # Somebody else may have just removed a part of it: try again with what is left.
            removed = aws.pace.until_it_passes()(resource.delete, aws, keep_data=keep_data)
        progress(resource, removed)
