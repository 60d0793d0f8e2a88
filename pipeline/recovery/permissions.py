"""What whoever makes backups may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.deploy.engine.policy import allow, document, merged
from pipeline.deploy.offline_store import OFFLINE_FOLDER
from pipeline.deploy.permissions.execution import bucket_keys, key_resource
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.settings.environment import Settings
from pipeline.source_control.names import Names


def backup_policy(settings: Settings) -> dict[str, Any]:
    """Return what the command ``backup`` reads; the place that it writes to is another account's to open."""
    return document(merged(_reading(settings, StackArns(settings))))


def _reading(settings: Settings, arns: StackArns) -> Iterator[dict[str, Any]]:
    folders = ("code", "models", "registered", OFFLINE_FOLDER)
    yield allow("s3:GetObject", [f"{arns.artifacts}/{folder}/*" for folder in folders])
    # Without it S3 answers "forbidden" for an object that does not exist.
    yield allow("s3:ListBucket", [arns.artifacts])
    yield allow("sagemaker:DescribePipeline", [settings.pipeline_arn(settings.training_pipeline_name)])
    yield allow("sagemaker:DescribeModelPackage ListModelPackages", [arns.model_versions])
    yield allow("sagemaker:DescribeFeatureGroup", arns.feature_groups)
    repository = settings.arn("sagemaker", f"code-repository/{Names(settings).code_repository}")
    yield allow("sagemaker:DescribeCodeRepository", [repository])
    # Whichever instance is connected; listing has no resource level in AWS.
    yield allow("sagemaker:DescribeNotebookInstance", [settings.arn("sagemaker", "notebook-instance/*")])
    yield allow("sagemaker:ListNotebookInstances", ["*"])
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow("kms:Decrypt", [resource], **condition)
    yield from bucket_keys(settings)
