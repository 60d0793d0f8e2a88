"""What is concluded from a run, and how the page shows it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from compatibility.manifest import Manifest, Project, read_manifest
from compatibility.observing import SeenExecution, SeenStep
from compatibility.results import Outcome, Result, judge, read_results, render, write_results
from tests.compatibility.test_manifest import FOLDER, SMALL

PROJECT = Project(
    id="one",
    name="One",
    source="one",
    path="",
    commands=(("true",),),
    execution=({"steps": ("Train",)},),  # type: ignore[arg-type]
    jobs={"processing": 1},
)
REFUSED = Project(
    id="two", name="Two", source="one", path="", commands=(("true",),), refused="EMR", reason="no EMR clusters"
)


def seen(status: str, **steps: str | None) -> SeenExecution:
    """Return an execution; a step's value is its failure."""
    states = [SeenStep(name, "Failed" if failure else "Succeeded", failure) for name, failure in steps.items()]
    return SeenExecution("arn", "pipeline", 0.0, status, None, states)


@pytest.mark.parametrize(
    ("error", "executions", "jobs", "outcome", "reason"),
    [
        ("", [seen("Succeeded", Train=None)], {"processing Completed": 1}, Outcome.WHOLE, ""),
        ("", [seen("Succeeded", Train=None)], {}, Outcome.FAILED, "instead of {'processing': 1}"),
        ("", [], {}, Outcome.FAILED, "0 executions instead of 1"),
        ("", [seen("Failed", Train="no such image")], {}, Outcome.FAILED, "Train: no such image"),
        ("", [seen("Executing")], {}, Outcome.FAILED, "not as expected: Executing"),
        ("it ended with 1", [seen("Succeeded", Train=None)], {}, Outcome.FAILED, "it ended with 1"),
    ],
)
def test_a_run_is_judged(
    error: str, executions: list[SeenExecution], jobs: dict[str, int], outcome: Outcome, reason: str
) -> None:
    found = judge(PROJECT, error, executions, jobs, "")
    assert found[0] is outcome
    assert reason in found[1]


@pytest.mark.parametrize(
    ("error", "log", "outcome"),
    [
        ("ended with 1", "a step of type EMR", Outcome.REFUSED),
        ("ended with 1", "no such file", Outcome.FAILED),
        ("", "a step of type EMR", Outcome.FAILED),
    ],
)
def test_a_refusal_is_one_only_if_it_was_said(error: str, log: str, outcome: Outcome) -> None:
    assert judge(REFUSED, error, [], {}, log)[0] is outcome


def test_results_survive_being_written_and_fill_the_marked_part_of_a_page(tmp_path: Path) -> None:
    manifest = Manifest.model_validate(tomllib.loads(SMALL))
    steps = [{"name": "generate-0d3bc4ef-6a52-4a33-9f4b-e3df84b6d3a1", "status": "Succeeded", "failure": None}]
    executions = [{"pipeline": "p", "status": "Succeeded", "failure": None, "steps": steps}] * 2
    result = Result("small", Outcome.FAILED, "a | b", 3, "3.10", "2.257.7", executions, {"training Completed": 2})
    write_results(tmp_path / "results" / "r.json", {"small": result, "gone": result}, manifest)
    again = read_results(tmp_path / "results" / "r.json")
    assert again == {"small": result}
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- projects -->\nold\n<!-- /projects -->\nbelow\n", encoding="utf-8")
    render(page, again, manifest)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "1 projects: 1 failed." in text
    row = next(line for line in text.splitlines() if line.startswith("| [Small]"))
    assert "2x Succeeded: generate<br>SDK 2.257.7, Python 3.10" in row
    assert r"a \| b<br>data: generated" in row


def test_the_page_shows_the_results(tmp_path: Path) -> None:
    page = FOLDER.parent / "docs" / "compatibility.md"
    copy = tmp_path / "page.md"
    copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    manifest = read_manifest(FOLDER / "projects.toml")
    render(copy, read_results(FOLDER / "results" / "projects.json"), manifest)
    assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_a_project_without_a_result_is_in_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- projects -->\n<!-- /projects -->\n", encoding="utf-8")
    render(page, {}, Manifest.model_validate(tomllib.loads(SMALL)))
    assert "1 projects: 1 not tried yet." in page.read_text(encoding="utf-8")
