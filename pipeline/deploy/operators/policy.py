"""What people may do who work with a deployed environment: upload, start, watch and stop, read, approve models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.deploy.operators import stack_arns as arns
from pipeline.deploy.permissions.policies import allow, document, key_resource, merged
from pipeline.settings.environment import Settings


def operator_policy(settings: Settings) -> dict[str, Any]:
    """What the commands beside ``plan``, ``deploy``, ``drift`` and ``destroy`` need, and uploads to the raw bucket."""
    return document(merged([*_files(settings), *_executions(settings), *_models(settings), *_key(settings)]))


def _files(settings: Settings) -> Iterator[dict[str, Any]]:
    raw, artifacts, predictions = arns.buckets(settings)
    yield allow(["s3:GetObject", "s3:PutObject"], [f"{raw}/raw/*"])
    # Without it S3 says that an object is forbidden, where it is not there.
    yield allow(["s3:ListBucket"], [raw, predictions])
    yield allow(["s3:GetObject"], [f"{artifacts}/runs/*", f"{predictions}/*"])
    folder = settings.network.wheels_folder
    if folder is not None:
        yield allow(["s3:ListBucket"], [artifacts])
        yield allow(["s3:PutObject"], [f"{artifacts}/{folder}/*"])


def _executions(settings: Settings) -> Iterator[dict[str, Any]]:
    yield allow(
        ["sagemaker:DescribePipeline", "sagemaker:ListPipelineExecutions", "sagemaker:StartPipelineExecution"],
        arns.pipelines(settings),
    )
    yield allow(
        [
            "sagemaker:DescribePipelineDefinitionForExecution",
            "sagemaker:DescribePipelineExecution",
            "sagemaker:ListPipelineExecutionSteps",
            "sagemaker:ListPipelineParametersForExecution",
            "sagemaker:StopPipelineExecution",
        ],
        arns.executions(settings),
    )
    # Which job wrote the report.
    yield allow(["sagemaker:DescribeProcessingJob"], [settings.arn("sagemaker", "processing-job/pipelines-*")])
    yield allow(["logs:DescribeLogStreams", "logs:GetLogEvents"], arns.log_groups(settings))


def _models(settings: Settings) -> Iterator[dict[str, Any]]:
    yield allow(
        ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:UpdateModelPackage"],
        [arns.model_versions(settings)],
    )


def _key(settings: Settings) -> Iterator[dict[str, Any]]:
    for key in [*([settings.kms_key] if settings.kms_key else []), *settings.buckets.kms_keys]:
        resource, condition = key_resource(settings, key)
        yield allow(["kms:Decrypt", "kms:GenerateDataKey"], [resource], **condition)
