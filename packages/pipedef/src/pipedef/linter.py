"""Run every check over definitions, and show what they find as text and as JSON: no network, no credentials, no SDK.

Importing this module registers the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipedef.checks import (
    caching,
    data_flow,
    functions,
    jobs,
    limits,
    model_cards,
    order,
    permissions,
    plain_secrets,
    references,
    scripts,
    shapes,
    structure,
    triggers,
)
from pipedef.checks.registry import Check, Deployment, Problem, Severity, registered
from pipedef.document.definition import Definition, read_definition
from pipedef.document.json_text import HINT
from pipedef.document.project import Project, ScriptFolder, Sources
from pipedef.errors import DefinitionError, UnknownCheckError, UnreadableFileError

#: Every module with checks; they register themselves when they are imported.
CHECK_MODULES = (
    caching,
    data_flow,
    functions,
    jobs,
    limits,
    model_cards,
    order,
    permissions,
    plain_secrets,
    references,
    scripts,
    shapes,
    structure,
    triggers,
)

#: The check that a text fails which is no definition at all.
_STRUCTURE = "structure"


@dataclass(frozen=True)
class Finding:
    """A problem, the check that found it, and in what: a definition's name or file, or the scripts' folder."""

    check: str
    severity: Severity
    source: str
    problem: Problem


@dataclass(frozen=True)
class Report:
    """The result of running the checks.

    Attributes:
        findings: in the order of sources and checks; empty is good.
        ran: names of the checks that ran at least once.
        skipped: names of those that had nothing to look at: no deployment, no scripts.
        sources: what was checked.
    """

    findings: tuple[Finding, ...]
    ran: tuple[str, ...]
    skipped: tuple[str, ...]
    sources: tuple[str, ...]
    #: Whether the text is a definition at all; if not, no check but the first can look at it.
    readable: bool = True

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are no warnings."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def chosen_checks(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> tuple[Check, ...]:
    """Return the checks that are selected, all where none is, without those that are ignored.

    Raises:
        UnknownCheckError: there is no check of one of these names.
    """
    checks = registered()
    known = {check.name for check in checks}
    if unknown := [name for name in (*select, *ignore) if name not in known]:
        raise UnknownCheckError(f"There is no check named {unknown[0]}. List them with: pipedef checks")
    return tuple(check for check in checks if check.name in (set(select) or known) - set(ignore))


def validate(
    subjects: Iterable[tuple[Definition, Deployment | None]],
    sources: Sources | None = None,
    project: Project | None = None,
    checks: Sequence[Check] | None = None,
) -> Report:
    """Run checks on everything that they apply to.

    Args:
        subjects: definitions, each with its deployment where that is known.
        sources: the step scripts; None leaves their checks out.
        project: what the project tells about its scripts.
        checks: to run; all of them when left out.
    """
    findings: list[Finding] = []
    ran: set[str] = set()
    checked: list[str] = []
    chosen = registered() if checks is None else tuple(checks)
    conventions = project or Project()
    for given, deployment in subjects:
        definition = replace(given, project=conventions)
        checked.append(definition.source)
        for check in chosen:
            problems = _on_definition(check, definition, deployment)
            if problems is not None:
                ran.add(check.name)
                findings += [Finding(check.name, check.severity, definition.source, problem) for problem in problems]
    if sources is not None:
        folder = conventions.scripts_folder
        checked.append(folder)
        for check in chosen:
            if check.on_sources is not None:
                ran.add(check.name)
                found = check.on_sources(ScriptFolder(sources, conventions))
                placed = [replace(problem, file=f"{folder}/{problem.file}") for problem in found]
                findings += [Finding(check.name, check.severity, folder, problem) for problem in placed]
    return Report(
        findings=tuple(findings),
        ran=tuple(check.name for check in chosen if check.name in ran),
        skipped=tuple(check.name for check in chosen if check.name not in ran),
        sources=tuple(checked),
    )


def _on_definition(check: Check, definition: Definition, deployment: Deployment | None) -> Iterator[Problem] | None:
    if check.on_definition is not None:
        return check.on_definition(definition)
    if check.on_deployment is not None and deployment is not None:
        return check.on_deployment(definition, deployment)
    return None


def read_file(path: Path) -> str:
    """Read the text of a definition.

    Raises:
        UnreadableFileError: the file is missing, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadableFileError(f"{path} can't be read: {reason}") from error


def check_text(text: str, source: str, checks: Sequence[Check] | None = None) -> Report:
    """Check a definition without what is deployed around it; a text that is no definition is a finding."""
    try:
        definition = read_definition(text, source)
    except DefinitionError as error:
        return unreadable(source, error)
    return validate([(definition, None)], checks=checks)


def unreadable(source: str, error: DefinitionError) -> Report:
    """Report a text that is no definition at all, so that no check but the first can look at it."""
    problem = Problem(error.message.removeprefix(source).lstrip(": "), error.hint or HINT)
    return Report(
        findings=(Finding(_STRUCTURE, Severity.ERROR, source, problem),),
        ran=(_STRUCTURE,),
        skipped=tuple(check.name for check in registered() if check.name != _STRUCTURE),
        sources=(source,),
        readable=False,
    )


def report_lines(report: Report) -> Iterator[str]:
    """Show a report as text: a line for each finding, then what was checked."""
    yield from (finding_line(finding) for finding in report.findings)
    count = len(report.findings)
    errors, warnings = len(report.errors), count - len(report.errors)
    counted = [_counted(errors, "error"), _counted(warnings, "warning")]
    verdict = " and ".join(part for part in counted if part) or "No problem"
    yield f"{verdict} found by {_counted(len(report.ran), 'check') or 'no check'} in {', '.join(report.sources)}."
    if not report.readable:
        yield "The other checks did not run, because this is not a definition."
    elif report.skipped:
        yield f"Not checked, because it takes the deployment or the step scripts: {', '.join(report.skipped)}."


def finding_line(finding: Finding) -> str:
    """Show a finding as one line: file, step, field, severity, what is wrong, how to fix it, and the check."""
    problem = finding.problem
    step = f"step {problem.step}" if problem.step else ""
    place = ", ".join(part for part in (problem.file or finding.source, step, problem.field) if part)
    return _printable(f"{place}: {finding.severity}: {problem.message} → {problem.fix} [{finding.check}]")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}" if count else ""


def _printable(text: str) -> str:
    """Escape what moves a terminal's cursor: a definition may come from anyone."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def report_as_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON for scripts; ``ok`` is true where there is no finding, warnings included."""
    return {
        "ok": not report.findings,
        "findings": [
            {
                "check": finding.check,
                "severity": str(finding.severity),
                "source": finding.source,
                **asdict(finding.problem),
            }
            for finding in report.findings
        ],
        "checks": list(report.ran),
        "skipped": list(report.skipped),
        "sources": list(report.sources),
    }


def checks_as_json() -> list[dict[str, str]]:
    """Return every check as JSON: name, severity, summary, and what it looks at."""
    return [
        {"name": check.name, "severity": str(check.severity), "summary": check.summary, "scope": str(check.scope)}
        for check in registered()
    ]


def check_lines() -> Iterator[str]:
    """Show every check, a line each."""
    checks = registered()
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.name:<{width}}  {check.severity:<7}  {check.summary} ({check.scope})"
