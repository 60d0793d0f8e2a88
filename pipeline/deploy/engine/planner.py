"""Compare what should be with what is; then act, in dependency order; or take everything down again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import is_missing
from pipeline.deploy.engine.resource import (
    Action,
    Change,
    Difference,
    LeftAlone,
    PartlyFixed,
    Removal,
    Resource,
    differences,
)
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.rules import Rule
from pipeline.errors import DeploymentError

_QUESTIONS_AT_ONCE = 6
#: Longer than the minute for which SQS keeps a removed queue's name.
_SETTLING_SECONDS = 90
_PASSING = frozenset(
    {
        *("ConcurrentModification", "ConcurrentModificationException", "OperationAborted"),
        *("OperationAbortedException", "QueueDeletedRecently"),
    }
)
_DOING = {Action.CREATE: "Creating", Action.UPDATE: "Changing", Action.PAUSE: "Pausing"}
#: How often a resource is removed again where another destroy removes the same.
_REMOVALS = 5


@dataclass(frozen=True)
class Plan:
    """What has to be done to each resource, in the order in which it can be done."""

    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return all(change.action is Action.KEEP for change in self.changes)

    @property
    def refusals(self) -> list[DeploymentError]:
        """What stands in its way: what AWS lets nobody change of a resource that is there."""
        found = [
            change.resource.refusal({item.field: item for item in change.differences})
            for change in self.changes
            if change.action is Action.UPDATE and isinstance(change.resource, PartlyFixed)
        ]
        return [refusal for refusal in found if refusal is not None]

    @property
    def identity(self) -> str:
        """Twelve hexadecimal digits that are the same for the same changes, and for no others."""
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


#: Called before and after each change: the change, and whether it is done.
Progress = Callable[[Change, bool], None]


def _silent(_thing: object, _done: object) -> None:
    """Tell nobody."""


def make_plan(resources: Sequence[Resource], aws: Aws) -> Plan:
    """Describe every resource and compare; changes nothing.

    Args:
        resources: desired resources in dependency order.
        aws: clients of the environment.

    Raises:
        DeploymentError: AWS did not let itself be asked.
    """
    # Asking only reads, and most of its time is waiting for answers.
    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        return Plan(pause_orphans(tuple(pool.map(lambda resource: _compare(resource, aws), resources))))


def _compare(resource: Resource, aws: Aws) -> Change:
    with aws_errors(f"Describing {resource.kind} {resource.name}", aws, DeploymentError):
        current = resource.current(aws)
    if current is None:
        return Change(resource, Action.CREATE)
    if isinstance(current, LeftAlone):
        return Change(resource, Action.KEEP, note=current.reason)
    found = differences(current, resource.desired())
    return Change(resource, Action.UPDATE if found else Action.KEEP, found)


def pause_orphans(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Let rules rest first whose pipeline is not there, and enable them after it has been made.

    So no event starts what does not exist, also where deployment is interrupted in between.
    """
    absent = {
        change.resource.arn
        for change in changes
        if isinstance(change.resource, Pipeline) and change.action is Action.CREATE
    }

    def is_orphan(change: Change) -> bool:
        return (
            isinstance(change.resource, Rule)
            and change.resource.starts in absent
            and change.action is not Action.CREATE
        )

    orphans = [change for change in changes if is_orphan(change)]
    first = [
        Change(orphan.resource, Action.PAUSE, note="its pipeline is not there; enabled again below")
        for orphan in orphans
        if all(difference.field != "state" for difference in orphan.differences)
    ]
    enabled_again = {id(orphan): _enabling(orphan) for orphan in orphans}
    return (*first, *(enabled_again.get(id(change), change) for change in changes))


def _enabling(change: Change) -> Change:
    others = tuple(difference for difference in change.differences if difference.field != "state")
    return Change(change.resource, Action.UPDATE, (*others, Difference("state", "DISABLED", "ENABLED")))


def apply_plan(plan: Plan, aws: Aws, progress: Progress = _silent) -> None:
    """Do what the plan says, first things first. Safe to interrupt, and to repeat with a new plan.

    Raises:
        DeploymentError: something can't be changed at all, and nothing is; or it names the resource that could not be
            made or changed, and those before it are done.
    """
    for refusal in plan.refusals:
        raise refusal
    for change in plan.changes:
        if change.action is Action.KEEP:
            continue
        resource = change.resource
        progress(change, False)
        with aws_errors(f"{_DOING[change.action]} {resource.kind} {resource.name}", aws, DeploymentError):
            for attempt in _while_something_settles(aws):
                with attempt:
                    _carry_out(change, aws)
        progress(change, True)


def _carry_out(change: Change, aws: Aws) -> None:
    if change.action is Action.CREATE:
        change.resource.create(aws)
    elif change.action is Action.UPDATE:
        change.resource.update(aws, {difference.field: difference for difference in change.differences})
    elif isinstance(change.resource, Rule):
        change.resource.pause(aws)


def _while_something_settles(aws: Aws) -> Retrying:
    return Retrying(
        retry=retry_if_exception(lambda error: not aws.is_local and passes_by_itself(error)),
        wait=wait_fixed(5),
        stop=stop_after_delay(_SETTLING_SECONDS),
        reraise=True,
    )


def passes_by_itself(error: BaseException) -> bool:
    """Whether AWS refuses only for the moment.

    A role that was just made takes seconds to be known to the services that it is handed to; a queue's name is free a
    minute after the queue was removed, a bucket's and a log group's soon after; a change that another call is making is
    over in a moment.
    """
    if not isinstance(error, ClientError):
        return False
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    if code == "ValidationException":
        return "role" in message and "assume" in message
    return code.rpartition(".")[2] in _PASSING


def destroy(
    resources: Sequence[Resource],
    aws: Aws,
    *,
    keep_data: bool,
    progress: Callable[[Resource, Removal], None] = _silent,
) -> None:
    """Remove everything, last made first: triggers go before what they start. Deleting twice is no error.

    Args:
        resources: the same list that is deployed, in dependency order.
        aws: clients of the environment.
        keep_data: leave buckets with objects in them, feature groups and registered models.
        progress: told of each resource, and what came of it.
    """
    for resource in reversed(resources):
        with aws_errors(f"Removing {resource.kind} {resource.name}", aws, DeploymentError):
            removed = _remove(resource, aws, keep_data=keep_data)
        progress(resource, removed)


def _remove(resource: Resource, aws: Aws, *, keep_data: bool) -> Removal:
    """Remove a resource; where somebody else has just removed a part of it, look again at what is left."""
    for _ in range(_REMOVALS - 1):
        try:
            return resource.delete(aws, keep_data=keep_data)
        except ClientError as error:
            if not is_missing(error):
                raise
    return resource.delete(aws, keep_data=keep_data)
