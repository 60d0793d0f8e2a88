"""The project's own name stands in one place, and a copy that is renamed there works under its new name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from analysis.runtime.project import DISTRIBUTION, NAME

ROOT = Path(__file__).resolve().parents[1]
#: The name itself; what Python and administrators name by it; the format of model files; where data come from.
PLACES = {
    "steps/analysis/runtime/project.py",
    "pyproject.toml",
    "pipeline/settings/environments/prod.toml",
    "steps/analysis/model/artefact.py",
    "scripts/fetch_data.py",
}
NEW = "wines"


def sources(folder: Path) -> list[Path]:
    """Return the files whose text is the template's: no documents, no tests, no declarations."""
    parts = [*(folder / name for name in ("pipeline", "steps", "scripts", ".github")), folder / "Makefile"]
    files = [file for part in parts for file in ([part] if part.is_file() else part.rglob("*"))]
    return [file for file in (*files, folder / "pyproject.toml") if file.is_file() and "__pycache__" not in file.parts]


def test_the_name_stands_in_one_place() -> None:
    found = {
        file.relative_to(ROOT).as_posix()
        for file in sources(ROOT)
        if re.search(NAME, file.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    assert found == PLACES


def test_python_names_the_command_and_the_distribution_likewise() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    assert project["scripts"] == {NAME: "pipeline.cli:main"}


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, renamed by the command of the page for contributors."""
    folder = tmp_path_factory.mktemp("renamed")
    for name in ("pipeline", "steps", "datasets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    command = re.search(rf"^sed -i 's/{NAME}/{NEW}/' .+$", page, re.MULTILINE)
    assert command is not None
    subprocess.run(["bash", "-c", command[0]], cwd=folder, check=True)
    return folder


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """Run the command as the script that pyproject.toml names would."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((name, entry),) = project["scripts"].items()
    module, _, function = entry.partition(":")
    program = f"import sys; sys.argv[0] = {name!r}; from {module} import {function}; {function}()"
    environment = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_renamed_copy_speaks_of_itself(renamed: Path) -> None:
    said = run(renamed, "--help")
    assert f"Usage: {NEW} " in said
    assert NAME not in said


@pytest.mark.slow
def test_a_renamed_copy_compiles_and_is_valid(renamed: Path) -> None:
    definition = run(renamed, "synth", "training", WINES_ACCOUNT_ID="111122223333", WINES_DATASET="red_wine")
    assert "arn:aws:iam::111122223333:role/redwine-local-" in definition
    assert NAME not in definition
    assert json.loads(definition)["Version"]
    assert "No problem found" in run(renamed, "validate")
