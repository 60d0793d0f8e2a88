"""Runs every check. Importing this module registers them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.validate import (
    caching,
    conditions,
    data_flow,
    evaluation,
    isolation,
    limits,
    names,
    permissions,
    pinning,
    plain_secrets,
    references,
    script_permissions,
    scripts,
    shapes,
    structure,
    transform_input,
    triggers,
)
from pipeline.validate.document import Definition
from pipeline.validate.registry import Check, Deployment, Problem, Sources, registered

#: Every module with checks; they register themselves when they are imported.
CHECK_MODULES = (
    caching,
    conditions,
    data_flow,
    evaluation,
    isolation,
    limits,
    names,
    permissions,
    pinning,
    plain_secrets,
    references,
    script_permissions,
    scripts,
    shapes,
    structure,
    transform_input,
    triggers,
)

#: The check that asks whether it is a definition.
_FRAME = "structure"


@dataclass(frozen=True)
class Finding:
    """A problem, which check found it, and in what: a definition's name or file, or ``steps``."""

    check: str
    source: str
    problem: Problem


@dataclass(frozen=True)
class Report:
    """What came of a validation.

    Attributes:
        findings: in the order of sources and checks; empty is good.
        ran: names of the checks that ran at least once.
        skipped: names of those that had not what they look at.
        sources: what was looked at.
    """

    findings: tuple[Finding, ...]
    ran: tuple[str, ...]
    skipped: tuple[str, ...]
    sources: tuple[str, ...]


def validate(subjects: Iterable[tuple[Definition, Deployment | None]], sources: Sources | None = None) -> Report:
    """Run every check on everything that it applies to.

    Args:
        subjects: definitions, each with its deployment where that is known.
        sources: the step scripts; None leaves their checks out.
    """
    findings: list[Finding] = []
    ran: set[str] = set()
    looked_at: list[str] = []
    checks = registered()
    for definition, deployment in subjects:
        looked_at.append(definition.source)
        for check in checks:
            problems = _on_definition(check, definition, deployment)
            if problems is not None:
                ran.add(check.name)
                findings += [Finding(check.name, definition.source, problem) for problem in problems]
    if sources is not None:
        looked_at.append("steps")
        for check in checks:
            if check.on_sources is not None:
                ran.add(check.name)
                findings += [Finding(check.name, "steps", problem) for problem in check.on_sources(sources)]
    names_of_all = [check.name for check in checks]
    return Report(
        findings=tuple(findings),
        ran=tuple(name for name in names_of_all if name in ran),
        skipped=tuple(name for name in names_of_all if name not in ran),
        sources=tuple(looked_at),
    )


def unreadable(source: str, problem: Problem) -> Report:
    """What is no definition at all, so that no check but the first can look at it."""
    return Report(
        findings=(Finding(_FRAME, source, problem),),
        ran=(_FRAME,),
        skipped=tuple(check.name for check in registered() if check.name != _FRAME),
        sources=(source,),
    )


def _on_definition(check: Check, definition: Definition, deployment: Deployment | None) -> Iterator[Problem] | None:
    if check.on_definition is not None:
        return check.on_definition(definition)
    if check.on_deployment is not None and deployment is not None:
        return check.on_deployment(definition, deployment)
    return None
