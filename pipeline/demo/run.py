"""The demonstration: start the local endpoint, deploy, upload a CSV, watch, show the predictions."""

import tempfile
from pathlib import Path

from rich.console import Console

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws, aws_errors
from pipeline.demo.sample import write_sample
from pipeline.deploy.operations import deploy_environment
from pipeline.errors import ExecutionError, InputFileError
from pipeline.executions.control import recent
from pipeline.executions.progress import follow_to_end
from pipeline.executions.uploads import version_of, wait_for_upload
from pipeline.local_endpoint import local_endpoint
from pipeline.results.predictions import prediction_files, print_predictions
from pipeline.settings.contract import upload_prefix
from pipeline.settings.environment import Settings, load_settings


def run_demo(data: Path | None, console: Console, *, keep_up: bool) -> None:
    """Run everything once on this machine, with the CSV given or a generated sample.

    Raises:
        InputFileError: ``data`` is not a file.
        ExecutionError: the execution did not succeed.
    """
    if data is not None and not data.is_file():
        raise InputFileError(f"{data} is not a file.", hint="Pass the path of a CSV with --data.")
    settings = load_settings("local")
    _heading(console, 1, "The local AWS endpoint")
    with local_endpoint(console, keep_up=keep_up):
        _deploy_and_run(settings, data, console)
        if keep_up:
            console.print(f"\nThe run report, to open in a browser: .venv/bin/{NAME} report", soft_wrap=True)
            stop = f".venv/bin/{NAME} local down"
            console.print(f"The endpoint keeps running: upload another CSV, or stop it with: {stop}", soft_wrap=True)


def _deploy_and_run(settings: Settings, data: Path | None, console: Console) -> None:
    aws = Aws(settings)
    _heading(console, 2, "Deploy: buckets, roles, feature group, model registry, pipeline, trigger")
    deploy_environment(settings, aws, console)
    _heading(console, 3, "Upload a CSV with a plain PutObject")
    with tempfile.TemporaryDirectory() as folder:
        file = data or write_sample(Path(folder), dataset=settings.declared)
        key = f"{upload_prefix('training')}{file.name}"
        known = {execution.arn for execution in recent(aws, settings.training_pipeline_name, limit=100)}
        with aws_errors(f"Uploading {file}", aws, ExecutionError):
            answer = aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=file.read_bytes())
    kind = "generated sample" if data is None else str(data)
    console.print(f"  {kind} → s3://{settings.raw_bucket}/{key}", markup=False, soft_wrap=True)
    _heading(console, 4, "EventBridge starts the pipeline")
    arn = wait_for_upload(aws, settings.training_pipeline_name, key, version_of(answer), known=known)
    follow_to_end(aws, arn, console)
    _heading(console, 5, "Predictions")
    for predictions in prediction_files(aws, settings.predictions_bucket)[:1]:
        print_predictions(aws, predictions, 5, console)


def _heading(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}  {text}[/]")
