"""Findings and checks as text for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pipedef.checks.registry import registered
from pipedef.linter.runner import Finding, Report


def report_lines(report: Report) -> Iterator[str]:
    """One block a finding, then what was looked at."""
    for finding in report.findings:
        yield _printable(f"{_place(finding)}: {finding.problem.message} [{finding.check}]")
        yield _printable(f"  → {finding.problem.fix}")
    looked_at = ", ".join(report.sources)
    count = len(report.findings)
    verdict = "No problem" if count == 0 else f"{count} problem{'s' if count > 1 else ''}"
    checks = f"{len(report.ran)} check{'s' if len(report.ran) > 1 else ''}"
    yield f"{verdict} found by {checks} in {looked_at}."
    if report.skipped:
        yield f"Not checked, for want of what they look at: {', '.join(report.skipped)}."


def _printable(text: str) -> str:
    """A line without what moves a terminal's cursor: a definition is anybody's."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _place(finding: Finding) -> str:
    problem = finding.problem
    step = f"step {problem.step}" if problem.step else ""
    return ", ".join(part for part in (problem.file or finding.source, step, problem.field) if part)


def report_as_json(report: Report) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "ok": not report.findings,
        "findings": [
            {"check": finding.check, "source": finding.source, **asdict(finding.problem)} for finding in report.findings
        ],
        "checks": list(report.ran),
        "skipped": list(report.skipped),
        "sources": list(report.sources),
    }


def checks_as_json() -> list[dict[str, str]]:
    """Every check: name, what it makes sure of, what it looks at."""
    return [{"name": check.name, "summary": check.summary, "scope": str(check.scope)} for check in registered()]


def check_lines() -> Iterator[str]:
    """Every check, a line each."""
    checks = registered()
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.name:<{width}}  {check.summary} ({check.scope})"
