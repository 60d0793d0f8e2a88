"""How a check is declared: a small function, registered by a decorator that says what it looks at.

``definition_check``  sees one compiled definition.
``deployment_check``  also sees what is deployed around it: triggers and the execution role's policy.
``source_check``      sees the step scripts' sources.

A check yields problems and knows nothing of how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipedef.document.definition import Definition
from pipedef.document.project import ScriptFolder


class Scope(StrEnum):
    """What a check needs to see."""

    DEFINITION = "definition"
    DEPLOYMENT = "definition and deployment"
    SOURCES = "step scripts"


class Severity(StrEnum):
    """How bad it is when a check finds something.

    ``ERROR``: AWS refuses the definition, an execution fails or starts others without end, or a secret is public.
    ``WARNING``: it runs, but may not do what it should: style, safety, statistics.
    """

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and how to fix it.

    Attributes:
        message: what is wrong, one sentence.
        fix: the edit that fixes it, one sentence.
        step: name of the step; empty where it is the whole pipeline.
        field: path inside the step (or the definition), such as ``Arguments.RoleArn``.
        file: source file and line, where it is about a script.
    """

    message: str
    fix: str
    step: str = ""
    field: str = ""
    file: str = ""


@dataclass(frozen=True)
class Trigger:
    """What starts a pipeline: a new object in a bucket whose key fits a pattern of EventBridge (``*`` is anything)."""

    name: str
    bucket: str
    key_pattern: str
    pipeline: str
    #: Pipeline parameter → JSON path into the event.
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Function:
    """A deployed function that steps call.

    Attributes:
        arn: of the function, without a version or alias.
        script: file name of the project's script that it runs.
        policy: IAM policy document of its own role.
    """

    arn: str
    script: str
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Deployment:
    """What is deployed around one pipeline.

    Attributes:
        pipeline: name of the pipeline.
        triggers: of the whole environment, not only of this pipeline.
        policy: IAM policy document of the role that the pipeline and its jobs run as.
        partition: of AWS, as ARNs name it.
        region: that the pipeline runs in.
        functions: those that are deployed with it; empty where they are not known.
    """

    pipeline: str
    triggers: tuple[Trigger, ...]
    policy: Mapping[str, Any]
    partition: str = "aws"
    region: str = "us-east-1"
    functions: tuple[Function, ...] = ()

    @property
    def own_triggers(self) -> tuple[Trigger, ...]:
        """Those that start this pipeline."""
        return tuple(trigger for trigger in self.triggers if trigger.pipeline == self.pipeline)


DefinitionFunction = Callable[[Definition], Iterator[Problem]]
DeploymentFunction = Callable[[Definition, Deployment], Iterator[Problem]]
SourceFunction = Callable[[ScriptFolder], Iterator[Problem]]


@dataclass(frozen=True)
class Check:
    """A registered check. Exactly one of the three functions is set, the one that ``scope`` names."""

    name: str
    summary: str
    severity: Severity
    scope: Scope
    on_definition: DefinitionFunction | None = None
    on_deployment: DeploymentFunction | None = None
    on_sources: SourceFunction | None = None


_CHECKS: dict[str, Check] = {}
_SUMMARY_BEGINS = "Check that "


def registered() -> tuple[Check, ...]:
    """Return all checks, sorted by name."""
    return tuple(_CHECKS[name] for name in sorted(_CHECKS))


def definition_check(
    name: str, severity: Severity = Severity.ERROR
) -> Callable[[DefinitionFunction], DefinitionFunction]:
    """Register a check of one definition under ``name``; its docstring begins with "Check that …"."""

    def register(function: DefinitionFunction) -> DefinitionFunction:
        _add(Check(name, _summary(function), severity, Scope.DEFINITION, on_definition=function))
        return function

    return register


def deployment_check(
    name: str, severity: Severity = Severity.ERROR
) -> Callable[[DeploymentFunction], DeploymentFunction]:
    """Register a check of a definition and what is deployed around it."""

    def register(function: DeploymentFunction) -> DeploymentFunction:
        _add(Check(name, _summary(function), severity, Scope.DEPLOYMENT, on_deployment=function))
        return function

    return register


def source_check(name: str, severity: Severity = Severity.WARNING) -> Callable[[SourceFunction], SourceFunction]:
    """Register a check of the step scripts."""

    def register(function: SourceFunction) -> SourceFunction:
        _add(Check(name, _summary(function), severity, Scope.SOURCES, on_sources=function))
        return function

    return register


def _add(check: Check) -> None:
    if check.name in _CHECKS:
        raise ValueError(f"There are two checks named {check.name}.")
    _CHECKS[check.name] = check


def _summary(function: Callable[..., Iterator[Problem]]) -> str:
    """Return the first sentence of a check's docstring, without "Check that"."""
    first = (function.__doc__ or "").strip().partition("\n")[0]
    return first.removeprefix(_SUMMARY_BEGINS).removesuffix(".")
