"""Questions that steps and scripts ask the model registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def newest_approved(sagemaker: SageMakerClient, group: str) -> str | None:
    """Return the ARN of the newest approved version of a model package group, None where no version is approved.

    Raises botocore's ClientError where the service refuses, for instance because the group does not exist.
    """
    found = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    return found[0]["ModelPackageArn"] if found else None


def model_data_url(package: Mapping[str, Any]) -> str:
    """Return the URI of a model package's archive, "" where it does not have exactly one."""
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    return str(containers[0].get("ModelDataUrl", "")) if len(containers) == 1 else ""
