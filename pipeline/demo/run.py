"""Everything once, on this machine: endpoint up, deploy, upload a CSV, watch, show the predictions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError, InputFileError
from pipeline.executions.control import recent
from pipeline.executions.following import follow_to_end
from pipeline.executions.uploads import wait_for_upload
from pipeline.results.predictions import PredictionFile, first_rows, manifest, prediction_files
from pipeline.settings.environment import load_settings
from pipeline.settings.names import upload_prefix

if TYPE_CHECKING:
    from rich.console import Console


def run_demo(data: Path | None, console: Console, *, keep_up: bool) -> None:
    """The whole story in one process.

    Args:
        data: CSV to upload; a generated sample when None.
        console: where to show it.
        keep_up: leave the endpoint running afterwards.

    Raises:
        InputFileError: ``data`` is no file.
        ExecutionError: the execution did not succeed.
    """
    from pipeline.deploy.operations import deploy_environment
    from pipeline.local_endpoint import start_endpoint, stop_endpoint

    if data is not None and not data.is_file():
        raise InputFileError(f"{data} is not a file.", hint="Pass the path of a CSV with --data.")
    settings = load_settings("local")
    _heading(console, 1, "The local AWS endpoint")
    start_endpoint(console)
    aws = Aws(settings)
    _heading(console, 2, "Deploy: buckets, roles, feature group, model registry, pipeline, trigger")
    deploy_environment(settings, aws, console)
    _heading(console, 3, "Upload a CSV with a plain PutObject")
    with tempfile.TemporaryDirectory() as folder:
        file = data or _sample(Path(folder))
        key = f"{upload_prefix('training')}{file.name}"
        known = {execution.arn for execution in recent(aws, settings.training_pipeline_name, limit=100)}
        with aws_errors(f"Uploading {file}", aws, ExecutionError):
            etag = aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=file.read_bytes())["ETag"]
    kind = "generated sample" if data is None else str(data)
    console.print(f"  {kind} → s3://{settings.raw_bucket}/{key}", markup=False, soft_wrap=True)
    _heading(console, 4, "EventBridge starts the pipeline")
    arn = wait_for_upload(aws, settings.training_pipeline_name, key, etag, known=known)
    last = follow_to_end(aws, arn, console)
    _heading(console, 5, "Predictions")
    files = prediction_files(aws, settings.predictions_bucket)
    if files:
        print_predictions(aws, files[0], 5, console)
    if keep_up:
        report = f".venv/bin/bikeshare report {last.identifier}"
        console.print(f"\nThe run report, to open in a browser: {report}", soft_wrap=True)
        stop = ".venv/bin/bikeshare local down"
        console.print(f"The endpoint stays up: put another CSV, or stop it with: {stop}", soft_wrap=True)
    else:
        stop_endpoint()
        console.print("The local AWS endpoint is down.")


def _sample(folder: Path) -> Path:
    from pipeline.demo.sample import FILE_NAME, write_sample

    path = folder / FILE_NAME
    write_sample(path)
    return path


def _heading(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}  {text}[/]")


def print_predictions(aws: Aws, file: PredictionFile, count: int, console: Console) -> None:
    """Where the file is, what its manifest says, and its first rows as a table."""
    from rich.table import Table

    console.print(file.uri, markup=False, soft_wrap=True)
    found = manifest(aws, file)
    if found:
        console.print(f"{found['rows']} rows, SHA-256 {found['sha256'][:16]}…", markup=False)
    header, rows = first_rows(aws, file, count)
    # The wide columns that are the same in every row are said once, below.
    same = [index for index, name in enumerate(header) if name in {"model_version", "execution_id", "source_key"}]
    grid = Table(box=None, padding=(0, 2), header_style="bold")
    for index, name in enumerate(header):
        if index not in same:
            grid.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        grid.add_row(*(_readable(value) for index, value in enumerate(row) if index not in same))
    console.print(grid)
    for index in same:
        if rows:
            console.print(f"{header[index]}: {rows[0][index]}", markup=False, soft_wrap=True)


def _readable(value: str) -> str:
    """Numbers with one digit after the point; the file itself keeps all of them."""
    if value.count(".") != 1:
        return value
    try:
        return f"{float(value):.1f}"
    except ValueError:
        return value
