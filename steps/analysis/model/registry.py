"""What steps and scripts ask the model registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def newest_approved(sagemaker: SageMakerClient, group: str) -> str | None:
    """ARN of the newest approved version of a model package group; None where no version is approved.

    Raises:
        botocore.exceptions.ClientError: the service refused, for instance since there is no such group.
    """
    found = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    return found[0]["ModelPackageArn"] if found else None
