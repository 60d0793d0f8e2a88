"""The reports of executions, each an HTML file that opens from disk: of a training, and of predictions."""

import json

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.control import recent
from pipeline.executions.view import ExecutionView, view
from pipeline.settings.contract import CLAIM_INPUT, JobStep

FILE_NAME = "report.html"


def newest_with_report(aws: Aws) -> ExecutionView | None:
    """Return the newest of the latest executions that has evaluated a model; None if there is none."""
    name = aws.settings.training_pipeline_name
    return next((found for one in recent(aws, name) if _evaluation_job(found := view(aws, one.arn))), None)


def read_report(aws: Aws, execution: ExecutionView) -> bytes:
    """Return the HTML of what an execution has done: its run report, or the page of its predictions.

    Raises:
        ExecutionError: the execution has neither evaluated a model nor published predictions, or it can't be read.
    """
    job_name = _evaluation_job(execution)
    if job_name is None:
        return _read_page(aws, execution)
    with aws_errors(f"Reading the report of {execution.identifier}", aws, ExecutionError):
        job = aws.sagemaker.describe_processing_job(ProcessingJobName=job_name)
        outputs = {output["OutputName"]: output for output in job["ProcessingOutputConfig"]["Outputs"]}
        bucket, _, prefix = outputs["evaluation"]["S3Output"]["S3Uri"].removeprefix("s3://").partition("/")
        return aws.s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{FILE_NAME}")["Body"].read()


def _read_page(aws: Aws, execution: ExecutionView) -> bytes:
    """Return the page beside the predictions; its manifest says which execution of several for a file made it."""
    claim = next((step.answer for step in execution.steps if step.name == CLAIM_INPUT), {})
    bucket, end = aws.settings.predictions_bucket, f"-{claim.get('identity', '')[:12]}.json"
    days = [f"manifests/{name}/dt={claim.get('uploaded_at', '')[:10]}/" for name in aws.settings.declared.profiles]
    with aws_errors(f"Reading the report of {execution.identifier}", aws, ExecutionError):
        for day in days:
            for page in aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=day):
                for key in [item["Key"] for item in page.get("Contents", []) if item["Key"].endswith(end)]:
                    manifest = json.loads(aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
                    if manifest["execution_arn"] == execution.arn:
                        return aws.s3.get_object(Bucket=bucket, Key=manifest["report"])["Body"].read()
    raise ExecutionError(
        f"Execution {execution.identifier} has neither evaluated a model nor published predictions that are still "
        "there, so it has no report.",
        "See what it did: " + aws.settings.command(f"watch {execution.identifier}"),
    )


def _evaluation_job(execution: ExecutionView) -> str | None:
    evaluated = [step for step in execution.steps if step.name == JobStep.EVALUATE and step.status == "Succeeded"]
    return evaluated[0].job_name if evaluated else None
