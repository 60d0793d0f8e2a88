"""What is remembered of pipelines, executions and steps: frozen, and turned into JSON and back for the store."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar


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


Record = TypeVar("Record", PipelineRecord, PipelineVersion, ExecutionRecord, StepRecord)


def dump(record: PipelineRecord | PipelineVersion | ExecutionRecord | StepRecord) -> str:
    """A record as JSON text."""
    return json.dumps(vars(record), default=_dump_value, ensure_ascii=False)


def _dump_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return vars(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def load(kind: type[Record], text: str) -> Record:
    """A record from its JSON text. Fields that a newer version dropped are ignored; new ones take their default."""
    record: Record = _build(kind, json.loads(text))
    return record


def _build(kind: Any, document: dict[str, Any]) -> Any:
    converters = _converters(kind)
    values = {name: value for name, value in document.items() if name in converters}
    for name, value in values.items():
        convert = converters[name]
        if convert is not None and value is not None:
            values[name] = convert(value)
    return kind(**values)


@cache
def _converters(kind: Any) -> dict[str, Callable[[Any], Any] | None]:
    """How each field is made from its JSON; None where it is taken as it is."""
    hints = typing.get_type_hints(kind)
    return {item.name: _converter(hints[item.name]) for item in dataclasses.fields(kind)}


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(option for option in typing.get_args(hint) if option is not types.NoneType)
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        if dataclasses.is_dataclass(inner):
            return lambda value: tuple(_build(inner, item) for item in value)
        return tuple
    return None


def json_ready(value: Any) -> Any:
    """An API response as JSON data: times become ISO 8601 text in UTC, the transport's metadata is left out."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value
