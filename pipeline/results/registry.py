"""The model registry: list, approve and reject versions, and read their cards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import RegistryError


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Attributes:
        arn: of the model package.
        version: number within the group.
        approval: ``Approved``, ``Rejected`` or ``PendingManualApproval``.
        created: when it was registered.
        properties: customer metadata: profile, code, input, execution.
        metrics: metric name → value, as the model card has them.
    """

    arn: str
    version: int
    approval: str
    created: datetime
    properties: dict[str, str]
    metrics: dict[str, float]


def versions(aws: Aws, group: str) -> list[ModelVersion]:
    """All versions of a group, newest first.

    Raises:
        RegistryError: there is no such group, or AWS did not let itself be asked.
    """
    with aws_errors(f"Listing the versions of {group}", aws, RegistryError):
        pages = aws.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        return [_version(aws.sagemaker.describe_model_package(ModelPackageName=arn)) for arn in arns]


def find(aws: Aws, group: str, number: int) -> ModelVersion:
    """One version by its number.

    Raises:
        RegistryError: there is no such version.
    """
    found = versions(aws, group)
    for version in found:
        if version.version == number:
            return version
    known = ", ".join(str(version.version) for version in found) or "none yet"
    raise RegistryError(
        f"{group} has no version {number}; there are: {known}.", f"See them with: {aws.settings.command('model list')}"
    )


def decide(
    aws: Aws, group: str, number: int, status: Literal["Approved", "Rejected"], reason: str = ""
) -> ModelVersion:
    """Approve or reject a version; what it was before does not matter.

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
    """The model card of a version; empty where it has none.

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
        metrics=_metrics(_card(package)),
    )


def _metrics(content: dict[str, Any]) -> dict[str, float]:
    return {
        metric["name"]: metric["value"]
        for evaluation in content.get("evaluation_details", [])
        for group in evaluation.get("metric_groups", [])
        for metric in group.get("metric_data", [])
    }
