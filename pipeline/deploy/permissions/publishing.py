"""What publishing and measuring predictions need, in a function or, for large files, in a job."""

from collections.abc import Iterator
from typing import Any

from analysis.publishing.places import MANIFESTS, PAGES, POINTERS, PREDICTIONS, REALISED, SUMMARIES
from pipeline.deploy.engine.policy import allow
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.settings.contract import JobStep
from pipeline.settings.environment import Settings


def putting_metrics(settings: Settings) -> dict[str, Any]:
    """Return what it takes to put metrics into the environment's own namespace; AWS has no resource level for it."""
    into_ours = {"StringEquals": {"cloudwatch:namespace": settings.prefix}}
    return allow("cloudwatch:PutMetricData", ["*"], Condition=into_ours)


def publishing(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``publish.py`` needs, in a function or in a job."""
    arns = StackArns(settings)
    yield allow(
        "s3:GetObject", [f"{arns.raw}/*", *(f"{arns.artifacts}/{folder}/*" for folder in ("claims", "inputs", "runs"))]
    )
    # What a training says of drift, and what the version was worth.
    yield allow("s3:GetObject", [f"{arns.artifacts}/models/*/{JobStep.EVALUATE}/*"])
    yield putting_metrics(settings)
    yield allow("s3:ListBucket", arns.buckets)
    yield allow(
        "s3:AbortMultipartUpload DeleteObject GetObject PutObject",
        [f"{arns.predictions}/{folder}/*" for folder in (PREDICTIONS, MANIFESTS, PAGES)],
    )
    yield allow("s3:GetObject PutObject", [f"{arns.predictions}/{POINTERS}/*"])
    yield allow("sagemaker:DescribeModelPackage", [arns.model_versions])
    yield allow("sagemaker:DeleteModel", [settings.arn("sagemaker", "model/pipelines-*")])


def measuring(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``score_predictions.py`` needs, in a function or in a job."""
    arns = StackArns(settings)
    yield allow("s3:GetObject", [f"{arns.raw}/*", *(f"{arns.artifacts}/{folder}/*" for folder in ("inputs", "runs"))])
    yield allow("s3:ListBucket", arns.buckets)
    yield allow("s3:GetObject", [f"{arns.predictions}/{folder}/*" for folder in (PREDICTIONS, MANIFESTS)])
    yield allow("s3:GetObject PutObject", [f"{arns.predictions}/{folder}/*" for folder in (REALISED, SUMMARIES)])
    # A large file is written in parts.
    yield allow("s3:AbortMultipartUpload", [f"{arns.predictions}/{REALISED}/*"])
    yield putting_metrics(settings)
