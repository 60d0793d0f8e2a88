"""Results: the run report; and the demonstration."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import (
    Environment,
    Execution,
    SettingsFile,
    aws_of,
    console,
    group,
    write_file,
)

app = group("")


@app.command()
def report(
    execution: Execution = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; by default report-<execution>.html.")
    ] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
) -> None:
    """Save the report of an execution: of a training, or of the predictions of a scoring. It opens offline.

    Without an execution, it is the newest report of a training.
    """
    from pipeline.executions import control as executions
    from pipeline.executions.view import view
    from pipeline.results.reports import newest_with_report, read_report

    aws = aws_of(env, settings_file)
    found = None if execution else newest_with_report(aws)
    found = found or view(aws, executions.find(aws, aws.settings.pipeline_names, execution))
    path = output or Path(f"report-{found.identifier}.html")
    write_file(path, read_report(aws, found))
    typer.echo(path)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="CSV to upload; by default a generated sample.")] = None,
    keep_up: Annotated[bool, typer.Option("--keep-up/--down", help="Leave the local endpoint running.")] = True,
) -> None:
    """Run everything once on this machine. Starts the endpoint, deploys, uploads a CSV, shows predictions."""
    from pipeline.demo.run import run_demo

    run_demo(data, console(), keep_up=keep_up)
