"""Compiled definitions are kept by the content of what they are made from."""

from __future__ import annotations

import ast
import dataclasses
import shutil
from pathlib import Path

import pytest

import pipeline
from pipeline.definition.bundle import Bundle
from pipeline.deploy import compiled
from pipeline.settings.environment import load_settings

BUNDLE = Bundle("ab" * 32, b"archive", b"launcher", b"functions")


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    """Return a list of what was compiled, and use a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def compile_(settings, bundle, flow):
        made.append(flow)
        return f"{flow} of {settings.environment} with {bundle.sha256}, é\n"

    monkeypatch.setattr(compiled, "_compile", compile_)
    return made


def test_the_second_time_nothing_is_compiled(compilations):
    settings = load_settings("dev")
    first = compiled.compiled_definitions(settings, BUNDLE, ("training", "scoring"))
    assert compiled.compiled_definitions(settings, BUNDLE, ("training", "scoring")) == first
    assert compilations == ["training", "scoring"]


def test_another_input_is_another_definition(compilations):
    settings = load_settings("dev")
    for one, bundle in [
        (settings, BUNDLE),
        (settings.model_copy(update={"project": "other"}), BUNDLE),
        (settings, dataclasses.replace(BUNDLE, sha256="cd" * 32)),
    ]:
        compiled.compiled_definitions(one, bundle, ("training",))
    assert len(compilations) == 3


def test_a_changed_source_is_another_definition(compilations, monkeypatch, tmp_path):
    shutil.copytree(Path(pipeline.__file__).parent, tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(pipeline, "__file__", str(tmp_path / "pipeline" / "__init__.py"))
    settings = load_settings("dev")
    digests = [compiled.input_digest(settings, BUNDLE, "training")]
    for source in ("definition/training.py", "definition/sdk.py", "settings/contract.py"):
        with (tmp_path / "pipeline" / source).open("a") as file:
            file.write("#\n")
        digests.append(compiled.input_digest(settings, BUNDLE, "training"))
    assert len(set(digests)) == len(digests)


def test_each_part_of_the_sdk_that_a_definition_imports_counts():
    parts = set()
    for source in (Path(pipeline.__file__).parent / "definition").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sagemaker."):
                parts.add("-".join(str(node.module).split(".")[:2]))
    assert parts
    assert parts <= set(compiled.PACKAGES)


@pytest.mark.parametrize("damage", [b"", b"half", b"\xff\xfe", b"0" * 64 + b"\nother text"])
def test_a_damaged_entry_is_compiled_again(compilations, damage):
    settings = load_settings("dev")
    first = compiled.compiled_definitions(settings, BUNDLE, ("training",))
    (entry,) = compiled.cache_folder().iterdir()
    entry.write_bytes(damage)
    assert compiled.compiled_definitions(settings, BUNDLE, ("training",)) == first
    assert compiled.compiled_definitions(settings, BUNDLE, ("training",)) == first
    assert compilations == ["training", "training"]


def test_a_cache_that_can_not_be_written_costs_only_time(compilations, tmp_path, caplog):
    (tmp_path / "bikeshare").write_text("in the way")
    settings = load_settings("dev")
    first = compiled.compiled_definitions(settings, BUNDLE, ("training",))
    assert compiled.compiled_definitions(settings, BUNDLE, ("training",)) == first
    assert compilations == ["training", "training"]
    assert "the next command compiles again" in caplog.text


def test_old_entries_are_removed(compilations, monkeypatch):
    monkeypatch.setattr(compiled, "_KEPT", 2)
    settings = load_settings("dev")
    for number in range(4):
        compiled.compiled_definitions(settings.model_copy(update={"project": f"p{number}"}), BUNDLE, ("training",))
    assert len(list(compiled.cache_folder().iterdir())) == 2


def test_the_sources_are_all_that_a_definition_imports():
    folder = Path(pipeline.__file__).parent
    rooms, packages = set(), set()
    for room in compiled.SOURCES:
        for source in (folder / room).glob("*.py"):
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    package, _, room_below = node.module.partition(".")
                    packages.add(package)
                    if package == "pipeline":
                        rooms.add(room_below.split(".")[0])
    # Errors say what is wrong and change no definition; of the language only its version counts.
    # Where the step scripts are changes none either: what they are is part of the bundle's hash.
    # A declaration is in the bundle, too.
    assert rooms - {"errors", "step_code", "datasets"} == set(compiled.SOURCES)
    # What is read from the step scripts is part of their hash.
    assert not packages & {"localmaker", "scripts"}
