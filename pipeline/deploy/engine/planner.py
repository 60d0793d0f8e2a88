"""Compare what should be with what is; then act, in dependency order; or remove everything again."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import is_missing
from pipeline.deploy.engine.resource import Action, Change, Difference, ForeignResource, Removal, Resource, differences
from pipeline.errors import DeploymentError

_CONCURRENT_DESCRIPTIONS = 6
#: Longer than the minute for which SQS keeps a removed queue's name.
_SETTLING_SECONDS = 90
#: Error codes of what is over in a moment; some services add ``Exception``.
_TRANSIENT = {"ConcurrentModification", "OperationAborted", "QueueDeletedRecently"}
_VERBS = {Action.CREATE: "Creating", Action.UPDATE: "Changing", Action.PAUSE: "Pausing"}
#: Attempts to remove a resource that another destroy removes at the same time.
_REMOVALS = 5


@dataclass(frozen=True)
class Plan:
    """What has to be done to each resource, in the order in which it can be done."""

    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether nothing differs."""
        return all(change.action is Action.KEEP for change in self.changes)

    @property
    def refusals(self) -> list[DeploymentError]:
        """List the changes that AWS can't make to a resource that exists."""
        found = [
            change.resource.refusal({item.field: item for item in change.differences})
            for change in self.changes
            if change.action is Action.UPDATE
        ]
        return [refusal for refusal in found if refusal is not None]

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

    Raises:
        DeploymentError: AWS refused a description, or was not reached.
    """
    # Describing only reads, and most of its time goes into waiting for answers.
    with ThreadPoolExecutor(_CONCURRENT_DESCRIPTIONS) as pool:
        return Plan(pause_orphans(tuple(pool.map(lambda resource: _compare(resource, aws), resources))))


def _compare(resource: Resource, aws: Aws) -> Change:
    with aws_errors(f"Describing {resource.kind} {resource.name}", aws, DeploymentError):
        current = resource.current(aws)
    if current is None:
        return Change(resource, Action.CREATE)
    if isinstance(current, ForeignResource):
        return Change(resource, Action.KEEP, note=current.reason)
    found = differences(current, resource.desired())
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
        DeploymentError: AWS can't make one of the changes, so none is made; or it names the resource that could not be
            created or changed, and those before it are done.
    """
    for refusal in plan.refusals:
        raise refusal
    for change in plan.changes:
        if change.action is Action.KEEP:
            continue
        resource = change.resource
        with aws_errors(f"{_VERBS[change.action]} {resource.kind} {resource.name}", aws, DeploymentError):
            for attempt in _retry_transient(aws):
                with attempt:
                    _carry_out(change, aws)
        progress(change)


def _carry_out(change: Change, aws: Aws) -> None:
    if change.action is Action.CREATE:
        change.resource.create(aws)
    elif change.action is Action.UPDATE:
        change.resource.update(aws, {difference.field: difference for difference in change.differences})
    else:
        change.resource.pause(aws)


def _retry_transient(aws: Aws) -> Retrying:
    return Retrying(
        retry=retry_if_exception(lambda error: not aws.is_local and is_transient(error)),
        wait=wait_fixed(5),
        stop=stop_after_delay(_SETTLING_SECONDS),
        reraise=True,
    )


def is_transient(error: BaseException) -> bool:
    """Say whether AWS refuses only for the moment.

    A new role takes seconds to be known to the services that assume it; a queue's name is free a minute after the queue
    was removed, a bucket's and a log group's soon after; a change by another call is over in a moment.
    """
    if not isinstance(error, ClientError):
        return False
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    if code == "ValidationException":
        return "role" in message and "assume" in message
    return code.rpartition(".")[2].removesuffix("Exception") in _TRANSIENT


def destroy(
    resources: Sequence[Resource], aws: Aws, *, keep_data: bool, progress: Callable[[Resource, Removal], None] = _silent
) -> None:
    """Remove everything, last created first: triggers go before what they start. Removing twice is not an error.

    ``keep_data`` leaves buckets with objects in them, feature groups and registered models. ``progress`` is called with
    each resource and what came of it.
    """
    for resource in reversed(resources):
        with aws_errors(f"Removing {resource.kind} {resource.name}", aws, DeploymentError):
            removed = _remove(resource, aws, keep_data=keep_data)
        progress(resource, removed)


def _remove(resource: Resource, aws: Aws, *, keep_data: bool) -> Removal:
    """Remove a resource; where somebody else has just removed a part of it, try again with what is left."""
    for _ in range(_REMOVALS - 1):
        try:
            return resource.delete(aws, keep_data=keep_data)
        except ClientError as error:
            if not is_missing(error):
                raise
    return resource.delete(aws, keep_data=keep_data)
