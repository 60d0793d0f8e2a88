"""Cloning the repository, from a real Git server that may be down, ask for a password or be somebody's trap."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from pipeline.errors import RecoveryError
from pipeline.recovery.repository import TOKEN, clone, different_libraries
from pipeline.source_control.credential import Credential
from tests.git_server import GitServer, git, git_server
from tests.pipeline.source_control.test_credential import Watch

SECRET = "s3cr3t-t0ken-of-a-repository"


def silent(_: str) -> None:
    """Report nothing."""


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[GitServer]:
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    with git_server(tmp_path / "served") as found:
        yield found


@pytest.fixture(autouse=True)
def served(tmp_path) -> None:
    (tmp_path / "served").mkdir()


@pytest.fixture
def project(server) -> tuple[str, list[str]]:
    """URL of a repository with a tag at its first commit of three, and its commits."""
    url = server.create("project")
    commits = [server.commit("project", {"file.txt": str(number)}) for number in range(2)]
    git(server.folder / "project.git", "tag", "v1", commits[0])
    commits.append(server.commit("project", {"file.txt": "2"}))
    return url, commits


def test_tag_commit_branch_and_the_newest(project, tmp_path) -> None:
    url, commits = project
    for name, ref, commit in (
        ("tag", "v1", commits[0]), ("commit", commits[1], commits[1]), ("short", commits[1][:8], commits[1]),
        ("branch", "main", commits[2]), ("newest", None, commits[2]),
    ):  # fmt: skip
        found = clone(url, ref, tmp_path / name, silent)
        assert (found.commit, found.reused) == (commit, False), name
        assert (tmp_path / name / "file.txt").read_text() == str(commits.index(commit))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "served") == [
        "branch", "commit", "newest", "short", "tag"
    ]  # fmt: skip


def test_a_clone_is_taken_as_it_is_and_another_folder_is_not(project, server, tmp_path) -> None:
    url, commits = project
    folder = tmp_path / "clone"
    clone(url, "v1", folder, silent)
    assert clone(url, "v1", folder, silent).reused
    assert clone(url, None, folder, silent).commit == commits[0]
    with pytest.raises(RecoveryError, match=f"at commit {commits[0][:12]} and not at main"):
        clone(url, "main", folder, silent)
    server.create("other")
    with pytest.raises(RecoveryError, match="is a clone of"):
        clone(f"{server.url}/other.git", None, folder, silent)
    (folder / "file.txt").write_text("mine")
    with pytest.raises(RecoveryError, match="changes that are not committed"):
        clone(url, "v1", folder, silent)
    (tmp_path / "mine").mkdir()
    with pytest.raises(RecoveryError, match="is no clone"):
        clone(url, "v1", tmp_path / "mine", silent)


@pytest.mark.parametrize("ref", ["--upload-pack=touch x", "-x", "a..b", "a b", "", "v1^{/x}", "refs:x", "v2", "f" * 40])
def test_a_wrong_ref_is_refused_and_leaves_nothing(project, tmp_path, ref) -> None:
    with pytest.raises(RecoveryError):
        clone(project[0], ref, tmp_path / "clone", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["served"]


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned", "--upload-pack=touch pwned", "-u", "git://example.com/x", "http://example.com/x.git",
        "https://user:password@example.com/x.git", "https://token@example.com/x.git", "fd::17", "ssh::x", "\nhttps://x",
        "https://[x",
        "-oProxyCommand=touch pwned:x", "user@-oProxyCommand=x:y", "nowhere", "ftp://example.com/x", "remote-ext::x",
    ],
)  # fmt: skip
def test_a_hostile_url_is_refused_before_git_runs(url, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no git
    with pytest.raises(RecoveryError) as refused:
        clone(url, None, tmp_path / "clone", silent)
    assert "Git" not in refused.value.message
    assert "password" not in refused.value.message.replace("user or a password", "")


def test_a_server_that_leads_to_another_protocol_is_not_followed(project, server, tmp_path, monkeypatch) -> None:
    # What a repository names as submodules is not fetched, and a redirection keeps the protocol.
    server.commit("project", {".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch pwned"\n'})
    monkeypatch.chdir(tmp_path)
    clone(project[0], None, tmp_path / "clone", silent)
    assert not (tmp_path / "pwned").exists()


def test_a_server_that_is_down_and_a_repository_that_is_not_there(project, server, tmp_path) -> None:
    with pytest.raises(RecoveryError, match="not found"):
        clone(f"{server.url}/nothing.git", None, tmp_path / "clone", silent)
    with pytest.raises(RecoveryError, match="Check the URL and the network"):
        clone("http://127.0.0.1:9/project.git", None, tmp_path / "clone", silent)
    with pytest.raises(RecoveryError, match="is empty"):
        clone(server.create("empty"), None, tmp_path / "clone", silent)


def test_a_password_comes_from_a_pipe_and_no_process_shows_it(project, server, tmp_path, monkeypatch) -> None:
    server.credentials = ("x-access-token", SECRET)
    with pytest.raises(RecoveryError, match=TOKEN):
        clone(project[0], None, tmp_path / "clone", silent)
    with pytest.raises(RecoveryError, match=TOKEN) as refused:
        clone(project[0], None, tmp_path / "clone", silent, Credential("x-access-token", "another"))
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "commands"))  # of every process that git starts
    with Watch(SECRET) as watch:
        clone(project[0], None, tmp_path / "clone", silent, Credential("x-access-token", SECRET))
    assert watch.looked
    assert watch.found == []
    commands = (tmp_path / "commands").read_text()
    assert "credential" in commands
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "served" not in path.parts]
    assert SECRET.encode() not in b"".join(written)
    assert SECRET not in str(refused.value)


def test_a_clone_that_was_killed_is_made_anew(project, tmp_path) -> None:
    program = (
        "import sys, pathlib\nfrom pipeline.recovery.repository import clone\n"
        "clone(sys.argv[1], 'v1', pathlib.Path(sys.argv[2]), print)\n"
    )
    # git itself, put in front of the real one: it kills whoever has started it once it has cloned.
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "git"
    fake.write_text(f'#!/bin/sh\n{shutil.which("git")} "$@" || exit\nkill -9 $PPID\n')
    fake.chmod(0o755)
    variables = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "clone"
    done = subprocess.run([sys.executable, "-c", program, project[0], str(folder)], env=variables, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not folder.exists()
    assert clone(project[0], "v1", folder, silent).commit == project[1][0]
    assert not list(tmp_path.glob(".clone*"))


def test_libraries_that_differ_from_the_lock_are_named(tmp_path) -> None:
    assert "is not in the repository" in different_libraries(tmp_path)[0]
    here = version("pydantic")
    (tmp_path / "requirements.lock").write_text(
        f"pydantic=={here} \\\n    --hash=sha256:00\nrich==0.1 ; python_version < '3.12' \\\n    --hash=sha256:00\n"
        f"rich==0.2 ; python_version >= '3.12'\nnobody-has-this==1.0\ntyper=={version('typer')}\n"
    )
    assert different_libraries(tmp_path) == [f"rich is {version('rich')} here, and 0.1 or 0.2 in the lock"]
