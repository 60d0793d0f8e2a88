"""The manifest of strangers' projects: what it refuses, and how executions are compared with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from compatibility.manifest import Execution, Manifest, read_manifest
from pydantic import ValidationError

FOLDER = Path(__file__).parents[2] / "compatibility"
SMALL = """
[sources.one]
repository = "owner/name"
commit = "0123456789012345678901234567890123456789"

[data.table]
origin = "generated"
generator = "german_credit"

[[project]]
id = "small"
name = "Small"
source = "one"
path = ""
commands = [["true"]]
objects = { "bucket/key" = "table" }
"""


def test_the_manifest_is_read_and_what_it_names_exists() -> None:
    manifest = read_manifest(FOLDER / "projects.toml")
    tables = [FOLDER / project.images for project in manifest.project if project.images]
    assert tables
    for table in tables:
        images = tomllib.loads(table.read_text(encoding="utf-8"))["image"]
        assert [image["lock"] for image in images if not (FOLDER / image["lock"]).exists()] == []


def test_a_project_that_runs_says_what_should_come_of_it() -> None:
    """The exception is one that makes neither an execution nor a job."""
    silent = [
        project.id
        for project in read_manifest(FOLDER / "projects.toml").project
        if not (project.not_run or project.refused or project.execution or project.jobs)
    ]
    assert silent == ["v3-registry", "v3-lineage"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('commands = [["true"]]', "", "either a notebook or commands"),
        ('commands = [["true"]]', 'commands = [["true"]]\nrefused = "EMR"', "a refused project has a reason"),
        ('"table" }', '"other" }', "unknown source one or data"),
        ('source = "one"', 'source = "two"', "unknown source two"),
        ('generator = "german_credit"', 'source = "one"', "either a source and a path in it, or a generator"),
        ("path =", "folder =", "folder"),
    ],
)
def test_mistakes_are_refused(old: str, new: str, problem: str) -> None:
    assert Manifest.model_validate(tomllib.loads(SMALL)).project[0].id == "small"
    with pytest.raises(ValidationError, match=problem):
        Manifest.model_validate(tomllib.loads(SMALL.replace(old, new)))


def test_a_name_is_given_once() -> None:
    again = SMALL + SMALL[SMALL.index("[[project]]") :]
    with pytest.raises(ValidationError, match="more than one project is called small"):
        Manifest.model_validate(tomllib.loads(again))


@pytest.mark.parametrize(
    ("status", "steps", "matches"),
    [
        ("Succeeded", {"generate-1a": "Succeeded", "reduce": "Succeeded"}, True),
        ("Failed", {"generate-1a": "Succeeded", "reduce": "Succeeded"}, False),
        ("Succeeded", {"generate-1a": "Succeeded"}, False),
        ("Succeeded", {"generate-1a": "Succeeded", "reduce": "Succeeded", "more": "Succeeded"}, False),
        ("Succeeded", {"generate-1a": "Failed", "reduce": "Succeeded"}, False),
        ("Failed", {"Fail": "Failed"}, True),
    ],
)
def test_an_execution_is_compared_step_by_step(status: str, steps: dict[str, str], matches: bool) -> None:
    expected = Execution(steps=("generate-*", "reduce"), otherwise=Execution(status="Failed", failed=("Fail",)))
    assert expected.matches(status, steps) is matches


def test_a_name_with_a_star_counts_as_often_as_it_is_there() -> None:
    expected = Execution(steps=("generate-*", "generate-*"))
    assert expected.matches("Succeeded", {"generate-1": "Succeeded", "generate-2": "Succeeded"})
    assert not expected.matches("Succeeded", {"generate-1": "Succeeded"})
