"""The run report of an execution: one HTML file that opens from disk."""

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.control import recent
from pipeline.executions.view import ExecutionView, view
from pipeline.settings.contract import JobStep

FILE_NAME = "report.html"


def newest_with_report(aws: Aws) -> ExecutionView | None:
    """Return the newest of the latest executions that has evaluated a model; None if there is none."""
    name = aws.settings.training_pipeline_name
    return next((found for one in recent(aws, name) if _evaluation_job(found := view(aws, one.arn))), None)


def read_report(aws: Aws, execution: ExecutionView) -> bytes:
    """Return the report's HTML, from where the job that wrote it put its output.

    Raises:
        ExecutionError: the execution has not evaluated a model, or the report can't be read.
    """
    job_name = _evaluation_job(execution)
    if job_name is None:
        raise ExecutionError(
            f"Execution {execution.identifier} has not evaluated a model, so it has no report.",
            "See what it did: " + aws.settings.command(f"watch {execution.identifier}"),
        )
    with aws_errors(f"Reading the report of {execution.identifier}", aws, ExecutionError):
        job = aws.sagemaker.describe_processing_job(ProcessingJobName=job_name)
        outputs = {output["OutputName"]: output for output in job["ProcessingOutputConfig"]["Outputs"]}
        bucket, _, prefix = outputs["evaluation"]["S3Output"]["S3Uri"].removeprefix("s3://").partition("/")
        return aws.s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{FILE_NAME}")["Body"].read()


def _evaluation_job(execution: ExecutionView) -> str | None:
    evaluated = [step for step in execution.steps if step.name == JobStep.EVALUATE and step.status == "Succeeded"]
    return evaluated[0].job_name if evaluated else None
