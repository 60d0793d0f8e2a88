"""SageMaker's code repositories: the URL, branch and secret of a Git repository."""

from __future__ import annotations

from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import arn_of, existing, now, of_region
from localmaker.services.sagemaker.listing import order, page, select
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import forget_tags, whole

KIND = "code-repository"
_SORTED_BY = {
    "Name": "CodeRepositoryName",
    "CreationTime": "CreationTime",
    "LastModifiedTime": "LastModifiedTime",
}


@operation("sagemaker", "CreateCodeRepository")
@whole()
def create_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a repository. As in AWS, whether the URL exists shows only when it is cloned."""
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
    """Describe a repository."""
    return _existing(request, context)


@operation("sagemaker", "ListCodeRepositories")
def list_repositories(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of repositories, ordered by name by default."""
    found = select(of_region(KIND, "CodeRepositoryArn", context), request, "CodeRepositoryName")
    order(found, request, _SORTED_BY, "Name")
    return page(found, request, "CodeRepositorySummaryList")


@operation("sagemaker", "UpdateCodeRepository")
def update_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change the secret; the URL and the branch cannot be changed."""
    document = _existing(request, context)
    document["GitConfig"] = {**document["GitConfig"], **request.get("GitConfig", {})}
    document["LastModifiedTime"] = now()
    context.service(ResourceStore).put(KIND, document["CodeRepositoryArn"], document)
    return {"CodeRepositoryArn": document["CodeRepositoryArn"]}


@operation("sagemaker", "DeleteCodeRepository")
@whole(releases=True)
def delete_repository(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a repository."""
    arn = _existing(request, context)["CodeRepositoryArn"]
    context.service(ResourceStore).remove(KIND, arn)
    forget_tags(arn, context)
    return {}


def _existing(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    arn = arn_of(KIND, request["CodeRepositoryName"], context)
    return existing(KIND, arn, AwsError("ValidationException", f"Cannot find CodeRepository {arn}."), context)
