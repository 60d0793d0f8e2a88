"""Definitions and resources: synth, validate, plan, deploy, drift, trust-policy, destroy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.common import (
    AsJson,
    Environment,
    SettingsFile,
    aws_of,
    console,
    group,
    print_json,
    progress_console,
    settings_of,
    write_file,
)

if TYPE_CHECKING:
    pass

app = group("")


class Pipeline(StrEnum):
    """Which of the two pipelines."""

    TRAINING = "training"
    SCORING = "scoring"


@app.command()
def synth(
    pipeline: Annotated[Pipeline, typer.Argument(help="Which pipeline.")] = Pipeline.TRAINING,
    env: Environment = None,
    settings_file: SettingsFile = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to a file instead.")] = None,
) -> None:
    """Compile a pipeline's definition, offline."""
    from pipeline.definition.compiler import compile_scoring, compile_training

    compile_pipeline = compile_training if pipeline is Pipeline.TRAINING else compile_scoring
    definition = compile_pipeline(settings_of(env, settings_file))
    if output is None:
        typer.echo(definition, nl=False)
    else:
        write_file(output, definition.encode())


@app.command()
def validate(
    env: Annotated[
        str | None, typer.Option("--env", help="Environment to check; every one that has a file when left out.")
    ] = None,
    settings_file: SettingsFile = None,
    *,
    file: Annotated[
        Path | None, typer.Option(help="Check this definition instead; with --env also as it would be deployed there.")
    ] = None,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks and run none.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check definitions and step scripts, offline. Exit code 0: no problem; 4: problems found."""
    from pipedef.linter import check_lines, checks_as_json, report_as_json, report_lines

    if list_checks:
        print_json(checks_as_json()) if as_json else typer.echo("\n".join(check_lines()))
        return
    from pipeline.deploy.checks import validate_environments, validate_file

    report = validate_file(file, env, settings_file) if file else validate_environments(env, settings_file)
    print_json(report_as_json(report)) if as_json else typer.echo("\n".join(report_lines(report)))
    if report.skipped and not as_json and not (env or settings_file):
        typer.echo("  → Give --env NAME as well to check triggers, names and the role of that environment.")
    raise typer.Exit(4 if report.findings else 0)


@app.command()
def plan(
    env: Environment = None,
    settings_file: SettingsFile = None,
    full: Annotated[bool, typer.Option("--full", help="Also show every field of what would be created.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what deploy would change, and what a run costs. Exit code 0: nothing to change; 2: something."""
    from pipeline.deploy.engine.rendering import plan_as_json, print_plan
    from pipeline.deploy.operations import plan_environment

    settings = settings_of(env, settings_file)
    found = plan_environment(settings, aws_of(settings))
    if as_json:
        print_json(plan_as_json(found, settings.region))
    else:
        print_plan(found, console(), settings, full=full)
    raise typer.Exit(0 if found.is_empty else 2)


@app.command()
def deploy(
    env: Environment = None,
    settings_file: SettingsFile = None,
    approved: Annotated[
        str | None, typer.Option("--plan", help="Identity that `plan` printed: apply this plan or none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create or change what the environment needs. Safe to interrupt and to repeat."""
    from pipeline.deploy.engine.rendering import plan_as_json, print_next_steps
    from pipeline.deploy.operations import deploy_environment

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    done = deploy_environment(settings, aws, progress_console(as_json=as_json), approved=approved)
    if as_json:
        print_json(plan_as_json(done, settings.region))
    elif not done.is_empty:
        print_next_steps(settings, aws, console())


@app.command()
def drift(env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Find what somebody changed by hand. Exit code 0: nothing; 2: something."""
    from pipeline.deploy.engine.rendering import plan_as_json, print_drift
    from pipeline.deploy.operations import plan_environment

    settings = settings_of(env, settings_file)
    found = plan_environment(settings, aws_of(settings))
    if as_json:
        print_json(plan_as_json(found, settings.region))
    else:
        print_drift(found, console(), settings)
    raise typer.Exit(0 if found.is_empty else 2)


@app.command("trust-policy")
def trust_policy(
    repository: Annotated[
        str, typer.Option(help="OWNER/NAME on GitHub, or OWNER@ID/NAME@ID; --permissions does without.")
    ] = "",
    env: Annotated[
        str | None, typer.Option("--env", help="Environment: a file in pipeline/environments; dev when left out.")
    ] = None,
    settings_file: SettingsFile = None,
    purpose: Annotated[
        Literal["plan", "deploy", "operate"],
        typer.Option(help="Which of the two roles of CI; operate is for people, and has permissions only."),
    ] = "deploy",
    permissions: Annotated[bool, typer.Option("--permissions", help="Print what the role may do instead.")] = False,
) -> None:
    """Print the IAM policies with which GitHub Actions gets in without a key, and people work. Offline."""
    from pipeline.deploy.permissions.operators import deployer_policy, github_trust_policy, operator_policy

    settings = settings_of(env if env or settings_file else "dev", settings_file)
    if purpose == "operate":
        if not permissions:
            raise typer.BadParameter("it is for people; see --permissions", param_hint="--purpose operate")
        print_json(operator_policy(settings))
    elif permissions:
        print_json(deployer_policy(settings, purpose))
    elif not repository:
        raise typer.BadParameter("whom to trust is missing: OWNER/NAME on GitHub", param_hint="--repository")
    else:
        print_json(github_trust_policy(settings, repository, purpose))


@app.command()
def destroy(
    env: Environment = None,
    settings_file: SettingsFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also remove files, feature records and registered models.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what deploy made, triggers first. Data is kept unless told otherwise."""
    from pipeline.deploy.operations import destroy_environment

    settings = settings_of(env, settings_file)
    if not yes:
        what = "everything, data included," if delete_data else "everything but the data"
        where = f"account {settings.account_id}, {settings.region}"
        typer.confirm(f"Remove {what} of environment {settings.environment!r} ({where})?", abort=True, err=as_json)
    removed = destroy_environment(
        settings, aws_of(settings), progress_console(as_json=as_json), keep_data=not delete_data
    )
    if as_json:
        print_json(
            [
                {"kind": thing.kind, "name": thing.name, "removed": bool(removal), "outcome": removal.value}
                for thing, removal in removed
            ]
        )
