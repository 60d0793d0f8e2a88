"""Runs every check. Importing this module registers them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipedef.checks import (
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
from pipedef.checks.registry import Check, Deployment, Problem, registered
from pipedef.document.definition import Definition, read_definition
from pipedef.document.json_text import HINT
from pipedef.document.source_code import Sources
from pipedef.errors import DefinitionError, UnreadableFileError

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


def read_file(path: Path) -> str:
    """Read the text of a definition.

    Raises:
        UnreadableFileError: the file is missing, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{path} can't be read: {error}") from error


def check_file(path: Path) -> Report:
    """Check the definition in a file, without what is deployed around it; a text that is no definition is a finding.

    Raises:
        UnreadableFileError: the file is missing, or is not UTF-8.
    """
    try:
        definition = read_definition(read_file(path), str(path))
    except DefinitionError as error:
        return unreadable(str(path), error)
    return validate([(definition, None)])


def unreadable(source: str, error: DefinitionError) -> Report:
    """Report a text that is no definition at all, so that no check but the first can look at it."""
    problem = Problem(error.message.removeprefix(source).lstrip(": "), error.hint or HINT)
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
