"""``sagemaker:Search`` over the resources that the endpoint stores itself; moto searches its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from localmaker.http.operations import RequestContext, find_handler, operation
from localmaker.http.protocol import service_model
from localmaker.services.sagemaker.listing import page
from localmaker.services.sagemaker.search_expressions import matches, sort_value

_SERVICE = "sagemaker"
_PAGE = 100


@dataclass(frozen=True)
class _Kind:
    """How the resources of a kind are found: they are listed, and each is described.

    Attributes:
        lists: the List operation, and the field of its response with the summaries.
        describes: the Describe operation, and its parameters → fields of a summary.
        arn: field of a description.
        options: of the List request.
    """

    lists: tuple[str, str]
    describes: tuple[str, Mapping[str, str]]
    arn: str
    options: Mapping[str, Any] = field(default_factory=dict)


_KINDS = {
    "TrainingJob": _Kind(
        ("ListTrainingJobs", "TrainingJobSummaries"),
        ("DescribeTrainingJob", {"TrainingJobName": "TrainingJobName"}),
        "TrainingJobArn",
    ),
    "HyperParameterTuningJob": _Kind(
        ("ListHyperParameterTuningJobs", "HyperParameterTuningJobSummaries"),
        ("DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": "HyperParameterTuningJobName"}),
        "HyperParameterTuningJobArn",
    ),
    "ModelPackage": _Kind(
        ("ListModelPackages", "ModelPackageSummaryList"),
        ("DescribeModelPackage", {"ModelPackageName": "ModelPackageArn"}),
        "ModelPackageArn",
        {"ModelPackageType": "Both"},
    ),
    "ModelPackageGroup": _Kind(
        ("ListModelPackageGroups", "ModelPackageGroupSummaryList"),
        ("DescribeModelPackageGroup", {"ModelPackageGroupName": "ModelPackageGroupName"}),
        "ModelPackageGroupArn",
    ),
    "ModelCard": _Kind(
        ("ListModelCards", "ModelCardSummaries"),
        ("DescribeModelCard", {"ModelCardName": "ModelCardName"}),
        "ModelCardArn",
    ),
    "FeatureGroup": _Kind(
        ("ListFeatureGroups", "FeatureGroupSummaries"),
        ("DescribeFeatureGroup", {"FeatureGroupName": "FeatureGroupName"}),
        "FeatureGroupArn",
    ),
    "Pipeline": _Kind(
        ("ListPipelines", "PipelineSummaries"),
        ("DescribePipeline", {"PipelineName": "PipelineName"}),
        "PipelineArn",
    ),
    "PipelineExecution": _Kind(
        ("ListPipelineExecutions", "PipelineExecutionSummaries"),
        ("DescribePipelineExecution", {"PipelineExecutionArn": "PipelineExecutionArn"}),
        "PipelineExecutionArn",
    ),
}


@operation(_SERVICE, "Search")
def search(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return a page of the resources that match an expression."""
    resource = request["Resource"]
    if resource not in _KINDS:
        return context.ask_moto(request)
    expression, by = request.get("SearchExpression", {}), request.get("SortBy", "LastModifiedTime")
    found = [one for one in _all(resource, context) if matches(one, expression)]
    found.sort(key=lambda one: (sort_value(one, by), sort_value(one, "CreationTime")))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return page([{resource: one} for one in found], {"MaxResults": _PAGE, **request}, "Results")


def _all(resource: str, context: RequestContext) -> Iterator[dict[str, Any]]:
    members = service_model(_SERVICE).shape_for("SearchRecord").members[resource].members
    kind = _KINDS[resource]
    operation_name, wanted = kind.describes
    for options in _list_options(resource, kind, context):
        for summary in _listed(*kind.lists, options, context):
            described = _call(operation_name, {name: summary[own] for name, own in wanted.items()}, context)
            document = {name: value for name, value in described.items() if name in members}
            arn = {"ResourceArn": described[kind.arn]}
            if resource == "PipelineExecution":
                parameters = {kind.arn: described[kind.arn]}
                document |= _call("ListPipelineParametersForExecution", parameters, context)
            if "Tags" in members:
                document["Tags"] = _call("ListTags", arn, context)["Tags"]
            yield document


def _list_options(resource: str, kind: _Kind, context: RequestContext) -> Iterator[Mapping[str, Any]]:
    """Yield the options of each List request; executions are listed pipeline by pipeline."""
    if resource != "PipelineExecution":
        yield kind.options
        return
    for pipeline in _listed("ListPipelines", "PipelineSummaries", {}, context):
        yield {"PipelineName": pipeline["PipelineName"]}


def _listed(name: str, list_field: str, options: Mapping[str, Any], context: RequestContext) -> Iterator[Any]:
    following: dict[str, Any] = {}
    while True:
        answer = _call(name, {"MaxResults": _PAGE, **options, **following}, context)
        yield from answer[list_field]
        if "NextToken" not in answer:
            return
        following = {"NextToken": answer["NextToken"]}


def _call(name: str, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    handler = find_handler(_SERVICE, name)
    if handler is None:
        raise LookupError(f"{name} is not one of the endpoint's own operations")
    return handler(request, context)
