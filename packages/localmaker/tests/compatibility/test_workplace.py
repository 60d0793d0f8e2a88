"""A project's copy, changes and data come from a repository at a commit."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from compatibility.manifest import Change, Manifest
from compatibility.workplace import (
    ChangeError,
    MissingSourceError,
    contents,
    environment_name,
    lay_out,
    place_objects,
)
from tests.compatibility.test_manifest import SMALL

from localmaker.daemon import EndpointHandle

pytestmark = pytest.mark.usefixtures("image")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    repository = tmp_path / "sources" / "owner" / "name"
    (repository / "  odd folder").mkdir(parents=True)
    (repository / "  odd folder" / "program.py").write_text("version = '1.0-1'\n", encoding="utf-8")
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "c"]):
        subprocess.run([*git, *arguments], check=True)
    return tmp_path / "sources"


@pytest.fixture
def manifest(sources: Path) -> Manifest:
    head = ["git", "-C", str(sources / "owner" / "name"), "rev-parse", "HEAD"]
    commit = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    text = SMALL.replace("0123456789" * 4, commit).replace('path = ""', 'path = "  odd folder"')
    own = '[data.own]\norigin = "own"\nsource = "one"\npath = "  odd folder/program.py"\n'
    return Manifest.model_validate(tomllib.loads(text + own))


def test_a_copy_has_the_changes_and_the_files(manifest: Manifest, sources: Path, tmp_path: Path) -> None:
    change = Change(file="program.py", find="1.0-1", replace="1.7-1", why="newer")
    project = manifest.project[0].model_copy(update={"changes": (change,), "files": {"data/t.csv": "table"}})
    folder = lay_out(project, manifest, sources, tmp_path / "copy")
    assert (folder / "program.py").read_text(encoding="utf-8") == "version = '1.7-1'\n"
    assert (folder / "data" / "t.csv").read_bytes() == contents(manifest.data["table"], manifest, sources)


def test_a_change_that_does_not_apply_is_an_error(manifest: Manifest, sources: Path, tmp_path: Path) -> None:
    change = Change(file="program.py", find="2.0", replace="1.7-1", why="newer")
    with pytest.raises(ChangeError, match="0 times"):
        lay_out(manifest.project[0].model_copy(update={"changes": (change,)}), manifest, sources, tmp_path / "copy")


def test_a_missing_repository_says_what_to_clone(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(MissingSourceError, match=r"clone https://github\.com/owner/name there"):
        lay_out(manifest.project[0], manifest, tmp_path, tmp_path / "copy")


def test_data_of_a_source_are_its_file(manifest: Manifest, sources: Path) -> None:
    assert contents(manifest.data["own"], manifest, sources) == b"version = '1.0-1'\n"


def test_public_objects_are_the_endpoints(
    manifest: Manifest, sources: Path, endpoint: EndpointHandle, unique: str
) -> None:
    s3 = endpoint.client("s3")
    project = manifest.project[0].model_copy(update={"objects": {f"{unique}/a/b": "own"}, "buckets": (f"{unique}-x",)})
    place_objects(s3, project, manifest, sources)
    assert s3.get_object(Bucket=unique, Key="a/b")["Body"].read() == b"version = '1.0-1'\n"
    s3.head_bucket(Bucket=f"{unique}-x")


@pytest.mark.parametrize(
    ("requirement", "file"), [("-r requirements.txt", "requirements.txt"), (".", "setup.py"), (".", "sub/module.py")]
)
def test_an_environment_is_built_anew_when_what_is_installed_has_changed(
    manifest: Manifest, tmp_path: Path, requirement: str, file: str
) -> None:
    project = manifest.project[0].model_copy(update={"requirements": (requirement,)})
    (tmp_path / file).parent.mkdir(exist_ok=True)
    names = []
    for content in ("one", "one", "two"):
        (tmp_path / file).write_text(content, encoding="utf-8")
        names.append(environment_name(project, tmp_path))
    assert names[0] == names[1] != names[2]
