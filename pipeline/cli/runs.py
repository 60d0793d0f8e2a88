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
    group,
    print_json,
    progress_console,
    settings_of,
)

if TYPE_CHECKING:
    from pipeline.aws.clients import Aws
    from pipeline.executions.view import ExecutionView

app = group("")


@app.command()
def start(
    key: Annotated[
        str,
        typer.Argument(help="Key of the raw CSV in the raw bucket, such as raw/training/day.csv, or s3://BUCKET/KEY."),
    ],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE of a pipeline parameter; repeatable.")
    ] = None,
    *,
    env: Environment = None,
    settings_file: SettingsFile = None,
    follow: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a pipeline for an object that is already in the raw bucket: raw/scoring/… is scored, all else trains."""
    from pipeline.executions import control as executions
    from pipeline.executions import uploads

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    given = _names_and_values(parameter or [])
    named, key = uploads.bucket_and_key(settings, key)
    bucket = given.pop("InputBucket", named)
    parameters = {**uploads.object_parameters(aws, bucket, key), **given}
    arn = executions.start(aws, uploads.pipeline_for(settings, key), parameters)
    if as_json:
        print_json({"PipelineExecutionArn": arn})
    else:
        typer.echo(arn)
    if follow:
        _follow(aws, arn, as_json=as_json)


def _names_and_values(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--parameter")
        if name in found:
            raise typer.BadParameter(f"{name} is given twice", param_hint="--parameter")
        found[name] = value
    return found


def _follow(aws: Aws, arn: str, *, as_json: bool) -> ExecutionView:
    from pipeline.executions.progress import follow_to_end

    return follow_to_end(aws, arn, progress_console(as_json=as_json))


@app.command()
def watch(
    execution: Annotated[
        str | None,
        typer.Argument(
            help="Execution id or ARN, or the key of an upload such as raw/training/day.csv, whose execution is waited "
            "for; the newest execution when left out."
        ),
    ] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Follow an execution step by step. Exit code 0 only when it succeeds."""
    from pipeline.errors import ExecutionError
    from pipeline.executions import control as executions
    from pipeline.executions import uploads
    from pipeline.executions.view import execution_as_json, view

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    if execution and "/" in execution and not execution.startswith("arn:"):
        arn = uploads.started_by(aws, execution)
    else:
        arn = executions.find(aws, settings.pipeline_names, execution)
    try:
        last = _follow(aws, arn, as_json=as_json)
    except ExecutionError:
        if as_json:
            print_json(execution_as_json(view(aws, arn)))
        raise
    if as_json:
        print_json(execution_as_json(last))


@app.command()
def runs(
    env: Environment = None,
    settings_file: SettingsFile = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first, and why they failed."""
    from pipeline.executions import control as executions

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    found = executions.with_reasons(aws, executions.recent_of_all(aws, settings.pipeline_names, limit))
    if as_json:
        print_json(
            [
                {
                    "arn": item.arn,
                    "pipeline": item.pipeline_name,
                    "status": item.status,
                    "started": item.started,
                    "reason": item.reason,
                }
                for item in found
            ]
        )
        return
    if not found:
        typer.echo(f"No execution yet. {executions.how_to_start(settings)}")
    for item in found:
        when = f"{item.started:%Y-%m-%d %H:%M:%S}" if item.started else " " * 19
        typer.echo(f"{when}  {item.status:<10}  {item.identifier}  {item.pipeline_name}  {item.reason}".rstrip())


@app.command()
def stop(
    execution: Execution = None, env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """Stop an execution and its jobs; the newest that runs when none is named."""
    from pipeline.executions import control as executions

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    arn = executions.find(aws, settings.pipeline_names, execution, running=True)
    executions.stop(aws, arn)
    if as_json:
        print_json({"PipelineExecutionArn": arn})
        return
    follow_it = settings.command(f"watch {arn.rpartition('/')[2]}")
    typer.echo(f"Stopping {arn}. Follow it with: {follow_it}")


@app.command()
def logs(
    execution: Execution = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what the jobs of an execution wrote."""
    from pipeline.executions import control as executions
    from pipeline.executions.logs import step_log, step_named
    from pipeline.executions.view import view

    settings = settings_of(env, settings_file)
    aws = aws_of(settings)
    found = view(aws, executions.find(aws, settings.pipeline_names, execution))
    lines = ((one.name, line) for one in step_named(found, step) for line in step_log(aws, one))
    if as_json:
        print_json([{"moment": line.moment, "step": name, "text": line.text} for name, line in lines])
        return
    for name, line in lines:
        typer.echo(f"{line.moment:%H:%M:%S}  {name}  {line.text}")
