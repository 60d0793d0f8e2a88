"""What publishing needs, in a function or, for large files, in a job."""

from collections.abc import Iterator
from typing import Any

from pipeline.deploy.engine.policy import allow
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.settings.environment import Settings


def publishing(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``publish.py`` needs, in a function or in a job."""
    arns = StackArns(settings)
    yield allow(
        "s3:GetObject", [f"{arns.raw}/*", *(f"{arns.artifacts}/{folder}/*" for folder in ("claims", "inputs", "runs"))]
    )
    yield allow("s3:ListBucket", arns.buckets)
    yield allow(
        "s3:AbortMultipartUpload DeleteObject GetObject PutObject",
        [f"{arns.predictions}/predictions/*", f"{arns.predictions}/manifests/*"],
    )
    yield allow("s3:GetObject PutObject", [f"{arns.predictions}/newest/*"])
    yield allow("sagemaker:DeleteModel", [settings.arn("sagemaker", "model/pipelines-*")])
