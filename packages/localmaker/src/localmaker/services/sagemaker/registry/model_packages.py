"""The model registry: model packages and their groups.

moto has them, too, but drops the model card, source, life cycle and security of a package, cannot delete a package, and
knows instance types only up to 2021.
"""

from __future__ import annotations

from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.callers import user_context
from localmaker.services.sagemaker.documents import arn_of, existing, now, of_region
from localmaker.services.sagemaker.listing import only, page, select
from localmaker.services.sagemaker.registry.model_cards import ARCHIVED, check_content, metadata_of
from localmaker.services.sagemaker.registry.state_changes import announcing, package_changed
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import forget_tags, whole
from pipedef.document.model_cards import CardKind

PACKAGE, GROUP = "model-package", "model-package-group"
_TOKEN = "model-package-token"  # noqa: S105 - a kind of document
_NAME = "Name"
_METADATA, _METADATA_ENTRIES = "CustomerMetadataProperties", 50
_UPDATABLE = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelLifeCycle",
)
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_BATCH_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)
_GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


@operation("sagemaker", "CreateModelPackageGroup")
@whole()
def create_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a group."""
    name = request["ModelPackageGroupName"]
    arn = arn_of(GROUP, name, context)
    document = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "ModelPackageGroupArn": arn,
        "CreationTime": now(),
        "CreatedBy": user_context(),
        "ModelPackageGroupStatus": "Completed",
    }
    if not context.service(ResourceStore).add(GROUP, arn, document):
        raise _invalid(f"Model Package Group already exists: {arn}")
    return {"ModelPackageGroupArn": arn}


@operation("sagemaker", "DescribeModelPackageGroup")
def describe_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a group."""
    return _group(request["ModelPackageGroupName"], context)


@operation("sagemaker", "ListModelPackageGroups")
def list_groups(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of groups."""
    found = select(of_region(GROUP, "ModelPackageGroupArn", context), request, "ModelPackageGroupName")
    _sort(found, request, "ModelPackageGroupName")
    return page([only(one, _GROUP_SUMMARY) for one in found], request, "ModelPackageGroupSummaryList")


@operation("sagemaker", "DeleteModelPackageGroup")
@whole(releases=True)
def delete_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete an empty group."""
    group = _group(request["ModelPackageGroupName"], context)
    packages = of_region(PACKAGE, "ModelPackageArn", context)
    if any(one.get("ModelPackageGroupName") == group["ModelPackageGroupName"] for one in packages):
        raise AwsError("ConflictException", f"{group['ModelPackageGroupArn']} has model packages: delete them first")
    context.service(ResourceStore).remove(GROUP, group["ModelPackageGroupArn"])
    forget_tags(group["ModelPackageGroupArn"], context)
    return {}


@operation("sagemaker", "CreateModelPackage")
@announcing
@whole()
def create_package(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a package: the next version of its group, or one with its own name."""
    resources = context.service(ResourceStore)
    token = arn_of(_TOKEN, request.get("ClientToken", ""), context)
    earlier = resources.get(_TOKEN, token) if "ClientToken" in request else None
    if earlier is not None:
        return {"ModelPackageArn": earlier}
    _require_one_name(request)
    _check_card(request)
    document: dict[str, Any] = {
        **{key: value for key, value in request.items() if key not in ("Tags", "ClientToken")},
        "CreationTime": now(),
        "CreatedBy": user_context(),
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }
    if "ModelPackageGroupName" in request:
        arn = _next_version(document, context)
    else:
        arn = _package_arn(request["ModelPackageName"], context)
    document["ModelPackageArn"] = arn
    if not resources.add(PACKAGE, arn, document):
        raise _invalid(f"Model Package already exists: {arn}")
    if "ClientToken" in request:
        resources.put(_TOKEN, token, arn)
    package_changed(document, None, context)
    return {"ModelPackageArn": arn}


def _require_one_name(request: dict[str, Any]) -> None:
    """Refuse, in AWS's words, a package with its own name and a group, or with neither."""
    named = [field in request for field in ("ModelPackageName", "ModelPackageGroupName")]
    if all(named):
        both = "Both ModelPackageName and ModelPackageGroupName are provided in the input."
        raise _invalid(f"{both} Cannot determine which one to use.")
    if not any(named):
        raise _invalid("Missing ARN.")


def _check_card(request: dict[str, Any]) -> None:
    content = request.get("ModelCard", {}).get("ModelCardContent")
    if content is not None:
        check_content(content, CardKind.PACKAGE)


def _next_version(document: dict[str, Any], context: RequestContext) -> str:
    group = _group(document["ModelPackageGroupName"], context)
    version = context.service(ResourceStore).next_number(group["ModelPackageGroupArn"])
    document["ModelPackageGroupName"] = group["ModelPackageGroupName"]
    document["ModelPackageVersion"] = version
    document.setdefault("ModelApprovalStatus", "PendingManualApproval")
    return _package_arn(f"{group['ModelPackageGroupName']}/{version}", context)


@operation("sagemaker", "DescribeModelPackage")
def describe_package(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a package."""
    package = _package(request["ModelPackageName"], context)
    card = package.get("ModelCard", {})
    if request.get("IncludedData") == "MetadataOnly" and "ModelCardContent" in card:
        card["ModelCardContent"] = metadata_of(card["ModelCardContent"])
    return package


@operation("sagemaker", "BatchDescribeModelPackage")
def batch_describe_packages(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe several packages; those that do not exist are reported as errors."""
    found, errors = {}, {}
    for arn in request["ModelPackageArnList"]:
        try:
            found[arn] = only(_package(arn, context), _BATCH_SUMMARY)
        except AwsError as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


@operation("sagemaker", "ListModelPackages")
def list_packages(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of packages: a group's versions, or by default those without a group."""
    group = request.get("ModelPackageGroupName")
    if group is not None:
        group = _group(group, context)["ModelPackageGroupName"]
    kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
    found = [
        one
        for one in of_region(PACKAGE, "ModelPackageArn", context)
        if (group is None or one.get("ModelPackageGroupName") == group)
        and (kind == "Both" or ("ModelPackageVersion" in one) == (kind == "Versioned"))
        and request.get("ModelApprovalStatus") in (None, one.get("ModelApprovalStatus"))
    ]
    found = select([{**one, _NAME: _name(one)} for one in found], request, _NAME)
    _sort(found, request, "ModelPackageArn")
    return page([only(one, _SUMMARY) for one in found], request, "ModelPackageSummaryList")


@operation("sagemaker", "UpdateModelPackage")
@announcing
@whole()
def update_package(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change the approval, metadata, card or specifications of a package."""
    earlier = _package(request["ModelPackageArn"], context)
    _check_card(request)
    document = {**earlier, **{key: request[key] for key in _UPDATABLE if key in request}}
    document |= _updated_card(earlier.get("ModelCard", {}), request.get("ModelCard"))
    document[_METADATA] = _updated_metadata(earlier, request)
    if not document[_METADATA]:
        del document[_METADATA]
    if "AdditionalInferenceSpecificationsToAdd" in request:
        known = document.get("AdditionalInferenceSpecifications", [])
        document["AdditionalInferenceSpecifications"] = known + request["AdditionalInferenceSpecificationsToAdd"]
    updated = {key for key in document.keys() | earlier.keys() if earlier.get(key) != document.get(key)}
    document["LastModifiedTime"] = now()
    document["LastModifiedBy"] = user_context()
    context.service(ResourceStore).put(PACKAGE, document["ModelPackageArn"], document)
    package_changed(document, updated, context)
    return {"ModelPackageArn": document["ModelPackageArn"]}


def _updated_card(known: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    if "ModelCardContent" in given and known.get("ModelCardStatus") == ARCHIVED:
        raise _invalid("Model Card is in Archived state")
    return {"ModelCard": {**known, **given}}


def _updated_metadata(package: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    removed = request.get("CustomerMetadataPropertiesToRemove", [])
    kept = {key: value for key, value in package.get(_METADATA, {}).items() if key not in removed}
    kept |= request.get(_METADATA, {})
    if len(kept) > _METADATA_ENTRIES:
        raise _invalid(f"{package['ModelPackageArn']} would have {len(kept)} {_METADATA}; 50 are allowed")
    return kept


@operation("sagemaker", "DeleteModelPackage")
@whole(releases=True)
def delete_package(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a package; its version number is not used again."""
    document = _package(request["ModelPackageName"], context)
    context.service(ResourceStore).remove(PACKAGE, document["ModelPackageArn"])
    forget_tags(document["ModelPackageArn"], context)
    return {}


def _package(name: str, context: RequestContext) -> dict[str, Any]:
    arn = _package_arn(name, context)
    return existing(PACKAGE, arn, _invalid(f"ModelPackage {arn} does not exist."), context)


def _package_arn(name: str, context: RequestContext) -> str:
    """Return the ARN of a package; as in AWS it is in lower case, whatever the names are."""
    return arn_of(PACKAGE, name, context).lower()


def _name(package: dict[str, Any]) -> str:
    """Return the name of a package, or that of its group and its version."""
    return str(package["ModelPackageArn"].partition(f":{PACKAGE}/")[2])


def _group(name: str, context: RequestContext) -> dict[str, Any]:
    arn = arn_of(GROUP, name, context)
    return existing(GROUP, arn, _invalid(f"ModelPackageGroup {arn} does not exist."), context)


def _sort(found: list[dict[str, Any]], request: dict[str, Any], name_field: str) -> None:
    by_name = request.get("SortBy") == "Name"
    found.sort(key=lambda one: (one[name_field] if by_name else one["CreationTime"], one.get("ModelPackageVersion", 0)))
    if request.get("SortOrder") == "Descending":
        found.reverse()
