"""Choose the model that scores a file: the newest approved version of a model package group, or the one that is named.

Writes model.json: model_package_arn, version, profile. Without an approved version the step fails and says how to
approve one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.model.registry import newest_approved
from analysis.runtime.aws import aws_call, sagemaker_client
from analysis.runtime.container import PROCESSING, PROCESSING_MESSAGE, Arguments, run_step
from analysis.runtime.errors import ModelError
from analysis.runtime.frames import write_json

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

FILE_NAME = "model.json"
DEFAULT_PROFILE = "forecast"
"""Of a version that was registered without saying."""


def approved_version(sagemaker: SageMakerClient, group: str) -> str:
    """ARN of the newest approved version; raises ModelError where there is none."""
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
    """What later steps need of a version; raises ModelError where it is not approved."""
    with aws_call(f"Looking at the model package {arn}"):
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise ModelError(f"The model package {arn} is {status}, not Approved: approve it or name another version.")
    return {
        "model_package_arn": package["ModelPackageArn"],
        "version": str(package.get("ModelPackageVersion", "")),
        "profile": package.get("CustomerMetadataProperties", {}).get("profile", DEFAULT_PROFILE),
    }


def main(arguments: Sequence[str]) -> None:
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    parser.add_argument("--model-package-group-name", required=True, help="group to take the newest approved of")
    parser.add_argument("--model-package-arn", default="", help="take this version; empty means the newest approved")
    parser.add_argument("--output-dir", type=Path, default=PROCESSING / "output" / "model", help="gets model.json")
    request = parser.parse_args(arguments)
    sagemaker = sagemaker_client()
    arn = request.model_package_arn or approved_version(sagemaker, request.model_package_group_name)
    chosen = selection(sagemaker, arn)
    write_json(chosen, request.output_dir / FILE_NAME)
    print(f"model: version {chosen['version']} ({chosen['model_package_arn']}, profile {chosen['profile']})")


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
