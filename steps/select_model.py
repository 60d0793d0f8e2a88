"""Choose the model that scores a file: the version of a model package group that is in use, or the one that is named.

Answers with model_package_arn, model_data_url, version and profile. Where no version is in use, the step fails and says
how to put one in use.
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
from analysis.runtime.registry import (
    Package,
    approved,
    in_use,
    metadata,
    model_data_url,
    never_known,
    put_in_use,
    who_decided,
)

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

IN_USE = "in-use"
"""Instead of a version's ARN."""


def version_in_use(sagemaker: SageMakerClient, group: str) -> Package:
    """Describe the version that is in use; raise ModelError where there is none."""
    with aws_call(f"Looking for the version of {group} that is in use"):
        found = approved(sagemaker, group)
    chosen = in_use(found)
    if chosen is None:
        raise ModelError(
            f"{why_none(found, group)} Look at the versions ({NAME} model list), approve one that can "
            f"({NAME} model approve VERSION), then start the execution again."
        )
    return chosen


def why_none(found: Sequence[Package], group: str) -> str:
    """Say why none of the approved versions of a group can score."""
    if not found:
        return f"The model package group {group} has no approved version to score with."
    newest = found[0]
    columns = " and ".join(never_known(newest)) or "columns"
    version, profile = newest.get("ModelPackageVersion"), metadata(newest).get("profile", "unknown")
    like_it = ", ".join(str(one.get("ModelPackageVersion")) for one in found[1:])
    others = f" Likewise approved: version {like_it}." if like_it else ""
    return (
        f"Nothing is wrong with the file: the model package group {group} has no approved version that can score new "
        f"files. Version {version} (profile {profile}) takes {columns} as inputs, which are never known in "
        f"advance.{others}"
    )


def named_version(sagemaker: SageMakerClient, arn: str) -> Package:
    """Describe the version that is asked for; raise ModelError where it is not approved."""
    with aws_call(f"Looking at the model package {arn}"):
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise ModelError(f"The model package {arn} is {status}, not Approved: approve it or name another version.")
    return package


def selection(package: Package) -> dict[str, str]:
    """Return what later steps need of a version; raise ModelError where it has no archive."""
    arn, url = package["ModelPackageArn"], model_data_url(package)
    if not url:
        raise ModelError(
            f"The model package {arn} does not have exactly one model archive: "
            f"put another version in use ({NAME} model approve VERSION), or name one."
        )
    # A version that was registered by other means may name no profile.
    return {
        "model_package_arn": arn,
        "model_data_url": url,
        "version": str(package.get("ModelPackageVersion", "")),
        "profile": metadata(package).get("profile", "unknown"),
    }


def since_when(package: Package) -> str:
    """Say since when the version in use is that, and who decided so."""
    by = who_decided(package)
    return f"in use since {put_in_use(package)[0]:%Y-%m-%d %H:%M} UTC" + (f", by {by}" if by else "")


def select_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--model-package-group-name", required=True, help="group whose version in use is taken")
    parser.add_argument("--model-package-arn", default=IN_USE, help="take this version instead")
    parser.add_argument("--execution-arn", help="pipeline execution that asks")
    request = parser.parse_args(arguments)
    sagemaker = patient_client("sagemaker", request.retry_seconds)
    if request.model_package_arn == IN_USE:
        package = version_in_use(sagemaker, request.model_package_group_name)
        reason = since_when(package)
    else:
        package, reason = named_version(sagemaker, request.model_package_arn), "asked for by name"
    chosen = selection(package)
    print(f"model: version {chosen['version']} ({chosen['model_package_arn']}, profile {chosen['profile']}), {reason}")
    return outputs_of(reason, **chosen)


handler = as_function(select_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(select_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
