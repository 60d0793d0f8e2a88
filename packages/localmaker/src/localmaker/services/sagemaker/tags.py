"""Tags of the resources that the endpoint keeps itself; those of the others are moto's."""

from __future__ import annotations

from typing import Any

from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.jobs.service import JobService
from localmaker.services.sagemaker.pipelines.catalog import PipelineCatalog
from localmaker.services.sagemaker.pipelines.service import PipelineService
from localmaker.services.sagemaker.store import ResourceStore

_KIND = "tags"
# Resource types whose tags are kept here.
OWN = {
    "code-repository",
    "feature-group",
    "model-card",
    "model-package",
    "model-package-group",
}

Tags = dict[str, str]


def _is_own(arn: str) -> bool:
    return arn.split(":", 5)[-1].split("/", 1)[0] in OWN


def remember_tags(request: dict[str, Any], response: dict[str, Any], resources: ResourceStore) -> None:
    """Keep the tags that a Create request came with; a resource that is made again starts with its new ones."""
    arns = [value for key, value in response.items() if key.endswith("Arn") and isinstance(value, str)]
    if len(arns) == 1 and _is_own(arns[0]) and "Tags" in request:
        resources.put(_KIND, arns[0], _as_map(request["Tags"]))


def forget_tags(arn: str, context: RequestContext) -> None:
    """Drop the tags of a resource that is deleted."""
    context.service(ResourceStore).remove(_KIND, arn)


@operation("sagemaker", "AddTags")
def add_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add or change tags."""
    arn = request["ResourceArn"]
    keeper = _keeper(arn, context)
    if keeper is not None:
        return keeper.add_tags(request)
    if not _is_own(arn):
        # moto keeps a key's old value beside its new one.
        keys = [tag["Key"] for tag in request["Tags"]]
        context.endpoint.client("sagemaker", context.region).delete_tags(ResourceArn=arn, TagKeys=keys)
        return context.ask_moto(request)
    tags = {**_stored(arn, context), **_as_map(request["Tags"])}
    context.service(ResourceStore).put(_KIND, arn, tags)
    return {"Tags": _as_list(tags)}


@operation("sagemaker", "ListTags")
def list_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """All tags of a resource."""
    arn = request["ResourceArn"]
    keeper = _keeper(arn, context)
    if keeper is not None:
        return keeper.list_tags(request)
    if not _is_own(arn):
        return context.ask_moto(request)
    return {"Tags": _as_list(_stored(arn, context))}


@operation("sagemaker", "DeleteTags")
def delete_tags(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Remove tags by key."""
    arn = request["ResourceArn"]
    keeper = _keeper(arn, context)
    if keeper is not None:
        return keeper.delete_tags(request)
    if not _is_own(arn):
        return context.ask_moto(request)
    gone = set(request["TagKeys"])
    kept = {key: value for key, value in _stored(arn, context).items() if key not in gone}
    context.service(ResourceStore).put(_KIND, arn, kept)
    return {}


def _keeper(arn: str, context: RequestContext) -> PipelineCatalog | JobService | None:
    """Who keeps the tags of a resource with it: pipelines and jobs."""
    pipelines, jobs = context.service(PipelineService), context.service(JobService)
    if pipelines.owns_arn(arn):
        return pipelines.catalog
    return jobs if jobs.owns_arn(arn) else None


def _stored(arn: str, context: RequestContext) -> Tags:
    return dict(context.service(ResourceStore).get(_KIND, arn) or {})


def _as_map(tags: list[dict[str, str]]) -> Tags:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _as_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
