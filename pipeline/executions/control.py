"""Pipeline executions: start, list, find, watch, stop. Shows nothing (see :mod:`pipeline.executions.progress`).

Which execution an upload has started is in :mod:`pipeline.executions.uploads`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.parameters import check_parameters
from pipeline.executions.view import FINAL, ExecutionView, failed_steps, read_plan, view
from pipeline.settings.environment import Settings
from pipeline.settings.names import upload_prefix

_QUESTIONS_AT_ONCE = 6


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


def with_reasons(aws: Aws, executions: Sequence[ExecutionView]) -> list[ExecutionView]:
    """The same executions, each that failed with the reason of the step that failed first.

    Of the execution itself SageMaker says no more than that a step failed.
    """

    def explained(execution: ExecutionView) -> ExecutionView:
        if execution.status != "Failed":
            return execution
        reason = replace(execution, steps=failed_steps(aws, execution.arn)).explanation
        return replace(execution, reason=" ".join(reason.split()))

    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        return list(pool.map(explained, executions))


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


def find(aws: Aws, pipeline_names: Sequence[str], arn_or_id: str | None, *, running: bool = False) -> str:
    """ARN of an execution by ARN, by id, or the newest one of several pipelines.

    Args:
        aws: clients of the environment.
        pipeline_names: of the pipelines.
        arn_or_id: of the execution; None is the newest one.
        running: of those that have not ended, where none is named.

    Raises:
        ExecutionError: there is no such execution.
    """
    if arn_or_id and arn_or_id.startswith("arn:"):
        return arn_or_id
    if arn_or_id:
        # Asked for by its name: among thousands it need not be one of the newest.
        arns = [f"{aws.settings.pipeline_arn(name)}/execution/{arn_or_id}" for name in pipeline_names]
        found = [arn for arn in arns if _is_there(aws, arn)]
    else:
        newest = recent_of_all(aws, pipeline_names, limit=100)
        found = [execution.arn for execution in newest if not running or not execution.is_final]
    if found:
        return found[0]
    names = " and ".join(pipeline_names)
    if not any(is_deployed(aws, name) for name in pipeline_names):
        raise ExecutionError(f"{names} are not deployed.", f"Deploy them: {aws.settings.command('deploy')}")
    if running and not arn_or_id:
        raise ExecutionError(
            f"No execution of {names} is running.", f"See how they ended: {aws.settings.command('runs')}"
        )
    raise ExecutionError(
        f"There is no execution {arn_or_id} of {names}." if arn_or_id else f"There is no execution of {names} yet.",
        f"See them with: {aws.settings.command('runs')}" if arn_or_id else how_to_start(aws.settings),
    )


def _is_there(aws: Aws, arn: str) -> bool:
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        described = unless_missing(lambda: aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))
    return described is not None


def how_to_start(settings: Settings) -> str:
    """What to do where there is no execution yet."""
    return f"Upload a CSV under {upload_prefix('training')}, or: {settings.command('start KEY')}"


def watch(
    aws: Aws, arn: str, *, interval_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[ExecutionView]:
    """Views of an execution, the last one final."""
    plan = read_plan(aws, arn)
    while True:
        current = view(aws, arn, plan)
        yield current
        if current.is_final:
            return
        sleep(interval_seconds)


def stop(aws: Aws, arn: str) -> None:
    """Ask a running execution to stop; its jobs are stopped with it.

    Raises:
        ExecutionError: it has ended.
    """
    with aws_errors(f"Stopping execution {arn}", aws, ExecutionError):
        status = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if status in FINAL:
            raise ExecutionError(
                f"Execution {arn.rpartition('/')[2]} has ended: {status}. There is nothing to stop.",
                f"See the others: {aws.settings.command('runs')}",
            )
        aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
