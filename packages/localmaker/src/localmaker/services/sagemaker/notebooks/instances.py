"""The operations on notebook instances."""

from __future__ import annotations

import uuid
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.code_repositories import KIND as CODE_REPOSITORY
from localmaker.services.sagemaker.documents import arn_of, now, of_region
from localmaker.services.sagemaker.listing import only, order, page, select
from localmaker.services.sagemaker.notebooks.lifecycle_configs import existing_config
from localmaker.services.sagemaker.notebooks.records import (
    FOLDER,
    INSTANCE,
    IS_NEW,
    Status,
    described,
    existing_instance,
    move,
    repositories,
)
from localmaker.services.sagemaker.notebooks.service import NotebookInstances
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import whole

_SORTED_BY = {"Name": "NotebookInstanceName", "CreationTime": "CreationTime", "Status": "NotebookInstanceStatus"}
_CONFIG = "NotebookInstanceLifecycleConfigName"
_DEFAULTS = {
    "DirectInternetAccess": "Enabled",
    "VolumeSizeInGB": 5,
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}
# Members of requests that are stored as they are.
_FIELDS = (
    "InstanceType",
    "SubnetId",
    "RoleArn",
    "KmsKeyId",
    "IpAddressType",
    "AcceleratorTypes",
    "DefaultCodeRepository",
    "AdditionalCodeRepositories",
    *_DEFAULTS,
)
_RENAMED = {"SecurityGroupIds": "SecurityGroups", "LifecycleConfigName": _CONFIG}
_DISASSOCIATED = {
    "DisassociateLifecycleConfig": _CONFIG,
    "DisassociateAcceleratorTypes": "AcceleratorTypes",
    "DisassociateDefaultCodeRepository": "DefaultCodeRepository",
    "DisassociateAdditionalCodeRepositories": "AdditionalCodeRepositories",
}
_SUMMARY = (
    "NotebookInstanceName",
    "NotebookInstanceArn",
    "NotebookInstanceStatus",
    "Url",
    "InstanceType",
    "CreationTime",
    "LastModifiedTime",
    _CONFIG,
    "DefaultCodeRepository",
    "AdditionalCodeRepositories",
)
# AWS takes no new instances of these any more.
_ENDED_PLATFORMS = ("notebook-al1-v1", "notebook-al2-v1")


@operation("sagemaker", "CreateNotebookInstance")
def create_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create an instance, and start it."""
    response = _store_new(request, context)
    context.service(NotebookInstances).start(response["NotebookInstanceArn"])
    return response


@whole()
def _store_new(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    name = request["NotebookInstanceName"]
    arn, moment = _arn(name, context), now()
    document = {
        "NotebookInstanceName": name,
        "NotebookInstanceArn": arn,
        "NotebookInstanceStatus": Status.PENDING.value,
        "Url": f"{name.lower()}.notebook.{context.region}.sagemaker.aws",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        **_DEFAULTS,
        **_settings(request),
        FOLDER: uuid.uuid4().hex,
        IS_NEW: True,
    }
    _check(document, context)
    if not context.service(ResourceStore).add(INSTANCE, arn, document):
        raise AwsError("ValidationException", f"Cannot create a duplicate Notebook Instance ({arn})")
    return {"NotebookInstanceArn": arn}


@operation("sagemaker", "DescribeNotebookInstance")
def describe_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe an instance."""
    return described(existing_instance(context.service(ResourceStore), _arn_of(request, context)))


@operation("sagemaker", "ListNotebookInstances")
def list_instances(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of instances, ordered by name by default."""
    found = [
        one
        for one in select(of_region(INSTANCE, "NotebookInstanceArn", context), request, "NotebookInstanceName")
        if request.get("StatusEquals") in (None, one["NotebookInstanceStatus"])
        and request.get(f"{_CONFIG}Contains", "").lower() in one.get(_CONFIG, "").lower()
        and request.get("DefaultCodeRepositoryContains", "").lower() in one.get("DefaultCodeRepository", "").lower()
        and request.get("AdditionalCodeRepositoryEquals") in (None, *one.get("AdditionalCodeRepositories", []))
    ]
    order(found, request, _SORTED_BY, "Name")
    return page([only(one, _SUMMARY) for one in found], request, "NotebookInstances")


@operation("sagemaker", "UpdateNotebookInstance")
def update_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change an instance that does not run; it is Updating for a moment."""

    def changed(document: dict[str, Any]) -> dict[str, Any]:
        size = request.get("VolumeSizeInGB", document["VolumeSizeInGB"])
        if size < document["VolumeSizeInGB"]:
            message = f"The volume size cannot be decreased from {document['VolumeSizeInGB']} GB to {size} GB."
            raise AwsError("ValidationException", message)
        gone = {field for flag, field in _DISASSOCIATED.items() if request.get(flag)}
        both = gone & _settings(request).keys()
        if both:
            raise AwsError("ValidationException", f"{sorted(both)[0]} cannot be set and disassociated at once.")
        kept = {key: value for key, value in document.items() if key not in gone}
        _check({**kept, **_settings(request)}, context)
        return {**kept, **_settings(request)}

    arn = _arn_of(request, context)
    move(context.service(ResourceStore), arn, Status.UPDATING, changed)
    context.service(NotebookInstances).finish(arn)
    return {}


@operation("sagemaker", "StartNotebookInstance")
def start_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Start an instance that does not run."""
    arn = _arn_of(request, context)
    move(context.service(ResourceStore), arn, Status.PENDING)
    context.service(NotebookInstances).start(arn)
    return {}


@operation("sagemaker", "StopNotebookInstance")
def stop_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Stop an instance; its volume is kept."""
    arn = _arn_of(request, context)
    move(context.service(ResourceStore), arn, Status.STOPPING, releases=True)
    context.service(NotebookInstances).stop(arn)
    return {}


@operation("sagemaker", "DeleteNotebookInstance")
def delete_instance(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete an instance that does not run, with its volume."""
    arn = _arn_of(request, context)
    move(context.service(ResourceStore), arn, Status.DELETING, releases=True)
    context.service(NotebookInstances).finish(arn)
    return {}


@operation("sagemaker", "CreatePresignedNotebookInstanceUrl")
def create_url(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Refuse the URL of a Jupyter server, since none runs here."""
    instance = existing_instance(context.service(ResourceStore), _arn_of(request, context))
    status = instance["NotebookInstanceStatus"]
    raise AwsError(
        "ValidationException",
        f"Notebook instance {instance['NotebookInstanceName']} is {status}, but the local endpoint runs no Jupyter "
        "server, so there is no URL. What its scripts print is in the log group /aws/sagemaker/NotebookInstances.",
    )


def _settings(request: dict[str, Any]) -> dict[str, Any]:
    found = {_RENAMED.get(key, key): value for key, value in request.items() if key in {*_FIELDS, *_RENAMED}}
    return {key: value for key, value in found.items() if value not in ([], "")}


def _check(document: dict[str, Any], context: RequestContext) -> None:
    """Check what an instance refers to, and what its settings need of each other.

    Raises:
        AwsError: something does not exist, or does not fit.
    """
    if document["PlatformIdentifier"] in _ENDED_PLATFORMS:
        message = f"Platform identifier ({document['PlatformIdentifier']}) is not supported for this service."
        raise AwsError("ValidationException", message)
    if document["DirectInternetAccess"] == "Disabled" and "SubnetId" not in document:
        raise AwsError("ValidationException", "DirectInternetAccess can be Disabled only if SubnetId is set.")
    if "SecurityGroups" in document and "SubnetId" not in document:
        raise AwsError("ValidationException", "SecurityGroupIds can be set only if SubnetId is set.")
    if _CONFIG in document:
        existing_config(document[_CONFIG], context, "describe")
    for name in repositories(document):
        arn = arn_of(CODE_REPOSITORY, name, context)
        if "://" not in name and context.service(ResourceStore).get(CODE_REPOSITORY, arn) is None:
            raise AwsError("ValidationException", f"Cannot find CodeRepository {arn}.")


def _arn(name: str, context: RequestContext) -> str:
    """Return the ARN of an instance; as in AWS it is in lower case, whatever the name is."""
    return arn_of(INSTANCE, name.lower(), context)


def _arn_of(request: dict[str, Any], context: RequestContext) -> str:
    return _arn(request["NotebookInstanceName"], context)
