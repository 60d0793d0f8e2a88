"""One execution at one moment: its steps in the definition's order, their times, reasons and cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import ExecutionError
from pipeline.executions.costs import Cluster, Spent, clusters, spent

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
        cluster: what the job runs on; None where it runs none.
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
    cluster: Cluster | None = None

    def seconds(self, now: datetime) -> float | None:
        """Duration in all, or until ``now``; None before the start."""
        return ((self.ended or now) - self.started).total_seconds() if self.started else None


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
    def region(self) -> str:
        """AWS region, out of the ARN."""
        return self.arn.split(":")[3]

    def seconds(self, now: datetime) -> float | None:
        """Duration in all, or until ``now``; None before the start."""
        return ((self.ended or now) - self.started).total_seconds() if self.started else None

    def cost(self, now: datetime) -> Spent:
        """What its jobs have cost so far. The time in which instances start is in it, which AWS does not bill."""
        used = [(step.cluster, step.seconds(now)) for step in self.steps if step.cluster and not step.cached]
        return spent([(cluster, seconds) for cluster, seconds in used if seconds is not None], self.region)

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


@dataclass(frozen=True)
class Plan:
    """What an execution was started with, which does not change while it runs.

    Attributes:
        steps: of its definition.
        clusters: step → what its job runs on.
    """

    steps: Sequence[dict[str, Any]]
    clusters: Mapping[str, Cluster]


def read_plan(aws: Aws, arn: str) -> Plan:
    """The definition and the parameters of an execution."""
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        definition = json.loads(
            aws.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)["PipelineDefinition"]
        )
        pages = aws.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=arn)
        values = {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
    return Plan(definition["Steps"], clusters(definition, values))


def view(aws: Aws, arn: str, plan: Plan | None = None) -> ExecutionView:
    """One execution as it is now, with every step of its definition.

    Args:
        aws: clients of the environment.
        arn: of the execution.
        plan: of the execution, for whoever looks again and again.
    """
    plan = plan or read_plan(aws, arn)
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        execution = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        pages = aws.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        found = {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}
    status = execution["PipelineExecutionStatus"]
    final = status in FINAL
    return ExecutionView(
        arn=arn,
        status=status,
        started=execution.get("CreationTime"),
        ended=execution.get("LastModifiedTime") if final else None,
        reason=execution.get("FailureReason", ""),
        steps=tuple(_steps(plan, plan.steps, found, final=final)),
    )


def failed_steps(aws: Aws, arn: str) -> tuple[StepView, ...]:
    """The steps of an execution that failed, without their place in the definition."""
    with aws_errors(f"Describing execution {arn}", aws, ExecutionError):
        pages = aws.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
        found = [step for page in pages for step in page["PipelineExecutionSteps"]]
    return tuple(
        _step(step["StepName"], "", step, final=True, depth=0) for step in found if step["StepStatus"] == "Failed"
    )


def execution_as_json(execution: ExecutionView) -> dict[str, Any]:
    """An execution for scripts."""
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
            {
                "name": step.name,
                "kind": step.kind,
                "status": step.status,
                "started": step.started,
                "ended": step.ended,
                "reason": step.reason,
                "cached": step.cached,
                "job": step.job_name,
            }
            for step in execution.steps
        ],
    }


def _steps(
    plan: Plan, declared: Sequence[dict[str, Any]], found: Mapping[str, Any], *, final: bool, depth: int = 0
) -> Iterator[StepView]:
    for step in declared:
        name, kind = step["Name"], step["Type"]
        seen = _step(name, kind, found.get(name), final=final, depth=depth)
        yield replace(seen, cluster=plan.clusters.get(name))
        for branch in ("IfSteps", "ElseSteps"):
            yield from _steps(plan, step["Arguments"].get(branch, []), found, final=final, depth=depth + 1)


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
