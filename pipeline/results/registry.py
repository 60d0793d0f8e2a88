"""The model registry: list, approve and reject versions, and read their cards."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import RegistryError


@dataclass(frozen=True)
class ModelVersion:
    """One registered version."""

    arn: str
    version: int  #: Number within the group.
    approval: str  #: ``Approved``, ``Rejected`` or ``PendingManualApproval``.
    created: datetime
    properties: dict[str, str]  #: Customer metadata: profile, code, input, execution.
    metrics: dict[str, float]  #: Metric name → value, as the first evaluation of the model card has them.


def versions(aws: Aws, group: str) -> list[ModelVersion]:
    """Return all versions of a group, newest first.

    Raises:
        RegistryError: there is no such group, or AWS refused the request.
    """
    with aws_errors(f"Listing the versions of {group}", aws, RegistryError):
        pages = aws.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        return [_version(aws.sagemaker.describe_model_package(ModelPackageName=arn)) for arn in arns]


def find(aws: Aws, group: str, number: int) -> ModelVersion:
    """Return one version by its number.

    Raises:
        RegistryError: there is no such version.
    """
    found = {version.version: version for version in versions(aws, group)}
    if number not in found:
        known = ", ".join(map(str, found)) or "none yet"
        raise RegistryError(
            f"{group} has no version {number}; there are: {known}.", f"List them: {aws.settings.command('model list')}"
        )
    return found[number]


def decide(
    aws: Aws, group: str, number: int, status: Literal["Approved", "Rejected"], reason: str = ""
) -> ModelVersion:
    """Approve or reject a version, whatever its state before.

    Raises:
        RegistryError: there is no such version.
    """
    version = find(aws, group, number)
    with aws_errors(f"Setting version {number} of {group} to {status}", aws, RegistryError):
        aws.sagemaker.update_model_package(
            ModelPackageArn=version.arn,
            ModelApprovalStatus=status,
            **({"ApprovalDescription": reason} if reason else {}),  # type: ignore[arg-type]
        )
    return find(aws, group, number)


def card(aws: Aws, group: str, number: int) -> dict[str, Any]:
    """Return the model card of a version; empty where it has none.

    Raises:
        RegistryError: there is no such version.
    """
    version = find(aws, group, number)
    with aws_errors(f"Reading the card of version {number}", aws, RegistryError):
        return _card(aws.sagemaker.describe_model_package(ModelPackageName=version.arn))


def _card(package: Any) -> dict[str, Any]:
    content = package.get("ModelCard", {}).get("ModelCardContent")
    found: dict[str, Any] = json.loads(content) if content else {}
    return found


def _version(package: Any) -> ModelVersion:
    return ModelVersion(
        arn=package["ModelPackageArn"],
        version=package.get("ModelPackageVersion", 0),
        approval=package.get("ModelApprovalStatus", ""),
        created=package["CreationTime"],
        properties=dict(package.get("CustomerMetadataProperties", {})),
        metrics={
            metric["name"]: metric["value"]
            for evaluation in _card(package).get("evaluation_details", [])[:1]
            for group in evaluation.get("metric_groups", [])
            for metric in group.get("metric_data", [])
        },
    )
