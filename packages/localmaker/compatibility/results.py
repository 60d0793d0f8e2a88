"""What became of a project, as JSON and as rows of the table in ``docs/compatibility.md``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from compatibility.manifest import Manifest, Project
from compatibility.observing import SeenExecution
from compatibility.page import put

_LONGEST_REASON = 300


class Outcome(StrEnum):
    """What became of a project."""

    WHOLE = "whole"
    REFUSED = "refused by name"
    NOT_RUN = "not run"
    FAILED = "failed"
    UNTRIED = "not tried yet"


_ORDER = list(Outcome)


@dataclass(frozen=True)
class Result:
    """What became of one project.

    Attributes:
        id: of the project.
        outcome: in one word.
        reason: why it is not whole.
        seconds: how long its programs took.
        python: version of Python, and of the SDK, that it ran with.
        sdk: version of the SageMaker SDK.
        executions: its executions with their steps, as they were seen last.
        jobs: how many jobs of each kind and status.
    """

    id: str
    outcome: Outcome
    reason: str = ""
    seconds: int = 0
    python: str = ""
    sdk: str = ""
    executions: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)


def judge(
    project: Project, error: str, executions: Sequence[SeenExecution], jobs: Mapping[str, int], log: str
) -> tuple[Outcome, str]:
    """Return what became of a project that was run, and why it is not whole.

    Args:
        project: the project.
        error: how its programs failed, or nothing.
        executions: its executions, in order of their start.
        jobs: how many jobs of each kind and status there are.
        log: what its programs said.
    """
    if project.refused is not None and project.reason is not None:
        if error and project.refused in log:
            return Outcome.REFUSED, project.reason
        return Outcome.FAILED, f"it should have been refused with {project.refused!r}"
    problem = _problem(project, error, executions, jobs)
    return (Outcome.FAILED, shortened(problem)) if problem else (Outcome.WHOLE, "")


def _problem(project: Project, error: str, executions: Sequence[SeenExecution], jobs: Mapping[str, int]) -> str:
    failures = [f"{step.name}: {step.failure}" for one in executions for step in one.steps if step.status == "Failed"]
    if error:
        return "; ".join([*failures[:1], error])
    if len(executions) != len(project.execution):
        return f"{len(executions)} executions instead of {len(project.execution)}"
    for wanted, seen in zip(project.execution, executions, strict=True):
        if not wanted.matches(seen.status, seen.states):
            return next(iter(failures), f"an execution was not as expected: {seen.status}, {seen.states}")
    completed = {kind: jobs.get(f"{kind} Completed", 0) for kind in project.jobs}
    return "" if completed == project.jobs else f"jobs: {dict(jobs)} instead of {project.jobs}"


def read_results(file: Path) -> dict[str, Result]:
    """Return the results that a file holds, by project."""
    if not file.exists():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {one["id"]: Result(**{**one, "outcome": Outcome(one["outcome"])}) for one in found}


def write_results(file: Path, results: Mapping[str, Result], manifest: Manifest) -> None:
    """Write the results of the manifest's projects, in its order."""
    kept = [asdict(results[project.id]) for project in manifest.project if project.id in results]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def render(page: Path, results: Mapping[str, Result], manifest: Manifest) -> None:
    """Replace the marked part of the page by the table of results."""
    put(page, "projects", _table(results, manifest))


def _table(results: Mapping[str, Result], manifest: Manifest) -> str:
    rows = [(one, _result_of(one, results)) for one in manifest.project]
    rows.sort(key=lambda row: _ORDER.index(row[1].outcome))
    counted = Counter(result.outcome for _, result in rows)
    summary = ", ".join(f"{counted[outcome]} {outcome}" for outcome in Outcome if counted[outcome])
    lines = [f"{len(rows)} projects: {summary}.", "", "| project | result | what ran | changes, data, reason |"]
    lines.append("| --- | --- | --- | --- |")
    for project, result in rows:
        cells = (_link(project, manifest), result.outcome, _ran(result), _notes(project, result, manifest))
        lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    return "\n".join([*lines, ""])


def _result_of(project: Project, results: Mapping[str, Result]) -> Result:
    if project.not_run is not None:
        return Result(project.id, Outcome.NOT_RUN, project.not_run)
    return results.get(project.id, Result(project.id, Outcome.UNTRIED))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _link(project: Project, manifest: Manifest) -> str:
    source = manifest.sources[project.source]
    path = f"{project.path}/{project.notebook or ''}".strip("/").replace(" ", "%20")
    return f"[{project.name}]({source.url}/{path})"


def _ran(result: Result) -> str:
    parts = [
        f"{one['status']}: {', '.join(_state(step) for step in one['steps'])}"
        for one in result.executions
        if one["steps"] or one["status"] != "Executing"
    ]
    outside = [f"{count}x {label}" for label, count in result.jobs.items()] if not parts else []
    versions = f"SDK {result.sdk}, Python {result.python}" if result.sdk else ""
    return "<br>".join([*_folded(parts), *outside, *filter(None, [versions])])


def _folded(parts: Sequence[str]) -> list[str]:
    return [f"{count}x {part}" if count > 1 else part for part, count in Counter(parts).items()]


def _state(step: Mapping[str, Any]) -> str:
    name = re.sub(r"-[0-9a-f]{8}-[0-9a-f-]{27}$", "", str(step["name"]))
    return name if step["status"] == "Succeeded" else f"{name} ({step['status']})"


def _notes(project: Project, result: Result, manifest: Manifest) -> str:
    used = dict.fromkeys([*project.objects.values(), *project.files.values()])
    data = (
        [manifest.data[key].origin for key in used if manifest.data[key].generator] if project.not_run is None else []
    )
    changes = [change.why for change in (*project.changes, *((project.skip,) if project.skip else ()))]
    notes = [result.reason, *(f"changed: {why}" for why in dict.fromkeys(changes)), *(f"data: {one}" for one in data)]
    return "<br>".join(filter(None, notes))


def shortened(reason: str) -> str:
    """Return a reason as one line of bounded length."""
    line = " ".join(reason.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
