"""Trial components: every job has one, named after it; moto has those that users create, and those of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.endpoints import without_empty
from localmaker.services.sagemaker.lineage.collecting import lineage_of
from localmaker.services.sagemaker.lineage.graph import Entity, EntityKind
from localmaker.services.sagemaker.listing import created_within, page
from localmaker.services.sagemaker.pipelines.steps import experiments
from localmaker.state.changes import only_looking

_PAGE = 100
# A status message is one line of at most so many characters; the reason of a failure may have several.
_LONGEST_MESSAGE = 1024
_SUMMARY = (
    "TrialComponentName",
    "TrialComponentArn",
    "DisplayName",
    "TrialComponentSource",
    "Status",
    "StartTime",
    "EndTime",
    "CreationTime",
    "LastModifiedTime",
)


@operation("sagemaker", "DescribeTrialComponent")
def describe(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a trial component: what moto has of it, and what follows from its job."""
    name = request["TrialComponentName"].rpartition("/")[2]
    of_job = _of_jobs(context).get(name)
    try:
        return {**(of_job or {}), **without_empty(context.ask_moto({**request, "TrialComponentName": name}))}
    except AwsError:
        if of_job is None:
            raise
        return of_job


@operation("sagemaker", "ListTrialComponents")
def list_components(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List trial components by the request's filters, order and pages; only moto knows which trial they are in."""
    of_jobs = _of_jobs(context)
    by_trial = "TrialName" in request or "ExperimentName" in request
    known = {one["TrialComponentName"]: one for one in _of_moto(request, context)}
    names = known if by_trial else {**of_jobs, **known}
    found = [{**of_jobs.get(name, {}), **known.get(name, {})} for name in names]
    summaries = [
        {member: one[member] for member in _SUMMARY if member in one}
        for one in ({**one, "TrialComponentSource": one["Source"]} if "Source" in one else one for one in found)
    ]
    wanted = request.get("SourceArn")
    chosen = [one for one in summaries if wanted in (None, one.get("TrialComponentSource", {}).get("SourceArn"))]
    chosen = created_within(chosen, request, lambda one: one["CreationTime"])
    by = "TrialComponentName" if request.get("SortBy") == "Name" else "CreationTime"
    chosen.sort(key=lambda one: (one[by], one["TrialComponentName"]))
    if request.get("SortOrder", "Descending") == "Descending":
        chosen.reverse()
    return page(chosen, request, "TrialComponentSummaries")


def _of_moto(request: Mapping[str, Any], context: RequestContext) -> Iterator[dict[str, Any]]:
    """Yield moto's summaries of the components of a trial or an experiment, or of all."""
    if "TrialName" in request:
        yield from _pages({"TrialName": request["TrialName"]}, context)
    elif "ExperimentName" in request:
        # moto ignores the experiment.
        with only_looking():
            trials = list(sagemaker_backends[context.account_id][context.region].trials.values())
        for trial in trials:
            if trial.experiment_name == request["ExperimentName"]:
                yield from _pages({"TrialName": trial.trial_name}, context)
    else:
        yield from _pages({}, context)


def _pages(chosen: Mapping[str, Any], context: RequestContext) -> Iterator[dict[str, Any]]:
    following: dict[str, Any] = {}
    while True:
        answer = context.ask_moto({**chosen, "MaxResults": _PAGE, **following})
        yield from answer["TrialComponentSummaries"]
        if not answer.get("NextToken"):
            return
        following = {"NextToken": answer["NextToken"]}


def _of_jobs(context: RequestContext) -> dict[str, dict[str, Any]]:
    """Return the descriptions of the trial components of jobs, by name."""
    components = lineage_of(context).of_kind(EntityKind.TRIAL_COMPONENT)
    return {one.name: _described(one) for one in components if one.name is not None and one.source}


def _described(entity: Entity) -> dict[str, Any]:
    """Return the description of a job's trial component."""
    job, kind = entity.more, entity.type.removesuffix("Job")
    status, reason = job[f"{kind}JobStatus"], " ".join(job.get("FailureReason", "").split())
    response = {
        "TrialComponentName": entity.name,
        "TrialComponentArn": entity.arn,
        "DisplayName": job.get("ExperimentConfig", {}).get("TrialComponentDisplayName", entity.name),
        "Source": dict(entity.source),
        "Status": {"PrimaryStatus": status, "Message": reason[:_LONGEST_MESSAGE]},
        "StartTime": job.get(f"{kind}StartTime"),
        "EndTime": job.get(f"{kind}EndTime"),
        "CreationTime": job["CreationTime"],
        "LastModifiedTime": job.get("LastModifiedTime", job["CreationTime"]),
        "Parameters": experiments.parameters(job),
        "InputArtifacts": experiments.inputs(job),
        "OutputArtifacts": experiments.outputs(job) if status == "Completed" else {},
        "Metrics": [
            {
                "MetricName": metric["MetricName"],
                "SourceArn": entity.source["SourceArn"],
                "TimeStamp": metric["Timestamp"],
                **dict.fromkeys(("Max", "Min", "Last", "Avg"), metric["Value"]),
                "Count": 1,
                "StdDev": 0.0,
            }
            for metric in job.get("FinalMetricDataList", [])
        ],
    }
    return {member: value for member, value in response.items() if value is not None}
