"""What the jobs of an execution wrote, from CloudWatch Logs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.view import ExecutionView, StepView

_GROUPS = {kind: f"/aws/sagemaker/{kind}Jobs" for kind in ("Processing", "Training", "Transform")}


@dataclass(frozen=True)
class LogLine:
    """One line, with its moment in UTC."""

    moment: datetime
    text: str


def step_log(aws: Aws, step: StepView) -> Iterator[LogLine]:
    """Yield all that a step's job wrote, oldest first, one stream (container) after the other; nothing without a job.

    Raises:
        ExecutionError: AWS refused the request or did not answer.
    """
    group = _GROUPS.get(step.kind)
    if group is None or step.job_name is None:
        return
    with aws_errors(f"Reading the log of {step.name}", aws, ExecutionError):
        pages = aws.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, logStreamNamePrefix=f"{step.job_name}/"
        )
        # A job that never started a container has left no group and no stream.
        streams = unless_missing(lambda: [stream["logStreamName"] for page in pages for stream in page["logStreams"]])
        for stream in streams or []:
            yield from _stream(aws, group, stream)


def _stream(aws: Aws, group: str, stream: str) -> Iterator[LogLine]:
    token: str | None = None
    while True:
        answer = aws.logs.get_log_events(
            logGroupName=group,
            logStreamName=stream,
            startFromHead=True,
            **({"nextToken": token} if token else {}),  # type: ignore[arg-type]
        )
        for event in answer["events"]:
            yield LogLine(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip("\n"))
        # Only the same token again means the end; an answer without events does not.
        if answer["nextForwardToken"] == token:
            return
        token = answer["nextForwardToken"]


def step_named(execution: ExecutionView, name: str | None) -> list[StepView]:
    """Return the step of that name, or every step that has a job.

    Raises:
        ExecutionError: the execution has no such step.
    """
    with_jobs = [step for step in execution.steps if step.job_name]
    if name is None:
        return with_jobs
    found = [step for step in execution.steps if step.name.lower() == name.lower()]
    if not found:
        names = ", ".join(step.name for step in with_jobs) or "no step with a job yet"
        raise ExecutionError(f"The execution has no step {name}.", f"Steps that have a log: {names}.")
    return found
