"""The run report of an execution: one HTML file that opens from disk."""

from __future__ import annotations

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.view import ExecutionView

STEP = "Evaluate"
FILE_NAME = "report.html"


def report_location(aws: Aws, execution: ExecutionView) -> tuple[str, str]:
    """Bucket and key of the report, out of the description of the job that wrote it.

    Raises:
        ExecutionError: the execution has not evaluated a model.
    """
    job = next((step.job_name for step in execution.steps if step.name == STEP and step.status == "Succeeded"), None)
    if job is None:
        raise ExecutionError(
            f"Execution {execution.identifier} has evaluated no model, so it has no report.",
            "See what it did: " + aws.settings.command(f"watch {execution.identifier}"),
        )
    with aws_errors(f"Describing job {job}", aws, ExecutionError):
        outputs = aws.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingOutputConfig"]["Outputs"]
    uri = next(output["S3Output"]["S3Uri"] for output in outputs if output["OutputName"] == "evaluation")
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/{FILE_NAME}"


def read_report(aws: Aws, execution: ExecutionView) -> bytes:
    """The report's HTML.

    Raises:
        ExecutionError: there is none, or it can't be read.
    """
    bucket, key = report_location(aws, execution)
    with aws_errors(f"Reading s3://{bucket}/{key}", aws, ExecutionError):
        return aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
