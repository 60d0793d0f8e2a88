"""Pipeline executions: start, list, find, watch, stop, retry. Prints nothing (see :mod:`pipeline.executions.progress`).

Which execution an upload has started is in :mod:`pipeline.executions.uploads`.
"""

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import ExecutionError
from pipeline.executions.parameters import check_parameters
from pipeline.executions.view import FINAL, ExecutionView, failed_steps, read_plan, view
from pipeline.settings.contract import upload_prefix
from pipeline.settings.environment import Settings

_PARALLEL_REQUESTS = 6
RUNNING, RETRYABLE = frozenset({"Executing", "Stopping"}), frozenset({"Failed", "Stopped"})


def start(aws: Aws, pipeline_name: str, parameters: Mapping[str, str]) -> str:
    """Start an execution and return its ARN; the parameters are checked against the definition first.

    Raises:
        ExecutionError: the pipeline is not deployed, or a parameter is unknown, missing or impossible.
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
    """Return the newest executions, newest first, without their steps."""
    with aws_errors(f"Listing executions of {pipeline_name}", aws, ExecutionError):
        summaries = aws.sagemaker.list_pipeline_executions(
            PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=limit
        )["PipelineExecutionSummaries"]
    return [
        ExecutionView(
            arn=item["PipelineExecutionArn"],
            status=item["PipelineExecutionStatus"],
            started=item.get("StartTime"),
            reason=item.get("PipelineExecutionFailureReason", ""),
        )
        for item in summaries
    ]


def with_reasons(aws: Aws, executions: Sequence[ExecutionView]) -> list[ExecutionView]:
    """Give each failed execution the reason of its first failed step; SageMaker's own says only that a step failed."""

    def explained(execution: ExecutionView) -> ExecutionView:
        if execution.status != "Failed":
            return execution
        reason = replace(execution, steps=failed_steps(aws, execution.arn)).explanation
        return replace(execution, reason=" ".join(reason.split()))

    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
        return list(pool.map(explained, executions))


def recent_of_all(aws: Aws, pipeline_names: Sequence[str], limit: int = 20) -> list[ExecutionView]:
    """Return the newest executions of those pipelines that are deployed, newest first, without their steps."""
    found = [item for name in pipeline_names if _is_deployed(aws, name) for item in recent(aws, name, limit)]
    return sorted(found, key=lambda item: item.started.timestamp() if item.started else 0.0, reverse=True)[:limit]


def find(aws: Aws, pipeline_names: Sequence[str], arn_or_id: str | None, statuses: Collection[str] = ()) -> str:
    """Return the ARN of an execution by ARN, by id, or of the newest one of several pipelines.

    Without an id, only executions of some ``statuses`` count, if any are given.

    Raises:
        ExecutionError: there is no such execution.
    """
    if arn_or_id and arn_or_id.startswith("arn:"):
        return arn_or_id
    names, runs = " or ".join(pipeline_names), aws.settings.command("runs")
    if arn_or_id:
        # Described by its name: among thousands it need not be one of the newest.
        for name in pipeline_names:
            arn = f"{aws.settings.pipeline_arn(name)}/execution/{arn_or_id}"
            if _exists(aws, arn, aws.sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn):
                return arn
        problem, hint = f"There is no execution {arn_or_id} in {names}.", f"List them: {runs}"
    else:
        for execution in recent_of_all(aws, pipeline_names, limit=100):
            if not statuses or execution.status in statuses:
                return execution.arn
        problem, hint = f"There is no execution of {names} yet.", how_to_start(aws.settings)
        if statuses:
            words = " or ".join(sorted({"Executing": "running"}.get(one, one.lower()) for one in statuses))
            problem, hint = f"No execution of {names} is {words}.", f"List them: {runs}"
    if not any(_is_deployed(aws, name) for name in pipeline_names):
        problem, hint = (
            f"{' and '.join(pipeline_names)} are not deployed.",
            f"Deploy them: {aws.settings.command('deploy')}",
        )
    raise ExecutionError(problem, hint)


def _is_deployed(aws: Aws, pipeline_name: str) -> bool:
    return _exists(aws, pipeline_name, aws.sagemaker.describe_pipeline, PipelineName=pipeline_name)


def _exists(aws: Aws, name: str, describe: Callable[..., object], **request: str) -> bool:
    with aws_errors(f"Describing {name}", aws, ExecutionError):
        return unless_missing(lambda: describe(**request)) is not None


def how_to_start(settings: Settings) -> str:
    """Return what to do where there is no execution yet."""
    return f"Upload a CSV under {upload_prefix('training')}, or: {settings.command('start KEY')}"


def watch(
    aws: Aws, arn: str, *, interval_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[ExecutionView]:
    """Yield views of an execution, the last one final."""
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
    _request(aws, arn, "Stopping", RUNNING, aws.sagemaker.stop_pipeline_execution)


def retry(aws: Aws, arn: str) -> None:
    """Run the steps of a failed or stopped execution again that have not succeeded; the others keep their results.

    Raises:
        ExecutionError: it is running, has succeeded, or was ended by a Fail step.
    """
    _request(aws, arn, "Retrying", RETRYABLE, aws.sagemaker.retry_pipeline_execution)


def _request(aws: Aws, arn: str, what: str, statuses: Collection[str], call: Callable[..., object]) -> None:
    with aws_errors(f"{what} execution {arn}", aws, ExecutionError):
        status = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if status not in statuses:
            problem = f"has {'already' if status in FINAL else 'not'} ended: {status}."
            raise ExecutionError(
                f"Execution {arn.rpartition('/')[2]} {problem}", f"See the others: {aws.settings.command('runs')}"
            )
        call(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
