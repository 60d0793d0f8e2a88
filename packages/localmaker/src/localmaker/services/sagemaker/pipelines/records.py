"""What is remembered of pipelines, executions and steps: frozen, and turned into JSON and back for the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class ExecutionStatus(StrEnum):
    """As in DescribePipelineExecution."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    COMPLETED_WITH_FAILURES = "CompletedWithFailures"

    @property
    def ended(self) -> bool:
        """Whether nothing will change it but a retry."""
        return self not in (ExecutionStatus.EXECUTING, ExecutionStatus.STOPPING)


class StepStatus(StrEnum):
    """As in ListPipelineExecutionSteps."""

    STARTING = "Starting"
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"

    @property
    def ended(self) -> bool:
        """Whether nothing will change it but a retry."""
        return self in (StepStatus.STOPPED, StepStatus.FAILED, StepStatus.SUCCEEDED)


@dataclass(frozen=True)
class PipelineVersion:
    """One version of a pipeline; they count from 1. The store knows its definition by ``definition_id``."""

    version: int
    definition_id: str
    created: datetime
    display_name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class PipelineRecord:
    """A pipeline as it is now. ``latest`` is its current version; ``aliases`` say which version each stands for."""

    arn: str
    name: str
    role_arn: str
    latest: int
    created: datetime
    modified: datetime
    display_name: str | None = None
    description: str | None = None
    max_parallel_steps: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    last_run: datetime | None = None
    aliases: dict[str, int] = field(default_factory=dict)

    def aliases_of(self, version: int) -> list[str]:
        """The aliases that stand for a version."""
        return [alias for alias, number in self.aliases.items() if number == version]


@dataclass(frozen=True)
class ExecutionRecord:
    """One execution. It keeps the definition that it was started with; the store knows that by ``definition_id``.

    ``queued`` holds until a slot for a running execution is free. ``sequence`` orders executions created in the same
    instant. ``attempts`` are those of steps that a retry starts again. ``experiment``, ``mlflow`` and ``selection`` are
    its PipelineExperimentConfig, MLflowConfig and SelectiveExecutionConfig.
    """

    arn: str
    pipeline_arn: str
    pipeline_name: str
    pipeline_version: int
    role_arn: str
    definition_id: str
    definition_created: datetime
    parameters: dict[str, Any]
    status: ExecutionStatus
    created: datetime
    modified: datetime
    queued: bool = True
    display_name: str | None = None
    description: str | None = None
    max_parallel_steps: int | None = None
    failure_reason: str | None = None
    sequence: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    experiment: dict[str, str] | None = None
    mlflow: dict[str, str] | None = None
    selection: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit("/", 1)[1]

    @property
    def selected(self) -> tuple[str, ...] | None:
        """The names of the steps that were selected to run; None when all are."""
        if self.selection is None:
            return None
        return tuple(step["StepName"] for step in self.selection["SelectedSteps"])


@dataclass(frozen=True)
class StepRecord:
    """One step of an execution, from the moment it starts.

    ``metadata`` is in the shape of ListPipelineExecutionSteps. ``properties`` is the Describe* response with times as
    ISO 8601 text. ``cache_source`` is the ARN of the execution whose result was used instead of a run, and
    ``selection_source`` that whose result a selective execution builds upon.
    """

    execution_arn: str
    pipeline_arn: str
    name: str
    type: str
    status: StepStatus
    position: int
    started: datetime
    ended: datetime | None = None
    display_name: str | None = None
    description: str | None = None
    attempt: int = 1
    failure_reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    cache_key: str | None = None
    cache_source: str | None = None
    selection_source: str | None = None


def json_ready(value: Any) -> Any:
    """An API response as JSON data: times become ISO 8601 text in UTC, the transport's metadata is left out."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value
