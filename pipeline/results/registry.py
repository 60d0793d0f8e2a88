"""The model registry: its versions, and what each was decided to be; decisions are in `decisions`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analysis.runtime.registry import (
    Package,
    described,
    in_use,
    metadata,
    model_data_url,
    never_known,
    put_in_use,
    scores_new_rows,
    who_decided,
)
from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import PipelineError, RegistryError


@dataclass(frozen=True)
class ModelVersion:
    """One registered version."""

    arn: str
    version: int  #: Number within the group.
    approval: str  #: ``Approved``, ``Rejected`` or ``PendingManualApproval``.
    in_use: bool  #: Whether files are scored with it.
    scores_new_rows: bool  #: Whether it can score new files, as far as it says.
    never_known: list[str]  #: Columns that keep it from that: they are never known in advance.
    created: datetime
    decided: datetime | None  #: When it was put in use or rejected; None while it is pending.
    decided_by: str  #: ARN or name, "" where it is not known.
    reason: str
    model_data: str  #: URI of its archive, "" where it does not have exactly one.
    evaluation: str  #: URI of its evaluation.json, "" where it has none.
    properties: dict[str, str]  #: Customer metadata: profile, code, input, execution.
    metrics: dict[str, float]  #: Metric name → value, as the first evaluation of the model card has them.

    @property
    def profile(self) -> str:
        """Return the profile that it was trained with, "unknown" where it does not say."""
        return self.properties.get("profile", "unknown")


def packages_of(aws: Aws, group: str) -> list[Package]:
    """Describe all versions of a group, newest first.

    Raises:
        RegistryError: there is no such group, or AWS refused the request.
    """
    with aws_errors(f"Listing the versions of {group}", aws, RegistryError):
        return described(aws.sagemaker, group)


def versions(aws: Aws, group: str) -> list[ModelVersion]:
    """Return all versions of a group, newest first; raises as :func:`packages_of` does."""
    return versions_of(packages_of(aws, group))


def versions_of(packages: Sequence[Package]) -> list[ModelVersion]:
    """Return the versions that are described; which one is in use follows from all of them."""
    chosen = in_use(packages)
    return [_version(package, is_in_use=package is chosen) for package in packages]


def find(aws: Aws, group: str, number: int) -> ModelVersion:
    """Return one version by its number.

    Raises:
        RegistryError: there is no such version.
    """
    return numbered(versions(aws, group), number, aws, group)


def numbered(found: Sequence[ModelVersion], number: int, aws: Aws, group: str) -> ModelVersion:
    """Return the version of this number among those of a group; raises as :func:`find` does."""
    by_number = {version.version: version for version in found}
    if number not in by_number:
        known = ", ".join(map(str, by_number)) or "none yet"
        raise RegistryError(
            f"{group} has no version {number}; there are: {known}.", f"List them: {list_command(aws, group)}"
        )
    return by_number[number]


def model_command(aws: Aws, group: str, words: str) -> str:
    """Return a command about the versions of a group, such as ``… model list``."""
    other = "" if group == aws.settings.model_package_group_name else f" --group {group}"
    return aws.settings.command(f"model {words}{other}")


def list_command(aws: Aws, group: str) -> str:
    """Return the command that lists the versions of a group."""
    return model_command(aws, group, "list")


def version_in_use(aws: Aws) -> dict[str, Any] | None:
    """Return the version of the environment's group that scores, for a plan; None where there is none.

    It is what somebody has decided, and no part of the plan: what can't be read is said, and stops nothing.
    """
    try:
        found = versions(aws, aws.settings.model_package_group_name)
    except PipelineError as error:
        # Before the first deployment there is no group.
        missing = "does not exist" in error.message
        return None if missing else {"version": None, "unknown": error.message}
    chosen = next((version for version in found if version.in_use), None)
    if chosen is None:
        return None
    return {
        "version": chosen.version,
        "arn": chosen.arn,
        "profile": chosen.profile,
        "since": chosen.decided,
        "by": chosen.decided_by,
        "reason": chosen.reason,
    }


def in_use_in_words(chosen: dict[str, Any] | None) -> str:
    """Say in a line which version scores, as :func:`version_in_use` gives it."""
    if chosen is None:
        return "Model in use: none; files to score fail until a version is approved."
    if chosen["version"] is None:
        return f"Model in use: not known. {chosen['unknown']}"
    by = f" by {chosen['by']}" if chosen["by"] else ""
    reason = f": {chosen['reason']}" if chosen["reason"] else ""
    return (
        f"Model in use: version {chosen['version']} ({chosen['profile']}), since {chosen['since']:%Y-%m-%d %H:%M} UTC"
        f"{by}{reason}"
    )


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


def _version(package: Package, *, is_in_use: bool) -> ModelVersion:
    approval = package.get("ModelApprovalStatus", "")
    decided = {"Approved": put_in_use(package)[0], "Rejected": package.get("LastModifiedTime")}.get(approval)
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return ModelVersion(
        arn=package["ModelPackageArn"],
        version=package.get("ModelPackageVersion", 0),
        approval=approval,
        in_use=is_in_use,
        scores_new_rows=scores_new_rows(package),
        never_known=never_known(package),
        created=package["CreationTime"],
        decided=decided,
        decided_by=who_decided(package) if decided else "",
        reason=package.get("ApprovalDescription", ""),
        model_data=model_data_url(package),
        evaluation=statistics.get("S3Uri", ""),
        properties=dict(metadata(package)),
        metrics={
            metric["name"]: metric["value"]
            for evaluation in _card(package).get("evaluation_details", [])[:1]
            for group in evaluation.get("metric_groups", [])
            for metric in group.get("metric_data", [])
            if isinstance(metric["value"], (int, float))  # others are plots and words
        },
    )
