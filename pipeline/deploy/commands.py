"""Plan, deploy and destroy one environment: compile, compare, act, say what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws import Aws
from pipeline.bundle import build_bundle
from pipeline.definition import compile_training
from pipeline.deploy.planner import Plan, apply_plan, destroy, make_plan
from pipeline.deploy.rendering import print_change, print_removal, print_summary
from pipeline.deploy.resource import Resource
from pipeline.deploy.stack import resources
from pipeline.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console


def _resources(settings: Settings) -> list[Resource]:
    bundle = build_bundle()
    return resources(settings, bundle, compile_training(settings, bundle))


def plan_environment(settings: Settings, aws: Aws) -> Plan:
    """What deploy would do; changes nothing."""
    aws.check_account()
    return make_plan(_resources(settings), aws)


def deploy_environment(settings: Settings, aws: Aws, console: Console) -> Plan:
    """Bring the environment to what the settings say; safe to repeat."""
    with console.status("Compiling the pipeline definition"):
        plan = plan_environment(settings, aws)
    apply_plan(plan, aws, lambda change, done: print_change(change, console, done=done))
    print_summary(plan, console)
    return plan


def destroy_environment(settings: Settings, aws: Aws, console: Console, *, keep_data: bool) -> None:
    """Remove the environment's resources, triggers first."""
    aws.check_account()
    destroy(
        _resources(settings),
        aws,
        keep_data=keep_data,
        progress=lambda resource, removed: print_removal(resource, console, removed=removed),
    )
