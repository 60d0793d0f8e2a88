"""Plan, deploy and destroy one environment: compile, compare, act, say what was done. Drift is a plan, too."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import cache_folder, compiled_definitions
from pipeline.deploy.engine.planner import Plan, apply_plan, destroy, make_plan, settled_plan
from pipeline.deploy.engine.rendering import (
    print_change,
    print_removal,
    print_removal_summary,
    print_summary,
    replacement_lines,
)
from pipeline.deploy.engine.resource import Removal, Resource
from pipeline.deploy.stack import resources, resources_to_remove
from pipeline.errors import DeploymentError
from pipeline.settings.environment import Settings


def plan_environment(settings: Settings, aws: Aws) -> Plan:
    """Return what deploy would do; nothing is changed.

    Raises:
        DeclarationError: model cards would not meet the organisation's standard.
        DefinitionError: a job would need the internet.
    """
    from pipeline.deploy.checks import CHECKS_OF_PLANS, refuse_incomplete_card, refuse_wrong_definitions

    refuse_incomplete_card(settings)
    aws.check_account()
    bundle = bundle_of(settings)
    refuse_wrong_definitions(settings, bundle, CHECKS_OF_PLANS)
    return make_plan(resources(settings, bundle, compiled_definitions(settings, bundle)), aws)


def drift_environment(settings: Settings, aws: Aws) -> Plan:
    """Return what differs from settings and sources.

    For a while after a deployment from this machine, AWS may still show settings as they were before it: until then,
    what differs is looked at again.
    """
    aws.check_account()
    bundle = bundle_of(settings)
    found = resources(settings, bundle, compiled_definitions(settings, bundle))
    try:
        age = time.time() - _changed_file(settings).stat().st_mtime
    except OSError:
        age = float("inf")
    return settled_plan(found, aws, max(0.0, aws.pace.settling - age))


def _changed_file(settings: Settings) -> Path:
    """Return the file that is written whenever this machine changes the environment."""
    return cache_folder().parent / "changed" / f"{settings.account_id}-{settings.region}-{settings.prefix}"


def _note_change(settings: Settings) -> None:
    with suppress(OSError):  # as on a read-only disk: then drift looks once
        _changed_file(settings).parent.mkdir(parents=True, exist_ok=True)
        _changed_file(settings).touch()


def deploy_environment(
    settings: Settings,
    aws: Aws,
    console: Console,
    *,
    approved: str | None = None,
    agree: Callable[[Sequence[str]], bool] = lambda _: False,
) -> Plan:
    """Bring the environment to what the settings say; safe to interrupt and to repeat.

    ``approved`` is the identity of the plan that somebody has reviewed; None applies whatever plan there is, but asks
    ``agree`` first where something would be replaced, with a line on each.

    Raises:
        DeploymentError: the plan is not the approved one; nobody agreed to a replacement; or a resource could not be
            created or changed.
        DefinitionError: the offline checks find a problem in a definition; nothing is changed.
    """
    with console.status("Planning"):
        plan = plan_environment(settings, aws)
    if approved not in {None, plan.identity} and not plan.is_empty:
        raise DeploymentError(
            f"The plan is now {plan.identity}, not {approved}: settings, sources or resources have changed since.",
            hint=f"Review it again: {NAME} plan {settings.options}",
        )
    if plan.replacements and approved is None and not agree(replacement_lines(plan)):
        raise DeploymentError(
            "Nothing was changed: nobody has agreed that this is replaced: "
            + ", ".join(f"{change.resource.kind} {change.resource.name}" for change in plan.replacements),
            hint=f"Look at {NAME} plan {settings.options}; then: {NAME} deploy {settings.options} --yes",
        )
    if not plan.is_empty:
        from pipeline.deploy.checks import refuse_wrong_definitions

        refuse_wrong_definitions(settings, bundle_of(settings))

    try:
        apply_plan(plan, aws, lambda change: print_change(change, console))
        if not plan.is_empty:
            _note_change(settings)
    except KeyboardInterrupt:
        _print_interrupted("What was done stays", f"{NAME} deploy {settings.options}", console)
        raise
    print_summary(plan, console)
    return plan


def destroy_environment(
    settings: Settings, aws: Aws, console: Console, *, keep_data: bool
) -> list[tuple[Resource, Removal]]:
    """Remove the environment's resources, triggers first; return each with what came of it.

    Needs no compiled definition, so no SDK.
    """
    aws.check_account()
    done: list[tuple[Resource, Removal]] = []

    def report(resource: Resource, removal: Removal) -> None:
        done.append((resource, removal))
        print_removal(resource, console, removal)

    again = f"{NAME} destroy {settings.options}" + ("" if keep_data else " --delete-data")
    try:
        destroy(resources_to_remove(settings, bundle_of(settings)), aws, keep_data=keep_data, progress=report)
    except KeyboardInterrupt:
        _print_interrupted("What was removed is gone", again, console)
        raise
    print_removal_summary([removal for _, removal in done], console, settings)
    return done


def _print_interrupted(what: str, command: str, console: Console) -> None:
    console.print(f"Interrupted. {what}; continue with: {command}", markup=False, soft_wrap=True)
