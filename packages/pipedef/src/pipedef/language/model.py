"""The pipeline definition (schema version 2020-12-01) as frozen data.

Steps inside the branches of Condition steps are flattened into one list; each carries the branches that lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipedef.language.expressions import Reference, StepReference, references
from pipedef.language.retrying import RetryPolicy


class StepType(StrEnum):
    """The step types whose semantics this package knows."""

    PROCESSING = "Processing"
    TRAINING = "Training"
    TRANSFORM = "Transform"
    TUNING = "Tuning"
    MODEL = "Model"
    REGISTER_MODEL = "RegisterModel"
    ENDPOINT_CONFIG = "EndpointConfig"
    CONDITION = "Condition"
    FAIL = "Fail"
    CALLBACK = "Callback"
    LAMBDA = "Lambda"
    LINEAGE = "Lineage"


class Trigger(StrEnum):
    """The outcome of an upstream step that lets a dependent step run."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    ANY = "Any"


@dataclass(frozen=True)
class Parameter:
    """A declared pipeline parameter. ``default`` is None when a value must be given at the start."""

    name: str
    type: str
    default: str | int | float | bool | None = None
    enum_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file that a Processing step writes: ``path`` below the output called ``output``."""

    name: str
    output: str
    path: str


@dataclass(frozen=True)
class CacheConfig:
    """Step caching: ``expire_after`` is an ISO 8601 duration."""

    enabled: bool
    expire_after: str | None


@dataclass(frozen=True)
class Guard:
    """A step runs only if this Condition step has this outcome (``True`` or ``False``)."""

    condition: str
    outcome: str


@dataclass(frozen=True)
class Step:
    """One step. ``arguments`` holds expressions unresolved; a Condition step's hold ``Conditions`` only.

    ``target`` is a Callback step's queue URL or a Lambda step's function ARN, text or an expression; ``outputs`` are
    the types of their output parameters by name.
    """

    name: str
    type: StepType
    arguments: Mapping[str, Any]
    display_name: str | None = None
    description: str | None = None
    depends_on: Mapping[str, Trigger] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()
    cache: CacheConfig | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    target: Any = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    def references(self) -> Iterator[Reference]:
        """Yield every reference in the arguments and the target."""
        yield from references(self.arguments)
        yield from references(self.target)

    def referenced_steps(self) -> frozenset[str]:
        """Return the names of the steps whose results this one uses."""
        return frozenset(item.step for item in self.references() if isinstance(item, StepReference))


@dataclass(frozen=True)
class Definition:
    """A parsed pipeline definition. ``experiment`` and ``mlflow`` hold expressions unresolved."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    experiment: Mapping[str, Any] | None = None
    mlflow: Mapping[str, Any] | None = None
