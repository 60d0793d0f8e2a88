"""Another moto than the tested one is noticed at the start, wherever the endpoint reaches into it."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import moto
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import localmaker
from localmaker.errors import MotoVersionError
from localmaker.moto_patches.manifest import PLACES, TESTED, verify
from localmaker.moto_patches.places import ABSENT, Place

_HERE = Path(__file__).parent
_PACKAGE = Path(localmaker.__file__).parent
_PROJECT = _HERE.parents[1]

_WITHOUT_A_PLACE = """
import moto.sqs.models
del moto.sqs.models.Queue._set_attributes
"""


def _run(program: Path) -> object:
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def messages() -> dict[str, list[str]]:
    """Collect the messages for each place: when it is gone, and when it is something else."""
    found = _run(_HERE / "changed_moto.py")
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path)
def test_a_changed_place_is_named(place: Place, messages: dict[str, list[str]]) -> None:
    for message in messages[place.path]:
        assert f" {place.path} is " in message
        assert f" instead of {place.look}" in message
        assert "\n" not in message
        assert f"Install one: pip install 'moto[server]{TESTED}'." in message


def test_a_version_that_is_far_off_is_named_in_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "difference", lambda place: f"{place.path} is absent instead of {place.look}")
    with pytest.raises(MotoVersionError, match=f"; and {len(PLACES) - 8} more") as refused:
        verify()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("module", ["moto.sqs.models", "moto.no_such_module"])
def test_a_place_without_its_class_is_noticed(module: str) -> None:
    place = Place(module, "NoSuchClass.member", ABSENT, "state", "adds it", is_replaced=True)
    assert place.difference() == f"{place.path} is gone with its module or class instead of absent"


def test_a_missing_dependency_of_moto_is_no_change_of_moto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_another.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    place = Place("needs_another", "Class.member", ABSENT, "state", "adds it", is_replaced=True)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        place.difference()


def test_every_replaced_place_is_in_the_manifest() -> None:
    assert _run(_HERE / "replaced_places.py") == sorted(place.path for place in PLACES if place.is_replaced)


def test_every_import_from_moto_is_in_the_manifest() -> None:
    """Or something that belongs to it: without it, the endpoint would not even be imported."""
    imported = {
        f"{node.module}.{name.name}"
        for file in _PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "moto"
        for name in node.names
    }
    known = [place.path for place in PLACES]
    assert [one for one in imported if not any(path == one or path.startswith(f"{one}.") for path in known)] == []


def test_places_are_named_once() -> None:
    assert [path for path, times in Counter(place.path for place in PLACES).items() if times > 1] == []


@pytest.mark.parametrize("user", sorted({place.used_by for place in PLACES}))
def test_the_users_of_places_exist(user: str) -> None:
    assert importlib.util.find_spec(f"localmaker.{user}") is not None


def test_the_package_requires_the_tested_range() -> None:
    project = tomllib.loads((_PROJECT / "pyproject.toml").read_text())["project"]
    required = {found.name: found.specifier for found in map(Requirement, project["dependencies"])}
    assert required["moto"] == SpecifierSet(TESTED)
    assert moto.__version__ in SpecifierSet(TESTED)


def test_import_without_a_place() -> None:
    program = f"{_WITHOUT_A_PLACE}import localmaker.endpoint"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("localmaker.errors.MotoVersionError: moto ")
    assert "moto.sqs.models.Queue._set_attributes is absent instead of (self, attributes, now=)" in last


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("mode", [[], ["--detach"]], ids=["foreground", "background"])
def test_up_without_a_place(mode: list[str], tmp_path: Path) -> None:
    # Loaded by every Python that starts with it, so in the background process, too.
    (tmp_path / "sitecustomize.py").write_text(_WITHOUT_A_PLACE)
    state = str(tmp_path / "state")
    done = subprocess.run(
        [sys.executable, "-m", "localmaker", "up", "--port", "0", "--state-dir", state, *mode],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 8
    [line] = done.stderr.splitlines()
    assert line.startswith("error: moto ")
    assert "moto.sqs.models.Queue._set_attributes is absent" in line
    assert "Traceback" not in done.stdout
