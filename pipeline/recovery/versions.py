"""Register the versions of a backup in another account's registry, and decide on them as it was decided.

Each version is there once, however often this runs: its metadata name the one that it was. It waits for approval until
it is decided on, first of all the one that was in use, so that at no time another one scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.card.following import follow_version, has_card
from analysis.card.texts import card_text
from analysis.runtime.errors import StepError
from analysis.runtime.registry import DECIDED_BY, IN_USE_SINCE, ROLLED_BACK_FROM, Package, in_use, metadata
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Waiting
from pipeline.errors import RecoveryError
from pipeline.recovery.manifest import File, Manifest, Version
from pipeline.recovery.places import Place, checked
from pipeline.results.registration import created_version
from pipeline.results.registry import list_command, packages_of

RESTORED_FROM, ORIGINAL_NUMBER = "restored-from", "original-version"
"""Customer metadata: the version that this one was, by its ARN and by its number alone."""
FOLDER = "models/restored"
"""Folder of the artifacts bucket; each file is below its SHA-256, whatever a manifest calls it."""
OF_DECISIONS = (IN_USE_SINCE, DECIDED_BY, ROLLED_BACK_FROM)
#: Where the execution that registered a version has left what another one would take over: gone with its account.
_OF_EXECUTIONS = ("claim", "rows-uri", "transform-uri", "features-uri", "drift-uri")
_UNKNOWN = "unknown"
_ROUNDS = 8


def counterparts(manifest: Manifest, packages: Sequence[Package]) -> dict[int, Package]:
    """Return which versions of a registry are those of a backup, by their numbers there: restored, or never lost."""
    usable = [one for one in packages if one.get("ModelPackageStatus") != "Failed"]
    restored = {metadata(one).get(RESTORED_FROM): one for one in usable}
    there = {(one["ModelPackageArn"], one["CreationTime"]): one for one in usable}
    found = {one.number: restored.get(one.arn) or there.get((one.arn, one.created)) for one in manifest.versions}
    return {number: package for number, package in found.items() if package is not None}


def present(aws: Aws, manifest: Manifest) -> dict[int, Package]:
    """Return the versions that are there already.

    Raises:
        RecoveryError: another one is in use, which those of the backup would take the place of.
    """
    group = aws.settings.model_package_group_name
    with aws_errors(f"Looking at {group}", aws, RecoveryError):
        exists = unless_missing(lambda: aws.sagemaker.describe_model_package_group(ModelPackageGroupName=group))
    packages = packages_of(aws, group) if exists else []
    found, chosen = counterparts(manifest, packages), in_use(packages)
    ours = {one["ModelPackageArn"] for one in found.values()}
    if chosen is not None and chosen["ModelPackageArn"] not in ours and len(found) < len(restorable(manifest)):
        raise RecoveryError(
            f"Version {chosen['ModelPackageVersion']} of {group} is in use, and is none of the backup's.",
            f"Look at it: {list_command(aws, group)}. To restore without versions, leave out --artifacts.",
        )
    return found


def restorable(manifest: Manifest) -> list[Version]:
    """Return the versions whose archive the backup has, oldest first."""
    archives = {one.number: _archives(one.registration) for one in manifest.versions}
    found = [one for one in manifest.versions if not archives[one.number] & {*one.absent}]
    return sorted(found, key=lambda one: one.number)


def restore_versions(
    aws: Aws, place: Place, manifest: Manifest, images: Mapping[str, str], report: Callable[[str], None]
) -> dict[int, int]:
    """Register what is missing and decide on it; return the number of each version, by the one that it had.

    images: what containers are served by here, by what they were served by there.
    """
    group = aws.settings.model_package_group_name
    found = present(aws, manifest)
    for version in restorable(manifest):
        if version.number in found:
            continue
        uris = {file.source: _uploaded(aws, place, file) for file in version.files}
        with aws_errors(f"Registering version {version.number} of the backup", aws, RecoveryError):
            request = _request(version, group, uris, images, aws.settings.kms_key)
            found[version.number] = created_version(aws, request, Waiting())
        report(f"Version {version.number}: registered as version {found[version.number]['ModelPackageVersion']}")
    numbers = {number: int(package["ModelPackageVersion"]) for number, package in found.items()}
    for version in sorted(manifest.versions, key=lambda one: one.number != manifest.in_use):
        if version.number in found:
            _decide(aws, version, found[version.number], numbers)
            _follow(aws, numbers[version.number], found[version.number]["ModelPackageArn"])
    return numbers


def _uploaded(aws: Aws, place: Place, file: File) -> str:
    """Put a file below its hash; return its URI."""
    bucket, name = aws.settings.artifacts_bucket, re.sub(r"[^A-Za-z0-9._-]", "-", file.source.rpartition("/")[2])
    key = f"{FOLDER}/{file.sha256}/{name.lstrip('.') or 'file'}"
    with checked(place, file) as content, aws_errors(f"Writing s3://{bucket}/{key}", aws, RecoveryError):
        aws.s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def _request(
    version: Version, group: str, uris: Mapping[str, str], images: Mapping[str, str], kms_key: str | None
) -> dict[str, Any]:
    """Return CreateModelPackage's request: the version as it was, with the places and keys of this account."""
    kept = {name: value for name, value in version.registration.items() if name not in {"ModelCard", "SecurityConfig"}}
    card = version.registration.get("ModelCard")
    left_out = {*OF_DECISIONS, *_OF_EXECUTIONS}
    properties = {name: value for name, value in version.properties.items() if name not in left_out}
    request = {
        **rewritten(kept, {**images, **uris, **dict.fromkeys(version.absent)}),
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": {
            **properties,
            RESTORED_FROM: version.arn,
            ORIGINAL_NUMBER: str(version.number),
        },
    }
    if card:
        content = rewritten(json.loads(card["ModelCardContent"]), {**images, **uris})
        request["ModelCard"] = {"ModelCardContent": card_text(content), "ModelCardStatus": card["ModelCardStatus"]}
    if kms_key is not None and "SecurityConfig" in version.registration:
        request["SecurityConfig"] = {"KmsKeyId": kms_key}
    return request


def rewritten(value: Any, changes: Mapping[str, str | None]) -> Any:
    """Return a value with texts replaced that are changed as a whole; what is changed to None goes, with its entry.

    A source of metrics is its URI, and its entry nothing without it.
    """
    if isinstance(value, dict):
        found = {name: rewritten(part, changes) for name, part in value.items() if name not in _OF_OBJECTS}
        if "S3Uri" in found and found["S3Uri"] is None:
            return None
        return {name: part for name, part in found.items() if part not in (None, {})}
    if isinstance(value, list):
        return [part for part in (rewritten(part, changes) for part in value) if part is not None]
    return changes.get(value, value) if isinstance(value, str) else value


#: What AWS says of a container's files and image, and finds out anew.
_OF_OBJECTS = ("ModelDataETag", "ImageDigest")


def _decide(aws: Aws, version: Version, package: Package, numbers: Mapping[int, int]) -> None:
    """Decide as it was decided, unless somebody has decided here."""
    known = metadata(package)
    pending = package.get("ModelApprovalStatus") == "PendingManualApproval" and DECIDED_BY not in known
    if version.approval == "PendingManualApproval" or not pending or RESTORED_FROM not in known:
        return
    left = [numbers[int(one)] for one in version.properties.get(ROLLED_BACK_FROM, "").split() if int(one) in numbers]
    properties = {
        DECIDED_BY: version.decided_by or _UNKNOWN,
        **({IN_USE_SINCE: version.in_use_since} if version.in_use_since else {}),
        **({ROLLED_BACK_FROM: " ".join(map(str, left))} if left else {}),
    }
    reason: Any = {"ApprovalDescription": version.reason} if version.reason else {}
    with aws_errors(f"Deciding on version {package['ModelPackageVersion']}", aws, RecoveryError):
        aws.sagemaker.update_model_package(
            ModelPackageArn=package["ModelPackageArn"],
            ModelApprovalStatus=version.approval,
            CustomerMetadataProperties=properties,
            **reason,
        )


def _follow(aws: Aws, number: int, arn: str) -> None:
    """Make the stand-alone card, as the function does that follows versions: it may not be there yet."""
    try:
        for _ in range(_ROUNDS):
            with aws_errors(f"Looking at {arn}", aws, RecoveryError):
                package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
            if not has_card(package) or not follow_version(aws.sagemaker, package, aws.settings.resource_tags()):
                return
    except StepError as error:
        raise RecoveryError(f"The card of version {number}: {error}", "Run the same command again.") from error


def _archives(registration: Mapping[str, Any]) -> set[str]:
    containers = registration.get("InferenceSpecification", {}).get("Containers", [])
    return {one["ModelDataUrl"] for one in containers if "ModelDataUrl" in one}
