"""The command line, thin: it parses, calls and prints. ``bikeshare --help`` lists the commands.

Exit codes: 0 done; 1 any other error of ours; 2 wrong usage, or ``plan`` found changes; 3 settings; 4 definition;
5 deployment; 6 execution; 7 input file; 8 local endpoint; 9 registry; 130 interrupted.

Everything that takes long to import is imported inside the command that needs it.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.errors import BikeshareError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.aws import Aws
    from pipeline.settings import Settings

app = typer.Typer(
    name="bikeshare",
    help="A SageMaker pipeline as code: deploy, start and watch it, read its predictions; on AWS or on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Help in plain text: importing what draws boxes takes longer than all the rest of it.
    rich_markup_mode=None,
)
local_app = typer.Typer(help="The local AWS endpoint.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(local_app, name="local")
model_app = typer.Typer(help="The model registry.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(model_app, name="model")

Environment = Annotated[str, typer.Option("--env", help="Environment: a file in pipeline/environments.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Another TOML file with settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Execution = Annotated[str | None, typer.Argument(help="Execution id or ARN; the newest one when left out.")]


class Pipeline(StrEnum):
    """Which of the two pipelines."""

    TRAINING = "training"
    SCORING = "scoring"


def _console(*, errors: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=errors, highlight=False)


def _settings(environment: str, file: Path | None) -> Settings:
    from pipeline.settings import load_settings

    return load_settings(environment, file)


def _aws(settings: Settings) -> Aws:
    from pipeline.aws import Aws

    return Aws(settings)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


# ---- definition and resources ---------------------------------------------------------------------------------


@app.command()
def synth(
    pipeline: Annotated[Pipeline, typer.Argument(help="Which pipeline.")] = Pipeline.TRAINING,
    env: Environment = "local",
    settings_file: SettingsFile = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to a file instead.")] = None,
) -> None:
    """Compile a pipeline's definition, offline."""
    from pipeline.definition import compile_scoring, compile_training

    compile_pipeline = compile_training if pipeline is Pipeline.TRAINING else compile_scoring
    definition = compile_pipeline(_settings(env, settings_file))
    if output is None:
        typer.echo(definition, nl=False)
    else:
        output.write_text(definition, encoding="utf-8")


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
    from pipeline.validate.report import check_lines, checks_as_json, report_as_json, report_lines

    if list_checks:
        _print_json(checks_as_json()) if as_json else typer.echo("\n".join(check_lines()))
        return
    from pipeline.validate_commands import validate_environments, validate_file

    report = validate_file(file, env, settings_file) if file else validate_environments(env, settings_file)
    _print_json(report_as_json(report)) if as_json else typer.echo("\n".join(report_lines(report)))
    raise typer.Exit(4 if report.findings else 0)


@app.command()
def plan(env: Environment = "local", settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show what deploy would change, and what a run costs. Exit code 0: nothing to change; 2: something."""
    from pipeline.deploy.commands import plan_environment
    from pipeline.deploy.rendering import plan_as_json, print_plan

    settings = _settings(env, settings_file)
    found = plan_environment(settings, _aws(settings))
    if as_json:
        _print_json(plan_as_json(found, settings.region))
    else:
        print_plan(found, _console(), environment=settings.environment, region=settings.region)
    raise typer.Exit(0 if found.is_empty else 2)


@app.command()
def deploy(
    env: Environment = "local",
    settings_file: SettingsFile = None,
    approved: Annotated[
        str | None, typer.Option("--plan", help="Identity that `plan` printed: apply this plan or none.")
    ] = None,
) -> None:
    """Create or change what the environment needs. Safe to interrupt and to repeat."""
    from pipeline.deploy.commands import deploy_environment

    settings = _settings(env, settings_file)
    deploy_environment(settings, _aws(settings), _console(), approved=approved)


@app.command()
def drift(env: Environment = "local", settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Find what somebody changed by hand. Exit code 0: nothing; 2: something."""
    from pipeline.deploy.commands import plan_environment
    from pipeline.deploy.rendering import plan_as_json, print_drift

    settings = _settings(env, settings_file)
    found = plan_environment(settings, _aws(settings))
    if as_json:
        _print_json(plan_as_json(found, settings.region))
    else:
        print_drift(found, _console(), environment=settings.environment)
    raise typer.Exit(0 if found.is_empty else 2)


@app.command("trust-policy")
def trust_policy(
    repository: Annotated[str, typer.Option(help="OWNER/NAME on GitHub.")],
    env: Environment = "dev",
    settings_file: SettingsFile = None,
    purpose: Annotated[Literal["plan", "deploy"], typer.Option(help="Which of the two roles of CI.")] = "deploy",
    permissions: Annotated[bool, typer.Option("--permissions", help="Print what the role may do instead.")] = False,
) -> None:
    """Print the IAM policy with which GitHub Actions gets in without a key. Offline."""
    from pipeline.deploy.github import deployer_policy, github_trust_policy

    settings = _settings(env, settings_file)
    if permissions:
        _print_json(deployer_policy(settings, purpose))
    else:
        _print_json(github_trust_policy(settings, repository, purpose))


@app.command()
def destroy(
    env: Environment = "local",
    settings_file: SettingsFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also remove files, feature records and registered models.")
    ] = False,
) -> None:
    """Remove what deploy made, triggers first. Data is kept unless told otherwise."""
    from pipeline.deploy.commands import destroy_environment

    settings = _settings(env, settings_file)
    if not yes:
        what = "everything, data included," if delete_data else "everything but the data"
        typer.confirm(f"Remove {what} of environment {settings.environment!r}?", abort=True)
    destroy_environment(settings, _aws(settings), _console(), keep_data=not delete_data)


# ---- executions -----------------------------------------------------------------------------------------------


@app.command()
def start(
    key: Annotated[str, typer.Argument(help="Key of the raw CSV in the raw bucket, such as raw/training/day.csv.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE of a pipeline parameter; repeatable.")
    ] = None,
    *,
    env: Environment = "local",
    settings_file: SettingsFile = None,
    follow: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a pipeline for an object that is already in the raw bucket: raw/scoring/… is scored, all else trains."""
    from pipeline import executions

    settings = _settings(env, settings_file)
    aws = _aws(settings)
    given = dict(_name_and_value(text) for text in parameter or [])
    bucket = given.pop("InputBucket", settings.raw_bucket)
    parameters = {**executions.object_parameters(aws, bucket, key), **given}
    scored = key.startswith("raw/scoring/")
    pipeline = settings.scoring_pipeline_name if scored else settings.training_pipeline_name
    arn = executions.start(aws, pipeline, parameters)
    if as_json:
        _print_json({"PipelineExecutionArn": arn})
    else:
        typer.echo(arn)
    if follow:
        _follow(aws, arn)


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--parameter")
    return name, value


def _follow(aws: Aws, arn: str) -> None:
    from pipeline.demo import report_end
    from pipeline.executions import watch as views
    from pipeline.progress import follow

    console = _console()
    last = follow(views(aws, arn, interval_seconds=0.25 if aws.is_local else 10), console)
    report_end(aws, last, console)


@app.command()
def watch(execution: Execution = None, env: Environment = "local", settings_file: SettingsFile = None) -> None:
    """Follow an execution step by step. Exit code 0 only when it succeeds."""
    from pipeline import executions

    settings = _settings(env, settings_file)
    aws = _aws(settings)
    _follow(aws, executions.find(aws, settings.pipeline_names, execution))


@app.command()
def runs(
    env: Environment = "local",
    settings_file: SettingsFile = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    from dataclasses import asdict

    from pipeline import executions

    settings = _settings(env, settings_file)
    found = executions.recent_of_all(_aws(settings), settings.pipeline_names, limit)
    if as_json:
        _print_json([asdict(item) for item in found])
        return
    if not found:
        typer.echo("No execution yet. Upload a CSV under raw/training/, or: bikeshare start KEY")
    for item in found:
        when = f"{item.started:%Y-%m-%d %H:%M:%S}" if item.started else " " * 19
        typer.echo(f"{when}  {item.status:<10}  {item.identifier}  {item.pipeline_name}  {item.reason}".rstrip())


@app.command()
def stop(execution: Execution = None, env: Environment = "local", settings_file: SettingsFile = None) -> None:
    """Stop a running execution and its jobs."""
    from pipeline import executions

    settings = _settings(env, settings_file)
    aws = _aws(settings)
    arn = executions.find(aws, settings.pipeline_names, execution)
    executions.stop(aws, arn)
    typer.echo(f"Stopping {arn}")


@app.command()
def logs(
    execution: Execution = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    env: Environment = "local",
    settings_file: SettingsFile = None,
) -> None:
    """Print what the jobs of an execution wrote."""
    from pipeline import executions
    from pipeline.job_logs import step_log, step_named

    settings = _settings(env, settings_file)
    aws = _aws(settings)
    found = executions.view(aws, executions.find(aws, settings.pipeline_names, execution))
    for one in step_named(found, step):
        for line in step_log(aws, one):
            typer.echo(f"{line.moment:%H:%M:%S}  {one.name}  {line.text}")


# ---- results --------------------------------------------------------------------------------------------------


@app.command()
def predictions(
    env: Environment = "local",
    settings_file: SettingsFile = None,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows of the newest file to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Say where the prediction files are, and show the first rows of the newest."""
    from dataclasses import asdict

    from pipeline.demo import print_predictions
    from pipeline.predictions import first_rows, prediction_files

    settings = _settings(env, settings_file)
    aws = _aws(settings)
    files = prediction_files(aws, settings.predictions_bucket)
    if as_json:
        header, first = first_rows(aws, files[0], rows) if files else ([], [])
        _print_json({"files": [{**asdict(file), "uri": file.uri} for file in files], "header": header, "rows": first})
        return
    if not files:
        typer.echo(f"No predictions yet in {settings.predictions_bucket}. See how executions ended: bikeshare runs")
        return
    print_predictions(aws, files[0], rows, _console())
    for file in files[1:]:
        typer.echo(file.uri)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="CSV to upload; a generated sample when left out.")] = None,
    keep_up: Annotated[bool, typer.Option("--keep-up/--down", help="Leave the local endpoint running.")] = True,
) -> None:
    """Everything once, on this machine: endpoint up, deploy, upload a CSV, watch, show predictions."""
    from pipeline.demo import run_demo

    run_demo(data, _console(), keep_up=keep_up)


# ---- the model registry ---------------------------------------------------------------------------------------

Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]


@model_app.command("list")
def model_list(env: Environment = "local", settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List registered versions with their metrics, newest first."""
    from dataclasses import asdict

    from pipeline.registry import versions

    settings = _settings(env, settings_file)
    found = versions(_aws(settings), settings.model_package_group_name)
    if as_json:
        _print_json([asdict(version) for version in found])
        return
    if not found:
        typer.echo("No version is registered yet. See how executions ended: bikeshare runs")
    for version in found:
        profile = version.properties.get("profile", "")
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())
        typer.echo(
            f"{version.version:>4}  {version.approval:<22}{version.created:%Y-%m-%d %H:%M}  {profile}  {metrics}"
        )


@model_app.command("approve")
def model_approve(
    version: Version,
    reason: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    env: Environment = "local",
    settings_file: SettingsFile = None,
) -> None:
    """Approve a version: the scoring pipeline takes the newest approved one."""
    _decide(version, "Approved", reason, _settings(env, settings_file))


@model_app.command("reject")
def model_reject(
    version: Version,
    reason: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    env: Environment = "local",
    settings_file: SettingsFile = None,
) -> None:
    """Reject a version: it is never scored with."""
    _decide(version, "Rejected", reason, _settings(env, settings_file))


def _decide(version: int, status: Literal["Approved", "Rejected"], reason: str, settings: Settings) -> None:
    from pipeline.registry import decide

    decided = decide(_aws(settings), settings.model_package_group_name, version, status, reason)
    typer.echo(f"Version {decided.version} is {decided.approval}.")


@model_app.command("card")
def model_card(version: Version, env: Environment = "local", settings_file: SettingsFile = None) -> None:
    """Print the model card of a version as JSON."""
    from pipeline.registry import card

    settings = _settings(env, settings_file)
    _print_json(card(_aws(settings), settings.model_package_group_name, version))


# ---- the local endpoint ---------------------------------------------------------------------------------------


@local_app.command("prepare")
def local_prepare() -> None:
    """Build the environments that local jobs run in; `up` does it too."""
    from pipeline.local_commands import prepare_environments

    prepare_environments(_console())


@local_app.command("up")
def local_up(
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; the local environment's when left out.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it answers; it goes on.")] = False,
) -> None:
    """Start the local AWS endpoint."""
    from pipeline.local_commands import endpoint_up

    endpoint_up(port, _console(), detach=detach)


@local_app.command("down")
def local_down() -> None:
    """Stop the local AWS endpoint and every job it runs."""
    from pipeline.local_commands import endpoint_down

    endpoint_down(_console())


@local_app.command("status")
def local_status(as_json: AsJson = False) -> None:
    """Say whether the local AWS endpoint runs, and where. Exit code 0: it runs; 8: it does not."""
    from pipeline.local_commands import endpoint_status

    status = endpoint_status()
    if as_json:
        _print_json(status)
    elif status["running"]:
        typer.echo(f"The local AWS endpoint runs at {status['url']} (process {status['pid']}).")
    else:
        typer.echo("The local AWS endpoint does not run. Start it with: bikeshare local up --detach")
    raise typer.Exit(0 if status["running"] else 8)


def main() -> None:
    """Run the command line; errors of ours become one message and an exit code, never a traceback."""
    try:
        app()
    except BikeshareError as error:
        console = _console(errors=True)
        console.print("error:", error.message, style="red", markup=False)
        if error.hint:
            console.print("  →", error.hint, markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
