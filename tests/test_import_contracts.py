"""Plant forbidden imports in a copy of the sources, and see import contracts break and circles found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
from grimp import build_graph

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "scripts",
    "pipeline",
    "steps/analysis",
    "packages/localmaker/src/localmaker",
    "packages/pipedef/src/pipedef",
)
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
Plant = Callable[[str, str], None]


def forbidden_imports(contract: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every pair of modules between which a contract forbids an import: (importer, imported)."""
    if contract["type"] == "forbidden":
        yield from (
            (source, target) for source in contract["source_modules"] for target in contract["forbidden_modules"]
        )
    elif contract["type"] == "layers":
        for container in contract.get("containers", [""]):
            layers = [
                [f"{container}.{room.strip()}".strip(".") for room in layer.split("|")] for layer in contract["layers"]
            ]
            for above, below in combinations(layers, 2):
                yield from ((low, high) for low in below for high in above)
            for layer in layers:
                yield from permutations(layer, 2)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Copy the packages side by side, with the settings of the import linter."""
    for source in SOURCES:
        target = tmp_path / Path(source).name
        shutil.copytree(ROOT / source, target, ignore=lambda folder, names: _no_module(Path(folder), names))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _no_module(folder: Path, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or ((folder / name).is_file() and not name.endswith(".py"))]


@pytest.fixture(params=["import", "type-only import"])
def plant(sources: Path, request: pytest.FixtureRequest) -> Plant:
    """Write an import into a module, as a plain one or for type checkers only."""
    guard = "import typing\nif typing.TYPE_CHECKING:\n    " if request.param == "type-only import" else ""

    def write(importer: str, imported: str) -> None:
        path = sources.joinpath(*importer.split("."))
        with (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).open("a") as file:
            file.write(f"\n{guard}import {imported}\n")

    return write


def run(sources: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(sources), "COLUMNS": "400"}
    return subprocess.run(
        [sys.executable, *command], cwd=sources, env=environment, capture_output=True, text=True, check=False
    )


def lint(sources: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return run(sources, "-c", program, "--no-cache", "--no-logo")


def find_circles(sources: Path) -> subprocess.CompletedProcess[str]:
    return run(sources, str(ROOT / "tests" / "import_circles.py"))


def test_the_copy_keeps_every_contract_and_has_no_circle(sources: Path) -> None:
    linted = lint(sources)
    assert f"{len(CONTRACTS)} kept, 0 broken" in linted.stdout, linted.stdout
    assert find_circles(sources).stdout.startswith("0 circles")


@pytest.mark.parametrize("name", [name for name, one in CONTRACTS.items() if one["type"] != "acyclic_siblings"])
def test_every_forbidden_import_breaks_its_contract(name: str, sources: Path, plant: Plant) -> None:
    planted = set(forbidden_imports(CONTRACTS[name]))
    for importer, imported in planted:
        plant(importer, imported)
    reported = re.findall(r"^- +(\S+) -> (\S+) \(l\.", broken(lint(sources), name), re.MULTILINE)
    assert planted <= set(reported)


@pytest.mark.parametrize("package", [Path(source).name for source in SOURCES])
def test_an_import_that_closes_a_circle_is_found(package: str, sources: Path, plant: Plant) -> None:
    imported, importer = import_between_rooms(package)
    plant(importer, imported)
    found = find_circles(sources)
    assert found.returncode == 1
    assert f"\n  {importer} -> {imported}\n" in found.stdout
    for name, contract in CONTRACTS.items():
        if package in contract.get("ancestors", []):
            assert f"No cycles are allowed in {package}" in broken(lint(sources), name)


def import_between_rooms(package: str) -> tuple[str, str]:
    """Return an import of one room of a package by another: (importer, imported)."""
    graph = build_graph(package, cache_dir=None)
    found = (
        (one, other) for one in graph.modules - {package} for other in graph.find_modules_directly_imported_by(one)
    )
    return min((one, other) for one, other in found if one.split(".")[1:2] != other.split(".")[1:2])


def broken(linted: subprocess.CompletedProcess[str], name: str) -> str:
    """Return what the linter says of a contract, which must be broken."""
    assert linted.returncode == 1, linted.stdout
    assert f"\n{name} BROKEN" in linted.stdout
    report = linted.stdout.partition("Broken contracts")[2].partition(f"\n{name}\n---")[2]
    return re.split(r"\n.+\n-{3,}\n", report)[0]


def test_a_package_may_import_its_modules_and_they_may_not_import_it_back(sources: Path, plant: Plant) -> None:
    plant("pipedef.document", "pipedef.document.values")
    assert find_circles(sources).returncode == 0
    plant("pipedef.document.values", "pipedef.document")
    assert "  pipedef.document.values -> pipedef.document\n" in find_circles(sources).stdout
