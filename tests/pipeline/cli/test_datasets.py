"""`bikeshare dataset draft` and `check`: what they print, write and refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WINE = ROOT / "datasets" / "red_wine.toml"
WINE_TABLE = ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv"


def run(*arguments: str | Path, code: int = 0, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "dataset", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "towns.csv"
    rows = [f"{'north' if n % 3 else 'south'};{n * 7 % 61},5;{100 + n * n % 89}" for n in range(60)]
    path.write_text("\n".join(["land;area [km²];income", *rows]) + "\n", encoding="utf-8")
    return path


def test_from_a_file_to_a_checked_declaration(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "towns.toml"
    said = run("draft", table, "-o", path, "--name", "towns").stderr
    marks = path.read_text(encoding="utf-8").count("\n# review: ")
    assert marks > 5
    assert said.splitlines() == [
        f"{table}: 60 rows, 3 columns; target: income, key: none, time: none.",
        f"{marks} guesses are marked '# review:'. Look at each, then run: bikeshare dataset check {path} {table}",
    ]
    assert run("check", path, table).stdout.splitlines() == [
        f"{path}: towns, 3 columns, target income, profiles: forecast.",
        f"{table}: 60 rows, 3 of these columns; to train on, or to score.",
        "  land: category",
        "  area [km²]: measure",
        "  income: count",
        "  Columns are separated by semicolons.",
        "  Numbers have a decimal comma in area [km²].",
    ]
    assert run("draft", table, "--name", "towns").stdout == path.read_text(encoding="utf-8")
    refused = run("draft", table, "-o", path, code=7).stderr
    assert re.search(r"towns\.toml is there already", refused)


def test_what_a_file_would_meet(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "towns.toml"
    run("draft", table, "-o", path)
    other = tmp_path / "other.csv"
    other.write_text("LAND,x\neast,1\nsouth,2\n", encoding="utf-8")
    done = run("check", path, other, code=7)
    assert done.stdout.splitlines()[1:] == [
        f"{other}: 1 of these columns; only to score.",
        "  land: category, called 'LAND'",
        "  ignored: x",
    ]
    assert done.stderr.strip() == (f"error: {other} would be refused: line 1, column area [km²]: the column is missing")
    found = json.loads(run("check", path, other, "--json", code=7).stdout)
    assert (found["name"], found["file"]["unknown"], found["file"]["scores_only"]) == ("towns", ["x"], True)


def test_a_wrong_declaration_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "wine.toml"
    path.write_text(WINE.read_text(encoding="utf-8").replace("\ntitle", "\ntitel"), encoding="utf-8")
    assert run("check", path, code=7).stderr.splitlines() == [
        f"error: 2 problems in {path}",
        f"{path}:1: title: is missing",
        f"{path}:3: titel: unknown field; did you mean title?",
        "  → docs/declaration.md explains every field.",
    ]
    assert json.loads(run("check", path, "--json", code=7).stdout)["problems"] == [
        {"line": 1, "field": "title", "message": "is missing"},
        {"line": 3, "field": "titel", "message": "unknown field; did you mean title?"},
    ]
    assert json.loads(run("check", WINE, "--json").stdout) == {"problems": [], "name": "redwine", "file": None}


def test_the_page_for_strangers_is_right_about_draft_and_check(tmp_path: Path) -> None:
    """The wine table as its publishers have it: names in quotes, semicolons."""
    if not WINE_TABLE.exists():
        pytest.skip(f"{WINE_TABLE} is not here")
    header, *rows = WINE_TABLE.read_text(encoding="utf-8").splitlines()
    lines = [";".join(f'"{name}"' for name in header.split(",")), *(row.replace(",", ";") for row in rows)]
    (tmp_path / "wine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "datasets").mkdir()
    page = (ROOT / "docs" / "make-it-yours.md").read_text(encoding="utf-8")
    commands = re.findall(r"^bikeshare dataset ([^#\n]+)", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["draft", "check", "check"]
    printed = [run(*command.split(), cwd=tmp_path).stdout for command in commands]
    assert printed[1] == "datasets/wine.toml: wine, 12 columns, target quality, profiles: forecast.\n"
    assert "wine.csv: 1599 rows, 12 of these columns; to train on, or to score.\n" in printed[2]
    assert "# review: " in (tmp_path / "datasets" / "wine.toml").read_text(encoding="utf-8")
