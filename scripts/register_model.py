"""Register a model.tar.gz of this machine as a new version in the model registry.

The archive is read first, so that only a model of this project is registered; nothing in it is executed. The version
waits for a person's approval. The same archive is registered once: a second call names the existing version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws, aws_errors
from pipeline.definition.sdk import offline_sdk
from pipeline.settings.environment import Settings
from scripts.lib.exports.sources import FoundModel, find_model
from scripts.lib.program import RegistrationError, ScriptError, aws_of, existing_file, program_parser, run_program

EXAMPLES = f"""\
examples:
  python scripts/register_model.py model.tar.gz --evaluation evaluation.json
  python scripts/register_model.py model.tar.gz --env dev --group another-group

Then: {NAME} model list
exit codes: 0 registered (or already registered), 2 wrong call, 9 no model, 11 refused by the registry, 1 anything else
"""
#: Customer metadata by which a version is recognised when the same archive comes again.
ARCHIVE_KEY = "archive-sha256"
_CODE_FOLDER = "/opt/ml/model/code"
_CSV = ["text/csv"]


def read_evaluation(path: Path) -> tuple[bytes, float]:
    """Read evaluation.json of evaluate.py: its bytes, and R-squared on the test rows."""
    try:
        content = path.read_bytes()
        return content, float(json.loads(content)["regression_metrics"]["r2"]["value"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path} is not an evaluation.json ({type(error).__name__}: {error})."
        raise ScriptError(message, "Write it with steps/evaluate.py.") from error


def image_uri(settings: Settings) -> str:
    """Return the pinned scikit-learn image of the region. Imports the SageMaker SDK, which takes seconds."""
    with offline_sdk(settings.region):
        from pipeline.definition import context

        return context.image_uri(settings.region)


def registered_version(group: str, archive_sha256: str, aws: Aws) -> str | None:
    """Return the ARN of the group's version that was registered from the same archive, or None.

    Raises RegistrationError where the group does not exist.
    """
    with aws_errors(f"Looking at model package group {group}", aws, RegistrationError):
        aws.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
        for page in aws.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
            for version in page["ModelPackageSummaryList"]:
                arn = str(version["ModelPackageArn"])
                package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
                if package.get("CustomerMetadataProperties", {}).get(ARCHIVE_KEY) == archive_sha256:
                    return arn
    return None


def package_request(
    found: FoundModel, uris: Mapping[str, str], *, group: str, image: str, instance_type: str
) -> dict[str, Any]:
    """Build the CreateModelPackage request, of the same form as the pipeline's; it always waits for approval."""
    container = {
        "Image": image,
        "ModelDataUrl": uris["model.tar.gz"],
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": _CODE_FOLDER},
    }
    request: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Registered by hand from {found.source}"[:1024],
        "ModelApprovalStatus": "PendingManualApproval",
        "Domain": "MACHINE_LEARNING",
        "Task": "REGRESSION",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": _CSV,
            "SupportedResponseMIMETypes": _CSV,
            "SupportedRealtimeInferenceInstanceTypes": [instance_type],
            "SupportedTransformInstanceTypes": [instance_type],
        },
        "CustomerMetadataProperties": {"profile": found.model.profile, ARCHIVE_KEY: found.archive_sha256},
    }
    if "evaluation.json" in uris:
        statistics = {"ContentType": "application/json", "S3Uri": uris["evaluation.json"]}
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    return request


def register(found: FoundModel, files: Mapping[str, bytes], aws: Aws, *, group: str, image: str) -> str:
    """Upload the files under the archive's SHA-256, register them, and return the new version's ARN.

    Raises RegistrationError where AWS refuses; uploaded files may stay behind and are overwritten by the same bytes.
    """
    bucket, uris = aws.settings.artifacts_bucket, {}
    for name, content in files.items():
        key = f"registered/{found.archive_sha256}/{name}"
        uris[name] = f"s3://{bucket}/{key}"
        with aws_errors(f"Uploading {uris[name]}", aws, RegistrationError):
            aws.s3.put_object(Bucket=bucket, Key=key, Body=content)
    instance_type = aws.settings.instances.transform
    request = package_request(found, uris, group=group, image=image, instance_type=instance_type)
    with aws_errors(f"Registering a version of {group}", aws, RegistrationError):
        return str(aws.sagemaker.create_model_package(**request)["ModelPackageArn"])


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES, asks_aws=True)
    parser.add_argument("archive", type=Path, help="model.tar.gz that train.py's job wrote")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of evaluate.py, shown with the version")
    parser.add_argument("--group", help="model package group (default: the environment's)")
    parser.add_argument("--image", help="container image (default: the pinned scikit-learn image of the region)")
    request = parser.parse_args(arguments)
    aws = aws_of(request.env)
    archive = existing_file(request.archive, "The model archive")
    found = find_model(str(archive), lambda: aws)
    files, quality = {"model.tar.gz": archive.read_bytes()}, ""
    if request.evaluation:
        files["evaluation.json"], r_squared = read_evaluation(request.evaluation)
        quality = f", R-squared on test rows {r_squared:.4f}"
    group = request.group or aws.settings.model_package_group_name
    already = registered_version(group, found.archive_sha256, aws)
    if already is not None:
        print(f"{archive} is registered already: {already}")
        return
    image = request.image or image_uri(aws.settings)
    arn = register(found, files, aws, group=group, image=image)
    print(f"{arn}: profile {found.model.profile}{quality}, waiting for approval")
    print(f"Approve it: {NAME} model approve --help")


if __name__ == "__main__":
    run_program(main)
