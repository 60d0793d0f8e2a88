"""Tags of the resources that the endpoint stores itself; moto has those of the others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends

from localmaker.http.operations import Handler, RequestContext, operation
from localmaker.services.sagemaker.jobs.kinds import JobId
from localmaker.services.sagemaker.jobs.service import JobService
from localmaker.services.sagemaker.listing import page
from localmaker.services.sagemaker.pipelines.catalog.pipelines import PipelineCatalog
from localmaker.services.sagemaker.pipelines.naming import parse_arn
from localmaker.services.sagemaker.pipelines.service import PipelineService
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.state.changes import only_looking

#: Of the documents of tags, by the ARN of what has them.
KIND = "tags"
_PAGE = 100
# Resource types whose tags are stored here.
OWN = {
    "action",
    "artifact",
    "code-repository",
    "context",
    "feature-group",
    "hyper-parameter-tuning-job",
    "model-card",
    "model-package",
    "model-package-group",
    "notebook-instance",
    "notebook-instance-lifecycle-config",
}

Tags = dict[str, str]


def _is_own(arn: str) -> bool:
    return arn.split(":", 5)[-1].split("/", 1)[0] in OWN


def whole(*, releases: bool = False) -> Callable[[Handler], Handler]:
    """Make one transaction of what an operation stores as documents, and of the tags of what it creates.

    Args:
        releases: it makes room, so that it must be possible on a full disk.
    """

    def wrap(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def in_one(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
            def answer() -> dict[str, Any]:
                response = handler(request, context)
                for name, value in response.items():
                    if name.endswith("Arn"):
                        remember_tags(value, request, context)
                return response

            return context.service(ResourceStore).whole(answer, releases=releases)

        return in_one

    return wrap


def remember_tags(arn: str, request: dict[str, Any], context: RequestContext) -> None:
    """Store the tags of a Create request; a resource that is created again starts with its new ones."""
    if "Tags" in request:
        context.service(ResourceStore).put(KIND, arn, _as_map(request["Tags"]))


def forget_tags(arn: str, context: RequestContext) -> None:
    """Delete the tags of a deleted resource."""
    context.service(ResourceStore).remove(KIND, arn)


@operation("sagemaker", "AddTags")
def add_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add or change tags."""
    arn = request["ResourceArn"]
    owner = _owner(arn, context)
    if owner is not None:
        return {"Tags": _as_list(owner.change_tags(arn, _as_map(request["Tags"])))}
    if not _is_own(arn):
        # moto would keep the old value of a key, too.
        keys = [tag["Key"] for tag in request["Tags"]]
        with only_looking():
            backend = sagemaker_backends[context.account_id][context.region]
        with suppress(ValidationError, AttributeError):  # moto says below that there is no such resource
            backend.delete_tags(arn, keys)
        # It stores both, or undoes both.
        return context.ask_moto(request)
    tags = {**_stored(arn, context), **_as_map(request["Tags"])}
    context.service(ResourceStore).put(KIND, arn, tags)
    return {"Tags": _as_list(tags)}


@operation("sagemaker", "ListTags")
def list_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List all tags of a resource."""
    arn = request["ResourceArn"]
    owner = _owner(arn, context)
    if owner is not None:
        return page(_as_list(owner.change_tags(arn, {})), request, "Tags", size=_PAGE)
    if not _is_own(arn):
        return context.ask_moto(request)
    return {"Tags": _as_list(_stored(arn, context))}


@operation("sagemaker", "DeleteTags")
def delete_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Remove tags by key."""
    arn = request["ResourceArn"]
    owner = _owner(arn, context)
    if owner is not None:
        owner.change_tags(arn, {}, request["TagKeys"])
        return {}
    if not _is_own(arn):
        return context.ask_moto(request)
    gone = set(request["TagKeys"])
    kept = {key: value for key, value in _stored(arn, context).items() if key not in gone}
    context.service(ResourceStore).put(KIND, arn, kept)
    return {}


def _owner(arn: str, context: RequestContext) -> PipelineCatalog | JobService | None:
    """Find the service that stores the tags of a resource itself: that of pipelines, or of jobs."""
    if parse_arn(arn) is not None:
        return context.service(PipelineService).catalog
    return context.service(JobService) if JobId.of_arn(arn) is not None else None


def _stored(arn: str, context: RequestContext) -> Tags:
    return dict(context.service(ResourceStore).get(KIND, arn) or {})


def _as_map(tags: list[dict[str, str]]) -> Tags:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _as_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
