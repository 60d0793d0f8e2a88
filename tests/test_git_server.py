"""The Git server that other tests use: real clones, pushes, passwords and refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.git_server import git, git_server


def test_clone_push_and_pull(tmp_path: Path) -> None:
    with git_server(tmp_path) as server:
        url = server.create("project")
        first = server.commit("project", {"README.md": "one\n"}, "First")
        git(tmp_path, "clone", "--quiet", url, "clone")
        clone = tmp_path / "clone"
        assert git(clone, "rev-parse", "HEAD") == first
        (clone / "more.txt").write_text("x\n" * 200_000, encoding="utf-8")
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--message", "More")
        git(clone, "push", "--quiet", "origin", "main")
        last = server.commit("project", {"README.md": "two\n"})
        git(clone, "pull", "--quiet")
        assert git(clone, "rev-parse", "HEAD") == last


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    with git_server(tmp_path, credentials=("ada", "s3cret")) as server:
        url = server.create("project")
        server.commit("project", {"README.md": "one\n"})
        with pytest.raises(subprocess.CalledProcessError):
            git(tmp_path, "clone", "--quiet", url, "clone")
        git(tmp_path, "clone", "--quiet", url.replace("://", "://ada:s3cret@"), "clone")
        assert {status for _, _, status in server.requests} == {200, 401}


def test_pushes_can_be_refused(tmp_path: Path) -> None:
    with git_server(tmp_path) as server:
        url = server.create("project")
        server.commit("project", {"README.md": "one\n"})
        git(tmp_path, "clone", "--quiet", url, "clone")
        server.allows_push = False
        with pytest.raises(subprocess.CalledProcessError):
            git(tmp_path / "clone", "push", "--quiet", "origin", "HEAD:other")
