"""Git repositories that SageMaker knows: where they are, which branch, and the secret that opens them."""

from __future__ import annotations

from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import arn_of, now, of_region
from localmaker.services.sagemaker.listing import order, page, select
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import forget_tags

KIND = "code-repository"
_SORTED_BY = {
    "Name": "CodeRepositoryName",
    "CreationTime": "CreationTime",
    "LastModifiedTime": "LastModifiedTime",
}


@operation("sagemaker", "CreateCodeRepository")
def create_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Keep a repository. As in AWS nothing looks whether it is there: who clones it finds out."""
    name = request["CodeRepositoryName"]
    arn, moment = arn_of(KIND, name, context), now()
    document = {
        "CodeRepositoryName": name,
        "CodeRepositoryArn": arn,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "GitConfig": request["GitConfig"],
    }
    if not context.service(ResourceStore).add(KIND, arn, document):
        raise AwsError("ValidationException", f"Cannot create a duplicate code repository. ({arn})")
    return {"CodeRepositoryArn": arn}


@operation("sagemaker", "DescribeCodeRepository")
def describe_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """A repository."""
    return _existing(request, context)


@operation("sagemaker", "ListCodeRepositories")
def list_repositories(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """A page of repositories, by name unless asked otherwise."""
    found = select(of_region(KIND, "CodeRepositoryArn", context), request, "CodeRepositoryName")
    order(found, request, _SORTED_BY, "Name")
    return page(found, request, "CodeRepositorySummaryList")


@operation("sagemaker", "UpdateCodeRepository")
def update_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change the secret; URL and branch stay as they were created."""
    document = _existing(request, context)
    document["GitConfig"] = {**document["GitConfig"], **request.get("GitConfig", {})}
    document["LastModifiedTime"] = now()
    context.service(ResourceStore).put(KIND, document["CodeRepositoryArn"], document)
    return {"CodeRepositoryArn": document["CodeRepositoryArn"]}


@operation("sagemaker", "DeleteCodeRepository")
def delete_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Forget a repository."""
    arn = _existing(request, context)["CodeRepositoryArn"]
    context.service(ResourceStore).remove(KIND, arn)
    forget_tags(arn, context)
    return {}


def _existing(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    arn = arn_of(KIND, request["CodeRepositoryName"], context)
    document: dict[str, Any] | None = context.service(ResourceStore).get(KIND, arn)
    if document is None:
        raise AwsError("ValidationException", f"Cannot find CodeRepository {arn}.")
    return document
