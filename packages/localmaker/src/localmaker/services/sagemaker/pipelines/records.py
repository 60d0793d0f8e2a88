"""The records of pipelines, executions and steps, frozen; the store keeps them as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class ExecutionStatus(StrEnum):
    """The status of an execution, as in DescribePipelineExecution."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    COMPLETED_WITH_FAILURES = "CompletedWithFailures"

    @property
    def ended(self) -> bool:
        """Only a retry can change it."""
        return self not in (ExecutionStatus.EXECUTING, ExecutionStatus.STOPPING)


class StepStatus(StrEnum):
    """The status of a step, as in ListPipelineExecutionSteps."""

    STARTING = "Starting"
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"

    @property
    def ended(self) -> bool:
        """Only a retry can change it."""
        return self in (StepStatus.STOPPED, StepStatus.FAILED, StepStatus.SUCCEEDED)


@dataclass(frozen=True)
class PipelineVersion:
    """One version of a pipeline, numbered from 1. ``definition_id`` is the key of its definition in the store."""

    version: int
    definition_id: str
    created: datetime
    display_name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class PipelineRecord:
    """A pipeline as it is now. ``latest`` is its current version; ``aliases`` maps aliases to versions."""

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
        """Return the aliases of a version."""
        return [alias for alias, number in self.aliases.items() if number == version]


@dataclass(frozen=True)
class ExecutionRecord:
    """One execution. ``definition_id`` is the key of the definition that it was started with.

    ``queued`` is true until a slot for a running execution is free. ``sequence`` orders executions created in the same
    instant. ``attempts`` counts those of steps that a retry starts again. ``experiment``, ``mlflow`` and ``selection``
    are its PipelineExperimentConfig, MLflowConfig and SelectiveExecutionConfig.
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
        """The names of the steps that were selected to run; None for all."""
        if self.selection is None:
            return None
        return tuple(step["StepName"] for step in self.selection["SelectedSteps"])


@dataclass(frozen=True)
class StepRecord:
    """One step of an execution, from the moment it starts.

    ``metadata`` is in the shape of ListPipelineExecutionSteps. ``properties`` is the Describe* response with times as
    ISO 8601 text. ``cache_source`` is the ARN of the execution whose result was used instead of a run, and
    ``selection_source`` the ARN of the one whose result a selective execution reuses.
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
    """Return an API response as JSON data: times become ISO 8601 text in UTC, ResponseMetadata is left out."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value
