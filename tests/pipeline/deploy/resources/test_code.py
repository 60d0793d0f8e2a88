"""The commit that is kept with the packed code: true, and never a reason for a difference."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.planner import apply_plan, make_plan
from pipeline.deploy.resources import code as code_module
from pipeline.deploy.resources.code import Code, git_commit

pytestmark = pytest.mark.xdist_group("deploy")
WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    asked = ["git", "-C", str(folder), *WHO, *words]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def steps(tmp_path) -> Path:
    """Return a folder of steps in a repository with one commit."""
    folder = tmp_path / "steps"
    folder.mkdir()
    (folder / "claim.py").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return folder


def test_the_commit_of_a_clean_tree(steps) -> None:
    assert git_commit(steps) == git(steps, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["claim.py", "new.py"])
def test_a_tree_with_changes_is_dirty(steps, name) -> None:
    (steps / name).write_text("2\n")
    assert git_commit(steps) == f"{git(steps, 'rev-parse', 'HEAD')}-dirty"


def test_a_folder_that_git_does_not_know(steps, tmp_path_factory) -> None:
    assert git_commit(tmp_path_factory.mktemp("outside")) is None
    ignored = steps.parent / "environment"
    ignored.mkdir()
    (ignored / "claim.py").write_text("1\n")
    (steps.parent / ".gitignore").write_text("environment/\n")
    assert git_commit(ignored) is None


def test_without_git_there_is_no_commit(steps, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit(steps) is None


def test_the_first_commit_stays_with_the_code(aws, steps, monkeypatch) -> None:
    aws.s3.create_bucket(Bucket="things-commits")
    monkeypatch.setattr(code_module, "STEPS_FOLDER", steps)
    first = git_commit(steps)
    code = Code(f"code/{'ab' * 32}", "things-commits", Bundle("ab" * 32, b"archive", b"launcher", b"functions"))
    apply_plan(make_plan([code], aws), aws)
    (steps.parent / "README").write_text("another commit, and the same code\n")
    git(steps.parent, "add", ".")
    git(steps.parent, "commit", "-q", "-m", "second")
    assert make_plan([code], aws).is_empty
    launcher = f"code/{'ab' * 32}/run.sh"
    aws.s3.delete_object(Bucket="things-commits", Key=launcher)
    apply_plan(make_plan([code], aws), aws)

    def commit_of(key: str) -> str:
        return aws.s3.head_object(Bucket="things-commits", Key=key)["Metadata"]["git-commit"]

    assert commit_of(f"code/{'ab' * 32}/sourcedir.tar.gz") == first
    assert commit_of(launcher) == git_commit(steps)
