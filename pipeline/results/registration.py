"""Register a version: create it, and wait until it can be used."""

from collections.abc import Mapping
from typing import Any

from analysis.runtime.registry import Package
from pipeline.aws.clients import Aws
from pipeline.aws.states import Found, Waiting, wait_until_ended
from pipeline.errors import RegistryError

_UNDER_WAY, _COMPLETED = ("Pending", "InProgress"), "Completed"


def created_version(aws: Aws, request: Mapping[str, Any], waiting: Waiting) -> Package:
    """Create a version as CreateModelPackage is asked to, wait until it is completed, and describe it.

    Raises:
        RegistryError: AWS could not complete it.
        TooSlowError: not in time.
    """
    arn = aws.sagemaker.create_model_package(**request)["ModelPackageArn"]
    package: dict[str, Any] = {}

    def look() -> Found:
        package.update(aws.sagemaker.describe_model_package(ModelPackageName=arn))
        details = package.get("ModelPackageStatusDetails", {}).get("ValidationStatuses", [])
        reasons = [one["FailureReason"] for one in details if "FailureReason" in one]
        return Found(package["ModelPackageStatus"], "; ".join(reasons))

    ended = aws.pace.until_it_passes()(wait_until_ended, f"Version {arn}", look, _UNDER_WAY, waiting)
    if ended.state != _COMPLETED:
        why = ended.reason or "AWS gives no reason"
        raise RegistryError(f"Version {arn} is {ended.state}: {why}", "Fix that, and delete the version.")
    return package
