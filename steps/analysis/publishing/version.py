"""What the model registry says of the version that has predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.runtime.aws import unless

DELETED = "Deleted"
"""Status of a version that is not there any more."""
_NO_SUCH_VERSION = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})


@dataclass(frozen=True)
class Version:
    """A model package. statistics_uri: where its metrics are, "" where it names none."""

    arn: str
    status: str
    statistics_uri: str = ""


def described(sagemaker: Any, arn: str) -> Version:
    """Ask the registry; predictions of a version that was deleted meanwhile are published all the same."""
    found = unless(
        f"Looking at the model package {arn}",
        _NO_SUCH_VERSION,
        lambda: sagemaker.describe_model_package(ModelPackageName=arn),
    )
    if found is None:
        return Version(arn, DELETED)
    statistics = found.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return Version(arn, str(found.get("ModelApprovalStatus", "")), str(statistics.get("S3Uri", "")))
