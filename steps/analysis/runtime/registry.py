"""What steps, scripts and commands ask the model registry, above all: which version is in use.

A version is described as DescribeModelPackage answers. Approving and rolling back write into its customer metadata when
it was put in use, and by whom; where another client approved it, the moment of its last modification counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Package = Mapping[str, Any]
"""A version, as DescribeModelPackage answers."""

IN_USE_SINCE, DECIDED_BY, ROLLED_BACK_FROM = "in-use-since", "decided-by", "rolled-back-from"
SCORES_NEW_ROWS = "scores-new-rows"
"""Customer metadata: `yes`, or `no: ` and the columns that the version needs and that are never known in advance."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def in_use(packages: Iterable[Package]) -> Package | None:
    """Return the version that scores: of those that can, the one that was put in use last; None where none can.

    Of two that were put in use at the same moment it is the later version, so that everybody gets the same answer.
    """
    return max(filter(can_be_used, packages), key=put_in_use, default=None)


def can_be_used(package: Package) -> bool:
    """Say whether a version is approved, and can score new files."""
    return package.get("ModelApprovalStatus") == "Approved" and scores_new_rows(package)


def scores_new_rows(package: Package) -> bool:
    """Say whether a version can score new files; one that does not say is taken for one that can."""
    return not metadata(package).get(SCORES_NEW_ROWS, "yes").startswith("no")


def never_known(package: Package) -> list[str]:
    """Return the columns that a version needs and that are never known in advance, as its metadata names them."""
    answer, _, names = metadata(package).get(SCORES_NEW_ROWS, "yes").partition(":")
    return names.split() if answer.startswith("no") else []


def scores_new_rows_in_words(columns: Iterable[str]) -> str:
    """Return the metadata of a version that needs these columns, which are never known in advance."""
    names = " ".join(columns)
    return f"no: {names}" if names else "yes"


def metadata(package: Package) -> Mapping[str, str]:
    """Return the customer metadata of a version."""
    found: Mapping[str, str] = package.get("CustomerMetadataProperties") or {}
    return found


def put_in_use(package: Package) -> tuple[datetime, int]:
    """Return when an approved version was put in use, and its number."""
    since = _moment(metadata(package).get(IN_USE_SINCE, ""))
    approved = package.get("LastModifiedTime") or package.get("CreationTime") or _EARLIEST
    return since or approved, package.get("ModelPackageVersion", 0)


def moment(at: datetime) -> str:
    """Return a moment as customer metadata has it, such as ``2026-12-01T03:00:00.000Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Others may write anything; nothing could be decided after the last moment that there is.
    return found if found.year < MAXYEAR else None


def who_decided(package: Package) -> str:
    """Return whoever approved or rejected a version, "" where it is not known.

    What the metadata say is of the last decision only where they also say when the version was put in use, or that it
    is not: another client changes the status alone.
    """
    known, by = metadata(package), package.get("LastModifiedBy") or {}
    is_ours = (IN_USE_SINCE in known) == (package.get("ModelApprovalStatus") == "Approved")
    other = by.get("UserProfileName") or by.get("IamIdentity", {}).get("Arn") or ""
    return (known.get(DECIDED_BY) if is_ours else None) or str(other)


def described(sagemaker: SageMakerClient, group: str, **only: Any) -> list[Package]:
    """Describe the versions of a model package group, the newest first; `only` are options of ListModelPackages.

    Raises botocore's ClientError where the service refuses, for instance because the group does not exist.
    """
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **only
    )
    arns = [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]
    found = [_unless_deleted(sagemaker, arn) for arn in arns]
    return [one for one in found if one is not None]


def approved(sagemaker: SageMakerClient, group: str) -> list[Package]:
    """Describe the approved versions of a model package group; see `described`."""
    return described(sagemaker, group, ModelApprovalStatus="Approved")


def _unless_deleted(sagemaker: SageMakerClient, arn: str) -> Package | None:
    """Describe a version; None where somebody has deleted it since it was listed."""
    try:
        return sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if "does not exist" in error.response.get("Error", {}).get("Message", ""):
            return None
        raise


def model_data_url(package: Package) -> str:
    """Return the URI of a model package's archive, "" where it does not have exactly one."""
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    return str(containers[0].get("ModelDataUrl", "")) if len(containers) == 1 else ""
