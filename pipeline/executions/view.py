"""One execution at one moment: its steps in the definition's order, their times, reasons and cost."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pipedef.document.definition import Definition, read_definition
from pipedef.errors import DefinitionError
from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.costs import Cluster, Cost, clusters, spent

#: Of a step, for scripts.
_JSON_FIELDS = ("name", "kind", "status", "started", "ended", "reason", "cached")
FINAL = frozenset({"Succeeded", "Failed", "Stopped"})


@dataclass(frozen=True)
class StepView:
    """One step of an execution at one moment."""

    name: str
    kind: str  #: SageMaker's step type, such as ``Processing``.
    status: str = "Waiting"  #: SageMaker's status, ``Waiting`` before the step starts, or ``NotRun`` where it never did
    started: datetime | None = None
    ended: datetime | None = None
    reason: str = ""  #: Why it failed, what a condition decided, or a function's own words, else empty.
    cached: bool = False  #: Whether an earlier execution's result stands in.
    depth: int = 0  #: How many conditions it stands under.
    job_name: str | None = None  #: None where it runs no job.
    function_arn: str | None = None  #: Of the function that it calls; None where it calls none.
    cluster: Cluster | None = None
    answer: Mapping[str, str] = field(default_factory=dict)  #: What its function has answered.

    def seconds(self, now: datetime) -> float | None:
        """Return its duration, or that until ``now``; None before the start."""
        return _seconds(self.started, self.ended or now)


@dataclass(frozen=True)
class ExecutionView:
    """One execution at one moment; ``steps`` in the definition's order."""

    arn: str
    status: str
    started: datetime | None
    ended: datetime | None = None
    reason: str = ""
    steps: tuple[StepView, ...] = ()

    @property
    def identifier(self) -> str:
        """Last part of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline, from the ARN."""
        return self.arn.partition(":pipeline/")[2].partition("/")[0]

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    def seconds(self, now: datetime) -> float | None:
        """Return its duration, or that until ``now``; None before the start."""
        return _seconds(self.started, self.ended or now)

    def cost(self, now: datetime) -> Cost:
        """Return what its jobs have cost so far, with the start of instances, which AWS does not bill."""
        used = [(step.cluster, step.seconds(now)) for step in self.steps if step.cluster and not step.cached]
        region = self.arn.split(":")[3]
        return spent([(cluster, seconds) for cluster, seconds in used if seconds is not None], region)

    @property
    def explanation(self) -> str:
        """Why it failed, in the words of the first step that did; empty where nothing failed."""
        first = first_failed(step for step in self.steps if step.reason)
        return f"{first.name}: {first.reason}" if first else self.reason


def first_failed(steps: Iterable[StepView]) -> StepView | None:
    """Return the step that failed first."""
    failed = (step for step in steps if step.status == "Failed")
    return min(failed, key=lambda step: step.ended.timestamp() if step.ended else float("inf"), default=None)


@dataclass(frozen=True)
class Plan:
    """What an execution was started with, which does not change while it runs."""

    definition: Definition
    clusters: Mapping[str, Cluster]  #: Step → what its job runs on.


def execution_parameters(aws: Aws, arn: str) -> dict[str, str]:
    """Return the parameters of an execution; call it inside :func:`~pipeline.aws.clients.aws_errors`."""
    pages = aws.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=arn)
    return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}


def read_plan(aws: Aws, arn: str) -> Plan:
    """Read the definition and the parameters of an execution."""
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        answer = aws.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
        values = execution_parameters(aws, arn)
    try:
        definition = read_definition(answer["PipelineDefinition"], arn)
    except DefinitionError as error:
        raise ExecutionError(str(error)) from error
    return Plan(definition, clusters(definition, values))


def view(aws: Aws, arn: str, plan: Plan | None = None) -> ExecutionView:
    """Return an execution as it is now, with every step of its definition.

    The plan is read when left out, so pass it to look repeatedly.
    """
    plan = plan or read_plan(aws, arn)
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        execution = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    found = _step_summaries(aws, arn)
    status = execution["PipelineExecutionStatus"]
    final = status in FINAL
    return ExecutionView(
        arn=arn,
        status=status,
        started=execution.get("CreationTime"),
        ended=execution.get("LastModifiedTime") if final else None,
        reason=execution.get("FailureReason", ""),
        steps=tuple(_steps(plan, found, final=final)),
    )


def failed_steps(aws: Aws, arn: str) -> tuple[StepView, ...]:
    """Return the steps of an execution that failed, without what only its definition says of them."""
    found = _step_summaries(aws, arn)
    return tuple(_started(name, "", step) for name, step in found.items() if step["StepStatus"] == "Failed")


def execution_as_json(execution: ExecutionView) -> dict[str, Any]:
    """Return an execution for scripts."""
    cost = execution.cost(execution.ended or datetime.now(UTC))
    return {
        "PipelineExecutionArn": execution.arn,
        "status": execution.status,
        "started": execution.started,
        "ended": execution.ended,
        "reason": execution.explanation,
        "dollars": cost.dollars,
        "prices_as_of": cost.as_of,
        "steps": [
            {**{name: getattr(step, name) for name in _JSON_FIELDS}, "job": step.job_name} for step in execution.steps
        ],
    }


def _seconds(started: datetime | None, ended: datetime) -> float | None:
    return (ended - started).total_seconds() if started else None


def _step_summaries(aws: Aws, arn: str) -> dict[str, Mapping[str, Any]]:
    """Return the steps that have started, by name, in the order of their start."""
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        pages = aws.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}


def _steps(plan: Plan, found: Mapping[str, Mapping[str, Any]], *, final: bool) -> Iterator[StepView]:
    for step in plan.definition.steps:
        if step.name in found:
            seen = _started(step.name, step.type, found[step.name])
        else:
            seen = StepView(step.name, step.type, "NotRun" if final else "Waiting")
        yield replace(seen, depth=len(step.guards), cluster=plan.clusters.get(step.name))


def _started(name: str, kind: str, summary: Mapping[str, Any]) -> StepView:
    metadata = summary.get("Metadata", {})
    reason = summary.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage", "")
    function = metadata.get("Lambda", {})
    answer = {item["Name"]: item["Value"] for item in function.get("OutputParameters", [])}
    jobs = [metadata[key]["Arn"] for key in ("ProcessingJob", "TrainingJob", "TransformJob") if key in metadata]
    return StepView(
        name=name,
        kind=kind,
        status=summary["StepStatus"],
        started=summary.get("StartTime"),
        ended=summary.get("EndTime"),
        reason=reason or metadata.get("Condition", {}).get("Outcome", "") or answer.get("reason", ""),
        cached="CacheHitResult" in summary,
        job_name=jobs[0].rpartition("/")[2] if jobs else None,
        function_arn=function.get("Arn"),
        answer=answer,
    )
