"""What the page shows, read through the AWS APIs of the endpoint itself, and never more of it than fits a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from localmaker.console.drawing import Drawing, drawing
from localmaker.ports import AwsClients
from pipedef.language.graph import build_graph
from pipedef.language.parsing import parse_definition

PIPELINES, EXECUTIONS, KEYS, VERSIONS, LOG_LINES, OTHERS = 50, 20, 200, 10, 100, 100
_JOBS = {"ProcessingJob": "ProcessingJobs", "TrainingJob": "TrainingJobs", "TransformJob": "TransformJobs"}
RUNNING = frozenset({"Executing", "Stopping", "Starting"})
_LAMBDA = "Lambda"
_NEWEST = {"SortBy": "CreationTime", "SortOrder": "Descending"}


@dataclass(frozen=True)
class StepView:
    """A step of an execution. What has not begun has the state Waiting, or Not run once the execution has ended."""

    name: str
    type: str
    status: str = "Waiting"
    seconds: float | None = None
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutionPage:
    """An execution with its steps, and how they depend on each other."""

    arn: str
    name: str
    status: str
    started: datetime
    seconds: float
    reason: str
    parameters: Mapping[str, str]
    steps: Sequence[StepView]
    drawing: Drawing


@dataclass(frozen=True)
class StepPage:
    """What a step took and made, and the end of what it wrote.

    Attributes:
        step: itself.
        job: the ARN of what ran for it, or nothing.
        inputs, outputs: where a value was found, and the value.
        log: the last lines.
    """

    step: StepView
    job: str
    inputs: Sequence[tuple[str, str]]
    outputs: Sequence[tuple[str, str]]
    log: Sequence[str]


class Reader:
    """Reads one region of the endpoint.

    Args:
        clients: of the endpoint itself.
        region: whose resources.
    """

    def __init__(self, clients: AwsClients, region: str) -> None:
        self._clients, self._region = clients, region
        self._sagemaker = clients.client("sagemaker", region)

    def pipelines(self) -> list[dict[str, Any]]:
        """Return the pipelines that ran last, each with its newest execution as ``Newest``."""
        listed = self._sagemaker.list_pipelines(MaxResults=PIPELINES, SortBy="CreationTime")["PipelineSummaries"]
        found = [{**one, "Newest": next(iter(self.executions(one["PipelineName"], 1)), None)} for one in listed]
        never = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda one: one["Newest"]["StartTime"] if one["Newest"] else never, reverse=True)

    def executions(self, pipeline: str, count: int = EXECUTIONS) -> Any:
        """Return the newest executions of a pipeline."""
        asked = {"PipelineName": pipeline, "MaxResults": count}
        return self._sagemaker.list_pipeline_executions(**asked)["PipelineExecutionSummaries"]

    def execution(self, arn: str) -> ExecutionPage:
        """Return an execution with its steps."""
        asked = {"PipelineExecutionArn": arn}
        known = self._sagemaker.describe_pipeline_execution(**asked)
        text = self._sagemaker.describe_pipeline_definition_for_execution(**asked)["PipelineDefinition"]
        parameters = self._sagemaker.list_pipeline_parameters_for_execution(**asked, MaxResults=OTHERS)
        definition = parse_definition(text)
        pages = self._sagemaker.get_paginator("list_pipeline_execution_steps").paginate(**asked)
        ran = {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}
        status = known["PipelineExecutionStatus"]
        unrun = "Waiting" if status in RUNNING else "Not run"
        now = datetime.now(UTC)
        steps = [
            _step(ran[name], step.type, now) if name in ran else StepView(name, step.type, unrun)
            for name, step in definition.steps.items()
        ]
        ended = now if status in RUNNING else known["LastModifiedTime"]
        return ExecutionPage(
            arn=arn,
            name=known.get("PipelineExecutionDisplayName", arn.rpartition("/")[2]),
            status=status,
            started=known["CreationTime"],
            seconds=(ended - known["CreationTime"]).total_seconds(),
            reason=known.get("FailureReason", ""),
            parameters={one["Name"]: one["Value"] for one in parameters["PipelineParameters"]},
            steps=steps,
            drawing=drawing(build_graph(definition)),
        )

    def step(self, view: StepView) -> StepPage:
        """Return what a step took and made."""
        nothing: tuple[str, dict[str, Any]] = ("", {})
        kind, known = next(iter(view.metadata.items()), nothing)
        job = str(known.get("Arn", ""))
        if kind in _JOBS:
            name = job.rpartition("/")[2]
            described = getattr(self._sagemaker, xform_name(f"Describe{kind}"))(**{f"{kind}Name": name})
            found = list(_places(described))
            inputs = [(path, value) for path, value in found if not _is_output(path)]
            outputs = [(path, value) for path, value in found if _is_output(path)]
            return StepPage(view, job, inputs, outputs, self._log(f"/aws/sagemaker/{_JOBS[kind]}", f"{name}/"))
        made = known.get("OutputParameters", [])
        outputs = [(one["Name"], one["Value"]) for one in made]
        outputs += [(name, str(value)) for name, value in known.items() if name not in ("Arn", "OutputParameters")]
        function = job.partition(":function:")[2].partition(":")[0]
        return StepPage(view, job, [], outputs, self._log(f"/aws/lambda/{function}") if kind == _LAMBDA else [])

    def _log(self, group: str, prefix: str = "") -> list[str]:
        logs = self._clients.client("logs", self._region)
        # By the time of the last event only without a prefix.
        order = {"logStreamNamePrefix": prefix} if prefix else {"orderBy": "LastEventTime", "descending": True}
        try:
            streams = logs.describe_log_streams(logGroupName=group, limit=5, **order)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines: list[str] = []
        for stream in streams if prefix else streams[:1]:
            asked = {"logGroupName": group, "logStreamName": stream["logStreamName"], "startFromHead": False}
            lines += [one["message"] for one in logs.get_log_events(**asked, limit=LOG_LINES)["events"]]
        return lines[-LOG_LINES:]

    def buckets(self) -> list[str]:
        """Return the names of the buckets."""
        return [one["Name"] for one in self._clients.client("s3").list_buckets().get("Buckets", [])]

    def bucket(self, name: str, prefix: str) -> Any:
        """Return S3's list of the objects of a bucket below a prefix, up to the next slash."""
        return self._clients.client("s3").list_objects_v2(Bucket=name, Prefix=prefix, Delimiter="/", MaxKeys=KEYS)

    def feature_groups(self) -> Any:
        """Return the newest feature groups."""
        return self._sagemaker.list_feature_groups(MaxResults=OTHERS, **_NEWEST)["FeatureGroupSummaries"]

    def registry(self) -> dict[str, list[dict[str, Any]]]:
        """Return the newest versions of each group of models."""
        groups = self._sagemaker.list_model_package_groups(MaxResults=OTHERS, **_NEWEST)["ModelPackageGroupSummaryList"]
        versions: dict[str, list[dict[str, Any]]] = {}
        for name in (group["ModelPackageGroupName"] for group in groups):
            answer = self._sagemaker.list_model_packages(ModelPackageGroupName=name, MaxResults=VERSIONS, **_NEWEST)
            versions[name] = answer["ModelPackageSummaryList"]
        return versions


def found_or_none(read: Callable[[], Any]) -> Any:
    """Return what is read; None for what a link names and is not there any more."""
    try:
        return read()
    except ParamValidationError:
        return None
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return None


def _step(known: Mapping[str, Any], kind: str, now: datetime) -> StepView:
    seconds = None
    if "StartTime" in known:
        seconds = (known.get("EndTime", now) - known["StartTime"]).total_seconds()
    return StepView(
        known["StepName"], kind, known["StepStatus"], seconds, known.get("FailureReason", ""), known.get("Metadata", {})
    )


def _places(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every place in S3 that the description of a job names, with the way to it."""
    if isinstance(value, Mapping):
        named = next((str(value[key]) for key in ("InputName", "OutputName", "ChannelName") if key in value), "")
        for key, one in value.items():
            yield from _places(one, f"{path} {named}" if named else path or key)
    elif isinstance(value, list):
        for one in value:
            yield from _places(one, path)
    elif isinstance(value, str) and value.startswith("s3://"):
        yield path, value


def _is_output(path: str) -> bool:
    return "Output" in path or "ModelArtifacts" in path
