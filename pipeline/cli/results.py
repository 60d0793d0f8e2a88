"""Results: predictions, report; and the demonstration."""

from pathlib import Path
from typing import Annotated

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
    write_file,
)

app = group("")


@app.command()
def predictions(
    env: Environment = None,
    settings_file: SettingsFile = None,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows of the newest file to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """List prediction files. The newest is shown with its first rows."""
    from dataclasses import asdict

    from pipeline.results.predictions import first_rows, prediction_files, print_predictions

    aws = aws_of(env, settings_file)
    settings = aws.settings
    files = prediction_files(aws, settings.predictions_bucket)
    if as_json:
        header, first = first_rows(aws, files[0], rows) if files else ([], [])
        print_json({"files": [{**asdict(file), "uri": file.uri} for file in files], "header": header, "rows": first})
        return
    if not files:
        typer.echo(
            f"No predictions yet in {settings.predictions_bucket}. See how executions ended: {settings.command('runs')}"
        )
        return
    print_predictions(aws, files[0], rows, console())
    for file in files[1:]:
        typer.echo(file.uri)


@app.command()
def report(
    execution: Execution = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; by default report-<execution>.html.")
    ] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
) -> None:
    """Save the run report of an execution. It is one HTML file that opens offline.

    Without an execution, it is the newest report that there is.
    """
    from pipeline.executions import control as executions
    from pipeline.executions.view import view
    from pipeline.results.reports import newest_with_report, read_report

    aws = aws_of(env, settings_file)
    found = None if execution else newest_with_report(aws)
    found = found or view(aws, executions.find(aws, [aws.settings.training_pipeline_name], execution))
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
