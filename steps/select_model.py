"""Choose the model that scores a file: the newest approved version of a model package group, or the one that is named.

Answers with model_package_arn, model_data_url, version and profile. Without an approved version the step fails and
says how to approve one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.runtime.aws import aws_call, patient_client
from analysis.runtime.container import run_step
from analysis.runtime.errors import ModelError
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.project import NAME
from analysis.runtime.registry import model_data_url, newest_approved

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

NEWEST_APPROVED = "newest-approved"
"""Instead of a version's ARN."""


def approved_version(sagemaker: SageMakerClient, group: str) -> str:
    """Return the ARN of the newest approved version; raise ModelError where no version is approved."""
    with aws_call(f"Looking for an approved version in {group}"):
        arn = newest_approved(sagemaker, group)
    if arn is None:
        raise ModelError(
            f"The model package group {group} has no approved version to score with. "
            f"Look at the versions and approve one ({NAME} model approve VERSION), "
            "then start the execution again."
        )
    return arn


def selection(sagemaker: SageMakerClient, arn: str) -> dict[str, str]:
    """Return what later steps need of a version; raise ModelError where it is not approved."""
    with aws_call(f"Looking at the model package {arn}"):
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise ModelError(f"The model package {arn} is {status}, not Approved: approve it or name another version.")
    url = model_data_url(package)
    if not url:
        raise ModelError(f"The model package {arn} does not have exactly one model archive. Name another version.")
    # A version that was registered by other means may name no profile.
    return {
        "model_package_arn": package["ModelPackageArn"],
        "model_data_url": url,
        "version": str(package.get("ModelPackageVersion", "")),
        "profile": package.get("CustomerMetadataProperties", {}).get("profile", "unknown"),
    }


def select_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--model-package-group-name", required=True, help="group to take the newest approved of")
    parser.add_argument("--model-package-arn", default=NEWEST_APPROVED, help="take this version instead")
    parser.add_argument("--execution-arn", help="pipeline execution that asks")
    request = parser.parse_args(arguments)
    sagemaker = patient_client("sagemaker", request.retry_seconds)
    named = request.model_package_arn != NEWEST_APPROVED
    arn = request.model_package_arn if named else approved_version(sagemaker, request.model_package_group_name)
    chosen = selection(sagemaker, arn)
    print(f"model: version {chosen['version']} ({chosen['model_package_arn']}, profile {chosen['profile']})")
    return outputs_of("asked for by name" if named else "the newest approved version", **chosen)


handler = as_function(select_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(select_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
