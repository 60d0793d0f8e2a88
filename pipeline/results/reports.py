"""The run report of an execution: one HTML file that opens from disk."""

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.view import ExecutionView
from pipeline.settings.contract import JobStep

FILE_NAME = "report.html"


def read_report(aws: Aws, execution: ExecutionView) -> bytes:
    """Return the report's HTML, from where the job that wrote it put its output.

    Raises:
        ExecutionError: the execution has not evaluated a model, or the report can't be read.
    """
    evaluated = [step for step in execution.steps if step.name == JobStep.EVALUATE and step.status == "Succeeded"]
    if not evaluated or evaluated[0].job_name is None:
        raise ExecutionError(
            f"Execution {execution.identifier} has not evaluated a model, so it has no report.",
            "See what it did: " + aws.settings.command(f"watch {execution.identifier}"),
        )
    with aws_errors(f"Reading the report of {execution.identifier}", aws, ExecutionError):
        job = aws.sagemaker.describe_processing_job(ProcessingJobName=evaluated[0].job_name)
        outputs = {output["OutputName"]: output for output in job["ProcessingOutputConfig"]["Outputs"]}
        bucket, _, prefix = outputs["evaluation"]["S3Output"]["S3Uri"].removeprefix("s3://").partition("/")
        return aws.s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{FILE_NAME}")["Body"].read()
