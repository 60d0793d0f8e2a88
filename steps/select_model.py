"""Choose the model that scores a file: the newest approved version of a model package group, or the one that is named.

Writes model.json: model_package_arn, version, profile. Without an approved version the step fails and says how to
approve one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3

from analysis.runtime.aws import aws_call, client_settings
from analysis.runtime.container import OUTPUT, Arguments, run_step
from analysis.runtime.errors import ModelError
from analysis.runtime.files import write_json
from analysis.runtime.registry import newest_approved

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def approved_version(sagemaker: SageMakerClient, group: str) -> str:
    """Return the ARN of the newest approved version; raise ModelError where no version is approved."""
    with aws_call(f"Looking for an approved version in {group}"):
        arn = newest_approved(sagemaker, group)
    if arn is None:
        raise ModelError(
            f"The model package group {group} has no approved version to score with. "
            "Look at the versions and approve one (bikeshare model approve VERSION), "
            "then start the execution again."
        )
    return arn


def selection(sagemaker: SageMakerClient, arn: str) -> dict[str, Any]:
    """Return what later steps need of a version; raise ModelError where it is not approved."""
    with aws_call(f"Looking at the model package {arn}"):
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise ModelError(f"The model package {arn} is {status}, not Approved: approve it or name another version.")
    # A version that was registered by other means may name no profile.
    return {
        "model_package_arn": package["ModelPackageArn"],
        "version": str(package.get("ModelPackageVersion", "")),
        "profile": package.get("CustomerMetadataProperties", {}).get("profile", "forecast"),
    }


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__)
    parser.add_argument("--model-package-group-name", required=True, help="group to take the newest approved of")
    parser.add_argument("--model-package-arn", default="", help="take this version; empty means the newest approved")
    parser.add_path("--output-dir", OUTPUT / "model", "gets model.json")
    request = parser.parse_args(arguments)
    sagemaker = boto3.client("sagemaker", **client_settings())
    arn = request.model_package_arn or approved_version(sagemaker, request.model_package_group_name)
    chosen = selection(sagemaker, arn)
    write_json(chosen, request.output_dir / "model.json")
    print(f"model: version {chosen['version']} ({chosen['model_package_arn']}, profile {chosen['profile']})")


if __name__ == "__main__":
    run_step(main)
