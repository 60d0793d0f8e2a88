"""Executions: start, watch, runs, stop, retry, logs."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import AsJson, Environment, Execution, SettingsFile, aws_of, console, group, print_json

if TYPE_CHECKING:
    from pipeline.aws.clients import Aws

app = group("")

Follow = Annotated[bool, typer.Option("--watch", help="Follow it to the end.")]


@app.command()
def start(
    key: Annotated[
        str, typer.Argument(help="Key of a CSV in the raw bucket, such as raw/training/day.csv, or s3://BUCKET/KEY.")
    ],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE of a pipeline parameter; repeatable.")
    ] = None,
    *,
    env: Environment = None,
    settings_file: SettingsFile = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Start a pipeline for an uploaded file. raw/scoring/… starts scoring, anything else training."""
    from pipeline.executions import control as executions
    from pipeline.executions import uploads
    from pipeline.settings.contract import INPUT_BUCKET, flow_of

    aws = aws_of(env, settings_file)
    given = _names_and_values(parameter or [])
    named, key = uploads.bucket_and_key(aws.settings, key)
    bucket = given.pop(INPUT_BUCKET, named)
    parameters = {**uploads.object_parameters(aws, bucket, key), **given}
    arn = executions.start(aws, aws.settings.pipeline_name(flow_of(key)), parameters)
    _print_and_follow(aws, arn, follow=follow, as_json=as_json)


def _print_and_follow(aws: "Aws", arn: str, *, follow: bool, as_json: bool) -> None:
    print_json({"PipelineExecutionArn": arn}) if as_json else typer.echo(arn)
    if follow:
        from pipeline.executions.progress import follow_to_end

        follow_to_end(aws, arn, console(errors=as_json))


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


@app.command()
def watch(
    execution: Annotated[
        str | None,
        typer.Argument(
            help="Execution id or ARN, or the key of an upload, such as raw/training/day.csv, to wait for its "
            "execution; by default the newest execution."
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
    from pipeline.executions.progress import follow_to_end
    from pipeline.executions.view import execution_as_json, view

    aws = aws_of(env, settings_file)
    if execution and "/" in execution and not execution.startswith("arn:"):
        arn = uploads.started_by(aws, execution)
    else:
        arn = executions.find(aws, aws.settings.pipeline_names, execution)
    try:
        last = follow_to_end(aws, arn, console(errors=as_json))
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
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first. Failed ones come with their reason; `retry ID` goes on from there."""
    from pipeline.executions import control as executions

    aws = aws_of(env, settings_file)
    found = executions.with_reasons(aws, executions.recent_of_all(aws, aws.settings.pipeline_names, limit))
    if as_json:
        fields = ("arn", "status", "started", "reason")
        print_json(
            [{**{name: getattr(item, name) for name in fields}, "pipeline": item.pipeline_name} for item in found]
        )
        return
    if not found:
        typer.echo(f"No execution yet. {executions.how_to_start(aws.settings)}")
    for item in found:
        when = f"{item.started:%Y-%m-%d %H:%M:%S}" if item.started else " " * 19
        typer.echo(f"{when}  {item.status:<10}  {item.identifier}  {item.pipeline_name}  {item.reason}".rstrip())


@app.command()
def stop(
    execution: Execution = None, env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """Stop an execution and its jobs. By default the newest running one."""
    from pipeline.executions import control as executions

    aws = aws_of(env, settings_file)
    arn = executions.find(aws, aws.settings.pipeline_names, execution, executions.RUNNING)
    executions.stop(aws, arn)
    follow_it = aws.settings.command(f"watch {arn.rpartition('/')[2]}")
    print_json({"PipelineExecutionArn": arn}) if as_json else typer.echo(f"Stopping {arn}. Follow it with: {follow_it}")


@app.command()
def retry(
    execution: Annotated[
        str | None, typer.Argument(help="Execution id or ARN; by default the newest that failed or was stopped.")
    ] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    *,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Run the steps of a failed or stopped execution again that have not succeeded."""
    from pipeline.executions import control as executions

    aws = aws_of(env, settings_file)
    arn = executions.find(aws, aws.settings.pipeline_names, execution, executions.RETRYABLE)
    executions.retry(aws, arn)
    _print_and_follow(aws, arn, follow=follow, as_json=as_json)


@app.command()
def logs(
    execution: Execution = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the logs of an execution's jobs and functions."""
    from pipeline.executions import control as executions
    from pipeline.executions.logs import step_log, step_named
    from pipeline.executions.view import view

    aws = aws_of(env, settings_file)
    found = view(aws, executions.find(aws, aws.settings.pipeline_names, execution))
    lines = ((one.name, line) for one in step_named(found, step) for line in step_log(aws, found, one))
    if as_json:
        print_json([{"moment": line.moment, "step": name, "text": line.text} for name, line in lines])
        return
    for name, line in lines:
        typer.echo(f"{line.moment:%H:%M:%S}  {name}  {line.text}")
