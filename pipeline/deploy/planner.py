"""Compare what should be with what is; then act, in dependency order; or take everything down again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.aws import Aws, aws_errors
from pipeline.deploy.resource import Action, Change, Resource, differences
from pipeline.errors import DeploymentError


@dataclass(frozen=True)
class Plan:
    """What has to be done to each resource, in the order in which it can be done."""

    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return all(change.action is Action.KEEP for change in self.changes)


#: Called before and after each change: the change, and whether it is done.
Progress = Callable[[Change, bool], None]


def _silent(_thing: object, _done: bool) -> None:
    """Tell nobody."""


def make_plan(resources: Sequence[Resource], aws: Aws) -> Plan:
    """Describe every resource and compare; changes nothing.

    Args:
        resources: desired resources in dependency order.
        aws: clients of the environment.

    Raises:
        DeploymentError: AWS did not let itself be asked.
    """
    return Plan(tuple(_compare(resource, aws) for resource in resources))


def _compare(resource: Resource, aws: Aws) -> Change:
    with aws_errors(f"Describing {resource.kind} {resource.name}", aws, DeploymentError):
        current = resource.current(aws)
    if current is None:
        return Change(resource, Action.CREATE)
    found = differences(current, resource.desired())
    return Change(resource, Action.UPDATE if found else Action.KEEP, found)


def apply_plan(plan: Plan, aws: Aws, progress: Progress = _silent) -> None:
    """Do what the plan says, first things first. Safe to interrupt, and to repeat with a new plan.

    Raises:
        DeploymentError: names the resource that could not be made or changed; those before it are done.
    """
    for change in plan.changes:
        if change.action is Action.KEEP:
            continue
        resource = change.resource
        progress(change, False)
        with aws_errors(f"{change.action.value.capitalize()} {resource.kind} {resource.name}", aws, DeploymentError):
            if change.action is Action.CREATE:
                resource.create(aws)
            else:
                resource.update(aws, {difference.field: difference for difference in change.differences})
        progress(change, True)


def destroy(
    resources: Sequence[Resource],
    aws: Aws,
    *,
    keep_data: bool,
    progress: Callable[[Resource, bool], None] = _silent,
) -> None:
    """Remove everything, last made first: triggers go before what they start. Deleting twice is no error.

    Args:
        resources: the same list that is deployed, in dependency order.
        aws: clients of the environment.
        keep_data: leave buckets with objects in them, feature groups and registered models.
        progress: told of each resource, and whether it was removed.
    """
    for resource in reversed(resources):
        with aws_errors(f"Removing {resource.kind} {resource.name}", aws, DeploymentError):
            removed = resource.delete(aws, keep_data=keep_data)
        progress(resource, removed)
