"""Executions: start, watch, runs, stop, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import (
    AsJson,
    Environment,
    Execution,
    SettingsFile,
    aws_of,
    console,
    group,
    print_json,
    settings_of,
)

if TYPE_CHECKING:
    from pipeline.aws import Aws

app = group("")


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

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    given = dict(_name_and_value(text) for text in parameter or [])
    bucket = given.pop("InputBucket", settings.raw_bucket)
    parameters = {**executions.object_parameters(aws, bucket, key), **given}
    scored = key.startswith("raw/scoring/")
    pipeline = settings.scoring_pipeline_name if scored else settings.training_pipeline_name
    arn = executions.start(aws, pipeline, parameters)
    if as_json:
        print_json({"PipelineExecutionArn": arn})
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
    from pipeline.following import follow_to_end

    follow_to_end(aws, arn, console())


@app.command()
def watch(execution: Execution = None, env: Environment = "local", settings_file: SettingsFile = None) -> None:
    """Follow an execution step by step. Exit code 0 only when it succeeds."""
    from pipeline import executions

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
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

    settings = settings_of(env, settings_file)
    found = executions.recent_of_all(aws_of(settings), settings.pipeline_names, limit)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    if not found:
        typer.echo(f"No execution yet. {executions.how_to_start(settings)}")
    for item in found:
        when = f"{item.started:%Y-%m-%d %H:%M:%S}" if item.started else " " * 19
        typer.echo(f"{when}  {item.status:<10}  {item.identifier}  {item.pipeline_name}  {item.reason}".rstrip())


@app.command()
def stop(execution: Execution = None, env: Environment = "local", settings_file: SettingsFile = None) -> None:
    """Stop an execution and its jobs; the newest that runs when none is named."""
    from pipeline import executions

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    arn = executions.find(aws, settings.pipeline_names, execution, running=True)
    executions.stop(aws, arn)
    follow_it = settings.command(f"watch {arn.rpartition('/')[2]}")
    typer.echo(f"Stopping {arn}. Follow it with: {follow_it}")


@app.command()
def logs(
    execution: Execution = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    env: Environment = "local",
    settings_file: SettingsFile = None,
) -> None:
    """Print what the jobs of an execution wrote."""
    from pipeline import executions
    from pipeline.execution_view import view
    from pipeline.job_logs import step_log, step_named

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    found = view(aws, executions.find(aws, settings.pipeline_names, execution))
    for one in step_named(found, step):
        for line in step_log(aws, one):
            typer.echo(f"{line.moment:%H:%M:%S}  {one.name}  {line.text}")
