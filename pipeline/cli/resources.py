"""Definitions and resources: synth, validate, preflight, plan, deploy, drift, trust-policy, destroy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from pipeline.cli.common import (
    AsJson,
    Environment,
    SettingsFile,
    aws_of,
    console,
    group,
    print_json,
    settings_of,
    write_file,
)

app = group("")


@app.command()
def synth(
    pipeline: Annotated[Literal["training", "scoring"], typer.Argument(help="Which pipeline.")] = "training",
    env: Environment = None,
    settings_file: SettingsFile = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Print what a run takes and costs instead.")] = False,
) -> None:
    """Compile a pipeline's definition, offline."""
    from pipeline.definition.bundle import bundle_of
    from pipeline.deploy.compiled import compiled_definitions
    from pipeline.executions import costs

    settings = settings_of(env, settings_file)
    definition = compiled_definitions(settings, bundle_of(settings), [pipeline])[pipeline]
    if estimate:
        typer.echo(costs.estimate(definition, settings.region))
    elif output is None:
        typer.echo(definition, nl=False)
    else:
        write_file(output, definition.encode())


@app.command()
def validate(
    env: Annotated[
        str | None, typer.Option("--env", help="Environment to check; by default every one that has a file.")
    ] = None,
    settings_file: SettingsFile = None,
    *,
    file: Annotated[
        Path | None, typer.Option(help="Check this definition instead; with --env, also as it would be deployed there.")
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
def preflight(
    env: Environment = None,
    settings_file: SettingsFile = None,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Instead try out what can't be read, for cents, and print a report for an issue."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the probe.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the account, reading only, whether it would run this. Exit code 0: no problem; 5: problems found.

    Looks at quotas, subnets, keys, names that are taken, and the permissions of whoever asks; each problem comes with
    its fix. What these credentials may not read is "could not tell".
    """
    from pipeline.preflight import answers as found

    aws = aws_of(env, settings_file)
    if probe:
        from pipeline.preflight.probe import report

        if not yes:
            typer.confirm(f"{report.costs(aws.settings)} Go on?", abort=True, err=True)
        told = report.probe(aws, lambda line: typer.echo(line, err=True))
        text = report.markdown(aws, told)
    else:
        from pipeline.preflight.questions import preflight as ask

        told = ask(aws)
        text = "\n".join(found.lines(told))
    print_json(found.as_json(told)) if as_json else typer.echo(text)
    raise typer.Exit(5 if found.has_problem(told) else 0)


@app.command()
def plan(
    env: Environment = None,
    settings_file: SettingsFile = None,
    full: Annotated[bool, typer.Option("--full", help="Also show every field of what would be created.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what deploy would change, and what a run costs. Exit code 0: no changes; 2: changes."""
    from pipeline.deploy.engine.rendering import plan_as_json, print_plan
    from pipeline.deploy.operations import plan_environment
    from pipeline.results.registry import version_in_use

    aws = aws_of(env, settings_file)
    found, in_use = plan_environment(aws.settings, aws), version_in_use(aws)
    if as_json:
        print_json({**plan_as_json(found, aws.settings.region), "model_in_use": in_use})
    else:
        print_plan(found, console(), aws.settings, full=full)
        _echo_in_use(in_use)
    raise typer.Exit(0 if found.is_empty else 2)


@app.command()
def deploy(
    env: Environment = None,
    settings_file: SettingsFile = None,
    approved: Annotated[
        str | None, typer.Option("--plan", help="Apply only the plan with this identity, printed by `plan`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before something is replaced.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create or change the resources of an environment. Safe to interrupt and to repeat.

    What AWS can't change in place is replaced, and what it holds is lost; asks first, unless `--plan` names a plan.
    """
    from pipeline.deploy.engine.rendering import plan_as_json, print_next_steps
    from pipeline.deploy.operations import deploy_environment
    from pipeline.results.registry import version_in_use

    def agree(lines: Sequence[str]) -> bool:
        typer.echo("\n".join(lines), err=True)
        try:
            return yes or typer.confirm("Replace it?", err=True)
        except typer.Abort:  # nobody is there to answer
            return False

    aws = aws_of(env, settings_file)
    done = deploy_environment(aws.settings, aws, console(errors=as_json), approved=approved, agree=agree)
    in_use = version_in_use(aws)
    if as_json:
        print_json({**plan_as_json(done, aws.settings.region), "model_in_use": in_use})
        return
    _echo_in_use(in_use)
    if not done.is_empty:
        print_next_steps(aws.settings, aws, console())


@app.command()
def drift(env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show what differs from the code, such as manual changes. Exit code 0: nothing; 2: something."""
    from pipeline.deploy.engine.rendering import plan_as_json, print_drift
    from pipeline.deploy.operations import drift_environment
    from pipeline.results.registry import version_in_use

    aws = aws_of(env, settings_file)
    found, in_use = drift_environment(aws.settings, aws), version_in_use(aws)
    if as_json:
        print_json({**plan_as_json(found, aws.settings.region), "model_in_use": in_use})
    else:
        print_drift(found, console(), aws.settings)
        _echo_in_use(in_use)
    raise typer.Exit(0 if found.is_empty else 2)


def _echo_in_use(found: dict[str, Any] | None) -> None:
    """Say which version of the model scores: somebody's decision, and neither a change nor drift."""
    from pipeline.results.registry import in_use_in_words

    typer.echo(in_use_in_words(found))


@app.command("trust-policy")
def trust_policy(
    repository: Annotated[
        str, typer.Option(help="OWNER/NAME on GitHub, or OWNER@ID/NAME@ID; not needed with --permissions.")
    ] = "",
    env: Annotated[
        str | None, typer.Option("--env", help="Environment, by default dev: a file in pipeline/settings/environments.")
    ] = None,
    settings_file: SettingsFile = None,
    purpose: Annotated[
        Literal["plan", "deploy", "destroy", "operate", "preflight", "backup", "boundary"],
        typer.Option(
            help="Role of CI; or, with --permissions, operate, preflight and backup (people), boundary (of all roles)."
        ),
    ] = "deploy",
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Print what the role may do instead of who may assume it.")
    ] = False,
) -> None:
    """Print the IAM policies for GitHub Actions, which needs no stored key, and for people. Offline."""
    from pipeline.deploy.permissions import operators
    from pipeline.recovery.permissions import backup_policy

    settings = settings_of(env if env or settings_file else "dev", settings_file)
    others = {
        "operate": operators.operator_policy,
        "preflight": operators.preflight_policy,
        "backup": backup_policy,
        "boundary": operators.boundary_policy,
    }
    if purpose in others and not permissions:
        raise typer.BadParameter("it is no role of CI; add --permissions", param_hint=f"--purpose {purpose}")
    if not permissions and not repository:
        raise typer.BadParameter("give the repository to trust: OWNER/NAME on GitHub", param_hint="--repository")
    if purpose in others:
        print_json(others[purpose](settings))
        return
    of_ci = cast("operators.Purpose", purpose)
    if permissions:
        print_json(operators.deployer_policy(settings, of_ci))
    else:
        print_json(operators.github_trust_policy(settings, repository or "", of_ci))


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
    """Remove what deploy created, triggers first. Data is kept by default."""
    from pipeline.deploy.operations import destroy_environment

    aws = aws_of(env, settings_file)
    settings = aws.settings
    if not yes:
        what = "everything, data included," if delete_data else "everything but the data"
        where = f"account {settings.account_id}, {settings.region}"
        typer.confirm(f"Remove {what} of environment {settings.environment!r} ({where})?", abort=True, err=as_json)
    removed = destroy_environment(settings, aws, console(errors=as_json), keep_data=not delete_data)
    if as_json:
        print_json(
            [
                {"kind": thing.kind, "name": thing.name, "removed": bool(removal), "outcome": removal.value}
                for thing, removal in removed
            ]
        )
