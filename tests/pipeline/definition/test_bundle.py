"""The bundle: the same files give the same hash, any change gives another."""

import io
import os
import shutil
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.shipped import declaration_file
from pipeline.definition.bundle import build_bundle, bundled_files
from pipeline.settings.contract import Function
from pipeline.step_code import STEPS_FOLDER


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "steps"
    shutil.copytree(STEPS_FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def names(bundle):
    with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as archive:
        return archive.getnames()


def files(bundle):
    with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive.getmembers()}


def test_times_owners_modes_and_caches_do_not_count(copy):
    before = build_bundle(folder=copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(0o600)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "train.cpython-312.pyc").write_bytes(b"x")
    (copy / ".hidden.py").write_text("x = 1")
    assert build_bundle(folder=copy).sha256 == before.sha256
    assert build_bundle(folder=copy).archive == before.archive
    assert build_bundle(folder=copy).functions == before.functions


def test_each_file_counts(copy):
    before = build_bundle(folder=copy).sha256
    for path in bundled_files(copy):
        original = path.read_bytes()
        path.write_bytes(original + b"\n")
        assert build_bundle(folder=copy).sha256 != before, path
        path.write_bytes(original)
    assert build_bundle(folder=copy).sha256 == before


def test_the_archive_holds_scripts_and_shared_code_at_its_root():
    found = names(build_bundle())
    assert {
        "train.py",
        "preprocess.py",
        "inference.py",
        "run.sh",
        "requirements.txt",
        "analysis/dataset/declaration.py",
        "dataset.toml",
    } <= set(found)
    assert found == sorted(found)
    assert not any(name.startswith(("/", "tests", ".")) for name in found)


def test_the_bundle_of_a_data_set_differs_in_its_declaration_alone():
    bikes, wine = (files(build_bundle(name)) for name in ("bike_sharing", "red_wine"))
    assert {name for name in {*bikes, *wine} if bikes.get(name) != wine.get(name)} == {"dataset.toml"}
    assert wine["dataset.toml"] == declaration_file("red_wine").read_bytes()
    assert build_bundle("red_wine").sha256 != build_bundle("bike_sharing").sha256
    assert build_bundle("red_wine").functions_key == build_bundle("bike_sharing").functions_key


def test_the_functions_have_an_archive_of_their_own(copy):
    before = build_bundle(folder=copy)
    assert before.functions_key.startswith("code/functions/")
    with zipfile.ZipFile(io.BytesIO(before.functions)) as archive:
        found = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {*(function.script for function in Function), "analysis/runtime/upload.py"} <= set(found)
    assert not [name for name in found if name.startswith(("train", "analysis/reading", "analysis/checking"))]
    (copy / "train.py").write_text("# another one")
    changed = build_bundle(folder=copy)
    assert changed.sha256 != before.sha256
    assert changed.functions_key == before.functions_key
    (copy / "claim.py").write_text("# another one")
    assert build_bundle(folder=copy).functions_key != before.functions_key


def test_links_do_not_travel(copy, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("password = 'x'")
    (copy / "link.py").symlink_to(secret)
    assert "link.py" not in names(build_bundle(folder=copy))


@given(content=st.dictionaries(st.from_regex(r"[a-z]{1,8}\.py", fullmatch=True), st.binary(max_size=50), max_size=5))
def test_the_hash_is_a_function_of_names_and_bytes(tmp_path_factory, content):
    hashes = set()
    for order in (sorted(content), sorted(content, reverse=True)):
        folder = tmp_path_factory.mktemp("steps")
        (folder / "run.sh").write_text("#!/bin/bash\n")
        for function in Function:
            (folder / function.script).write_text("")
        for name in order:
            (folder / name).write_bytes(content[name])
        hashes.add(build_bundle(folder=folder).sha256)
    assert len(hashes) == 1
