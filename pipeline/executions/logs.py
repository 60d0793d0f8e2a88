"""What the jobs and functions of an execution wrote, from CloudWatch Logs."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.view import ExecutionView, StepView

#: Clocks differ, and a function's log arrives a little later than its answer.
_CLOCK_DIFFERENCE = timedelta(seconds=30)
_GROUPS = {kind: f"/aws/sagemaker/{kind}Jobs" for kind in ("Processing", "Training", "Transform")}


@dataclass(frozen=True)
class LogLine:
    """One line, with its moment in UTC."""

    moment: datetime
    text: str


def step_log(aws: Aws, execution: ExecutionView, step: StepView) -> Iterator[LogLine]:
    """Yield all that a step's job or function wrote, oldest first, one stream (container) after the other.

    Raises:
        ExecutionError: AWS refused the request or did not answer.
    """
    if step.function_arn is not None and step.started is not None:
        with aws_errors(f"Reading the log of {step.name}", aws, ExecutionError):
            yield from _function_log(aws, execution.identifier, step.function_arn, step.started, step.ended)
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


def _function_log(aws: Aws, execution: str, arn: str, started: datetime, ended: datetime | None) -> Iterator[LogLine]:
    """Yield the lines of the calls that name an execution; others may have called the function at the same time."""
    end = (ended or datetime.now(UTC)) + _CLOCK_DIFFERENCE
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{arn.rpartition(':')[2]}",
        startTime=int((started - _CLOCK_DIFFERENCE).timestamp() * 1000),
        endTime=int(end.timestamp() * 1000),
    )
    calls: dict[str, list[list[LogLine]]] = defaultdict(list)
    events = unless_missing(lambda: [event for page in pages for event in page["events"]])
    for event in events or []:
        line = LogLine(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip("\n"))
        of_stream = calls[event["logStreamName"]]
        if line.text.startswith("START RequestId") or not of_stream:
            of_stream.append([])
        of_stream[-1].append(line)
    for of_stream in calls.values():
        yield from (line for call in of_stream if any(execution in one.text for one in call) for line in call)


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
    """Return the step of that name, or every step that runs a job or calls a function.

    Raises:
        ExecutionError: the execution has no such step.
    """
    with_log = [step for step in execution.steps if step.job_name or step.function_arn]
    if name is None:
        return with_log
    found = [step for step in execution.steps if step.name.lower() == name.lower()]
    if not found:
        names = ", ".join(step.name for step in with_log) or "none yet"
        raise ExecutionError(f"The execution has no step {name}.", f"Steps that have a log: {names}.")
    return found
