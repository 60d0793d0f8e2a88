"""Pipeline executions: start, list, find, watch, stop. Calls AWS and shows nothing (see :mod:`pipeline.progress`)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.aws import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.missing import unless_missing

FINAL = frozenset({"Succeeded", "Failed", "Stopped"})


@dataclass(frozen=True)
class StepView:
    """One step of an execution at one moment.

    Attributes:
        name: of the step.
        kind: SageMaker's step type, such as ``Processing``.
        status: SageMaker's status, or ``Waiting`` where the step has not started.
        started: None before.
        ended: None before.
        reason: why it failed, or what a condition decided, else empty.
        cached: whether an earlier execution's result stands in.
        depth: how many conditions it stands under.
        job_name: of the job that the step runs; None where it runs none.
    """

    name: str
    kind: str
    status: str = "Waiting"
    started: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    cached: bool = False
    depth: int = 0
    job_name: str | None = None


@dataclass(frozen=True)
class ExecutionView:
    """One execution at one moment; ``steps`` in the definition's order."""

    arn: str
    status: str
    started: datetime | None
    ended: datetime | None
    reason: str
    steps: tuple[StepView, ...] = ()

    @property
    def identifier(self) -> str:
        """Last part of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline, out of the ARN."""
        return self.arn.partition(":pipeline/")[2].partition("/")[0]

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINAL

    @property
    def explanation(self) -> str:
        """Why it failed, in the words of the first step that did; empty where nothing failed."""
        failed = [step for step in self.steps if step.status == "Failed" and step.reason]
        if failed:
            first = min(failed, key=lambda step: step.ended.timestamp() if step.ended else float("inf"))
            return f"{first.name}: {first.reason}"
        return self.reason


def start(aws: Aws, pipeline_name: str, parameters: Mapping[str, str]) -> str:
    """Start an execution; its ARN.

    Args:
        aws: clients of the environment.
        pipeline_name: of the pipeline.
        parameters: name → value; checked against the pipeline's definition first.

    Raises:
        ExecutionError: the pipeline is not deployed, or a parameter is unknown or missing.
    """
    with aws_errors(f"Starting {pipeline_name}", aws, ExecutionError):
        definition = json.loads(aws.sagemaker.describe_pipeline(PipelineName=pipeline_name)["PipelineDefinition"])
        check_parameters(pipeline_name, definition, parameters)
        answer = aws.sagemaker.start_pipeline_execution(
            PipelineName=pipeline_name,
            PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
            ClientRequestToken=str(uuid.uuid4()),
        )
    return answer["PipelineExecutionArn"]


def check_parameters(pipeline_name: str, definition: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Refuse parameters that the definition does not declare, and missing ones that have no default."""
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        raise ExecutionError(
            f"{pipeline_name} has no parameter {', '.join(unknown)}.", f"It has {', '.join(sorted(declared))}."
        )
    missing = sorted(
        name for name, parameter in declared.items() if "DefaultValue" not in parameter and name not in parameters
    )
    if missing:
        raise ExecutionError(
            f"{pipeline_name} needs a value for {', '.join(missing)}.", f"Add --parameter {missing[0]}=VALUE."
        )


def object_parameters(aws: Aws, bucket: str, key: str) -> dict[str, str]:
    """The parameters that a trigger would give for an object, and a run key of its own: a run by hand is wanted."""
    with aws_errors(f"Looking at s3://{bucket}/{key}", aws, ExecutionError):
        etag = aws.s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    return {"InputBucket": bucket, "InputKey": key, "InputETag": etag, "RunKey": f"by-hand-{uuid.uuid4()}"}


def recent(aws: Aws, pipeline_name: str, limit: int = 20) -> list[ExecutionView]:
    """The newest executions, newest first, without their steps."""
    with aws_errors(f"Listing executions of {pipeline_name}", aws, ExecutionError):
        summaries = aws.sagemaker.list_pipeline_executions(
            PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=limit
        )["PipelineExecutionSummaries"]
    return [
        ExecutionView(
            arn=item["PipelineExecutionArn"],
            status=item["PipelineExecutionStatus"],
            started=item.get("StartTime"),
            ended=None,
            reason=item.get("PipelineExecutionFailureReason", ""),
        )
        for item in summaries
    ]


def recent_of_all(aws: Aws, pipeline_names: Sequence[str], limit: int = 20) -> list[ExecutionView]:
    """The newest executions of several pipelines, newest first, without their steps. One not deployed has none."""
    found = []
    for name in pipeline_names:
        if is_deployed(aws, name):
            found += recent(aws, name, limit)
    return sorted(found, key=lambda item: item.started.timestamp() if item.started else 0.0, reverse=True)[:limit]


def is_deployed(aws: Aws, pipeline_name: str) -> bool:
    """Whether the pipeline is deployed."""
    with aws_errors(f"Describing {pipeline_name}", aws, ExecutionError):
        return unless_missing(lambda: aws.sagemaker.describe_pipeline(PipelineName=pipeline_name)) is not None


def find(aws: Aws, pipeline_names: Sequence[str], arn_or_id: str | None) -> str:
    """ARN of an execution by ARN, by id, or the newest one of several pipelines.

    Raises:
        ExecutionError: there is no such execution.
    """
    if arn_or_id and arn_or_id.startswith("arn:"):
        return arn_or_id
    for execution in recent_of_all(aws, pipeline_names, limit=100):
        if not arn_or_id or execution.arn.endswith(f"/{arn_or_id}"):
            return execution.arn
    names = " and ".join(pipeline_names)
    raise ExecutionError(
        f"There is no execution {arn_or_id} of {names}." if arn_or_id else f"There is no execution of {names} yet.",
        "See them with: bikeshare runs" if arn_or_id else "Upload a CSV under raw/training/, or: bikeshare start KEY",
    )


def started_for(aws: Aws, pipeline_name: str, key: str, etag: str, known: Collection[str] = frozenset()) -> str | None:
    """ARN of the oldest execution for this object version that is not in ``known``; None where there is none yet."""
    with aws_errors(f"Looking for the execution of {key}", aws, ExecutionError):
        for execution in reversed(recent(aws, pipeline_name, limit=100)):
            if execution.arn in known:
                continue
            pages = aws.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
                PipelineExecutionArn=execution.arn
            )
            values = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
            if values.get("InputKey") == key and values.get("InputETag", "").strip('"') == etag.strip('"'):
                return execution.arn
    return None


def wait_for_upload(
    aws: Aws, pipeline_name: str, key: str, etag: str, *, known: Collection[str] = frozenset(), seconds: float = 60
) -> str:
    """Wait until EventBridge has started the execution for an upload; its ARN.

    Args:
        aws: clients of the environment.
        pipeline_name: of the pipeline.
        key: of the uploaded object.
        etag: of the uploaded object.
        known: ARNs of executions from before the upload.
        seconds: how long to wait.

    Raises:
        ExecutionError: nothing started in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        arn = started_for(aws, pipeline_name, key, etag, known)
        if arn is not None:
            return arn
        time.sleep(0.2)
    raise ExecutionError(
        f"No execution of {pipeline_name} started within {seconds:.0f} s of the upload of {key}.",
        "See whether the rule is there and enabled: bikeshare plan",
    )


def view(aws: Aws, arn: str) -> ExecutionView:
    """One execution as it is now, with every step of its definition."""
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        execution = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        pages = aws.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        found = {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}
        definition = aws.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    status = execution["PipelineExecutionStatus"]
    final = status in FINAL
    return ExecutionView(
        arn=arn,
        status=status,
        started=execution.get("CreationTime"),
        ended=execution.get("LastModifiedTime") if final else None,
        reason=execution.get("FailureReason", ""),
        steps=tuple(_steps(json.loads(definition["PipelineDefinition"])["Steps"], found, final=final)),
    )


def _steps(
    declared: list[dict[str, Any]], found: Mapping[str, Any], *, final: bool, depth: int = 0
) -> Iterator[StepView]:
    for step in declared:
        name, kind = step["Name"], step["Type"]
        yield _step(name, kind, found.get(name), final=final, depth=depth)
        for branch in ("IfSteps", "ElseSteps"):
            yield from _steps(step["Arguments"].get(branch, []), found, final=final, depth=depth + 1)


def _step(name: str, kind: str, summary: Mapping[str, Any] | None, *, final: bool, depth: int) -> StepView:
    if summary is None:
        return StepView(name, kind, "NotRun" if final else "Waiting", depth=depth)
    metadata = summary.get("Metadata", {})
    reason = summary.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage", "")
    if not reason and "Condition" in metadata:
        reason = metadata["Condition"].get("Outcome", "")
    job = next(
        (metadata[key]["Arn"] for key in ("ProcessingJob", "TrainingJob", "TransformJob") if key in metadata), None
    )
    return StepView(
        name=name,
        kind=kind,
        status=summary["StepStatus"],
        started=summary.get("StartTime"),
        ended=summary.get("EndTime"),
        reason=reason,
        cached="CacheHitResult" in summary,
        depth=depth,
        job_name=job.rsplit("/", 1)[-1] if job else None,
    )


def watch(
    aws: Aws, arn: str, *, interval_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[ExecutionView]:
    """Views of an execution, the last one final."""
    while True:
        current = view(aws, arn)
        yield current
        if current.is_final:
            return
        sleep(interval_seconds)


def stop(aws: Aws, arn: str) -> None:
    """Ask a running execution to stop; its jobs are stopped with it."""
    with aws_errors(f"Stopping execution {arn}", aws, ExecutionError):
        aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
