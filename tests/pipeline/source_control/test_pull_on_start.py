"""The start script, run by bash in a notebook's home against a Git server that asks for a password."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.git_server import git
from tests.pipeline.source_control.conftest import NOTICE, PASSWORD


def test_commits_that_were_pushed_meanwhile_are_pulled(notebook, locked):
    newest = locked.commit("work", {"a.txt": "new\n", "folder/c.txt": "c\n"})
    log = notebook.start()
    assert git(notebook.clone, "rev-parse", "HEAD") == newest
    assert git(notebook.clone, "status", "--porcelain") == ""
    assert (notebook.clone / "folder" / "c.txt").read_text() == "c\n"
    assert f"Fast-forwarded main to {newest}" in log
    assert notebook.notice == ""


def test_a_start_with_nothing_new_changes_nothing(notebook, server):
    (notebook.clone / "a.txt").write_text("mine\n")
    assert "Nothing to pull" in notebook.start()
    assert notebook.rescues() == []
    assert (notebook.clone / "a.txt").read_text() == "mine\n"


def test_uncommitted_and_untracked_work_is_on_a_rescue_branch_on_github(notebook, locked):
    clone = notebook.clone
    (clone / "a.txt").write_text("staged\n")
    git(clone, "add", "a.txt")
    (clone / "a.txt").write_text("worked on\n")
    (clone / "b.txt").unlink()
    (clone / "new folder").mkdir()
    (clone / "new folder" / "ünï.ipynb").write_text("{}")
    before = git(clone, "status", "--porcelain"), (clone / ".git" / "index").read_bytes()
    locked.commit("work", {"a.txt": "theirs\n"})
    notebook.start()
    assert (git(clone, "status", "--porcelain"), (clone / ".git" / "index").read_bytes()) == before
    [name] = notebook.rescues()
    there = locked.folder / "work.git"
    assert git(there, "show", f"{name}:a.txt") == "worked on"
    assert git(there, "show", f"{name}^2:a.txt") == "staged"
    assert git(there, "ls-tree", "-r", "--name-only", "-z", name).split("\0")[:-1] == [
        "README.md",
        "a.txt",
        "new folder/ünï.ipynb",
    ]
    assert f"`{name}` (on GitHub, too)" in notebook.notice
    assert (notebook.home / "SageMaker" / NOTICE).read_text() == notebook.notice
    # Again, and nothing more is made.
    notebook.start()
    assert notebook.rescues() == [name]


def test_diverged_commits_are_on_a_rescue_branch(notebook, server):
    (notebook.clone / "a.txt").write_text("mine\n")
    git(notebook.clone, "commit", "--quiet", "--all", "--message", "Mine")
    mine = git(notebook.clone, "rev-parse", "HEAD")
    server.commit("work", {"b.txt": "theirs\n"})
    notebook.start()
    [name] = notebook.rescues()
    assert git(server.folder / "work.git", "rev-parse", name) == mine == git(notebook.clone, "rev-parse", "HEAD")
    git(notebook.clone, "merge", "--quiet", "origin/main")
    notebook.start()
    assert notebook.notice == ""


def test_a_refused_push_keeps_the_branch_here_and_says_so(notebook, server):
    (notebook.clone / "a.txt").write_text("mine\n")
    server.commit("work", {"b.txt": "theirs\n"})
    server.allows_push = False
    notebook.start()
    [name] = notebook.rescues()
    assert git(notebook.clone, "show", f"{name}:a.txt") == "mine"
    assert "only on this instance" in notebook.notice


def test_a_wrong_credential_changes_nothing_and_the_notice_says_so(notebook, locked):
    locked.commit("work", {"b.txt": "theirs\n"})
    locked.credentials = ("ada", "another one")
    notebook.start()
    assert "does not take the credential" in notebook.notice
    locked.credentials = ("ada", PASSWORD)
    assert "Fast-forwarded" in notebook.start()
    assert notebook.notice == ""
    assert (notebook.clone / "b.txt").read_text() == "theirs\n"


def test_an_ignored_file_is_not_overwritten(notebook, server):
    (notebook.clone / ".git" / "info" / "exclude").write_text("data.csv\n")
    (notebook.clone / "data.csv").write_text("mine\n")
    server.commit("work", {"data.csv": "theirs\n"})
    notebook.start()
    assert (notebook.clone / "data.csv").read_text() == "mine\n"
    assert "stands in the way" in notebook.notice


def test_hooks_and_helpers_of_the_clone_do_not_run(notebook, server, tmp_path):
    ran = tmp_path / "ran"
    hook = notebook.clone / ".git" / "hooks" / "post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    git(notebook.clone, "config", "core.fsmonitor", f"touch {ran}")
    git(notebook.clone, "config", "credential.helper", f"!cat > {ran}")
    newest = server.commit("work", {"a.txt": "new\n"})
    notebook.start()
    assert git(notebook.clone, "-c", "core.fsmonitor=false", "rev-parse", "HEAD") == newest
    assert not ran.exists()


def test_modules_in_the_clone_are_not_run_when_git_asks_for_the_credential(notebook, locked, tmp_path):
    ran = tmp_path / "ran"
    (notebook.clone / ".git" / "info" / "exclude").write_text("*.py\n")
    for name in ("json.py", "subprocess.py"):
        (notebook.clone / name).write_text(f"open({str(ran)!r}, 'w')\n")
    newest = locked.commit("work", {"a.txt": "new\n"})
    notebook.start()
    assert git(notebook.clone, "rev-parse", "HEAD") == newest
    assert not ran.exists()


def test_another_server_is_not_given_the_credential(notebook, locked, tmp_path):
    git(notebook.clone, "config", f"url.http://localhost:{locked.url.rpartition(':')[2]}/.insteadOf", f"{locked.url}/")
    locked.commit("work", {"a.txt": "new\n"})
    assert "no credential for localhost" in notebook.start()
    assert not [path for _, path, status in locked.requests if status == 200]


def test_two_starts_at_once_pull_once(notebook, server):
    newest = server.commit("work", {"a.txt": "new\n"})
    processes = [notebook.launch() for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert git(notebook.clone, "rev-parse", "HEAD") == newest
    assert git(notebook.clone, "status", "--porcelain") == ""


def test_no_clone_is_said_so(notebook):
    notebook.clone.rename(notebook.home / "elsewhere")
    notebook.start()
    assert "There is no clone" in (notebook.home / "SageMaker" / NOTICE).read_text()


def test_a_fast_forward_that_was_killed_is_finished(notebook, server):
    clone = notebook.clone
    before = git(clone, "rev-parse", "HEAD")
    after = server.commit("work", {"a.txt": "new\n", "b.txt": "new\n", "c.txt": "new\n"})
    half_way(notebook, before, after)
    log = notebook.start()
    assert f"Went on to {after} after an interruption" in log
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "rev-parse", "HEAD") == after


def test_what_was_written_after_a_killed_fast_forward_stays(notebook, server):
    clone = notebook.clone
    before = git(clone, "rev-parse", "HEAD")
    after = server.commit("work", {"a.txt": "new\n", "b.txt": "new\n", "c.txt": "new\n"})
    half_way(notebook, before, after)
    (clone / "b.txt").write_text("mine\n")
    notebook.start()
    [name] = notebook.rescues()
    assert git(clone, "show", f"{name}:b.txt") == "mine" == (clone / "b.txt").read_text().strip()
    assert git(clone, "rev-parse", "HEAD") == before


def test_an_ignored_file_in_the_way_of_a_killed_fast_forward_stays(notebook, server):
    clone = notebook.clone
    before = git(clone, "rev-parse", "HEAD")
    after = server.commit("work", {"a.txt": "new\n", "c.txt": "new\n", "data.csv": "theirs\n"})
    half_way(notebook, before, after)
    (clone / ".git" / "info" / "exclude").write_text("data.csv\n")
    (clone / "data.csv").write_text("mine\n")
    notebook.start()
    assert (clone / "data.csv").read_text() == "mine\n"
    assert git(clone, "rev-parse", "HEAD") == before
    assert notebook.notice


def test_a_branch_that_was_made_after_a_killed_fast_forward_stays(notebook, server):
    clone = notebook.clone
    before = git(clone, "rev-parse", "HEAD")
    after = server.commit("work", {"a.txt": "new\n", "c.txt": "new\n"})
    half_way(notebook, before, after)
    (clone / ".git" / "index.lock").unlink()
    git(clone, "switch", "--quiet", "--create", "mine")
    notebook.start()
    assert git(clone, "rev-parse", "mine") == before


def half_way(notebook, before, after):
    """Leave the clone as git does when it is killed among the files of a fast-forward."""
    state = notebook.clone / ".git" / "pull-on-start"
    state.mkdir()
    (state / "forwarding").write_text(f"{before} {after}\n")
    (notebook.clone / "a.txt").write_text("new\n")
    (notebook.clone / "c.txt").write_text("new\n")
    lock = notebook.clone / ".git" / "index.lock"
    lock.touch()
    long_ago = time.time() - 3600
    os.utime(lock, (long_ago, long_ago))


def test_files_too_large_for_github_are_named_and_stay(notebook, server):
    with (notebook.clone / "large `file`.bin").open("wb") as file:
        file.truncate(60 << 20)
    (notebook.clone / "small.txt").write_text("mine\n")
    server.commit("work", {"a.txt": "new\n"})
    notebook.start()
    [name] = notebook.rescues()
    assert "large" not in git(notebook.clone, "ls-tree", "--name-only", name)
    assert git(notebook.clone, "show", f"{name}:small.txt") == "mine"
    assert "Too large for it" in notebook.notice


def files_of(notebook):
    """Path → content of every file that is somebody's."""
    return {
        str(path.relative_to(notebook.clone)): path.read_bytes()
        for path in notebook.clone.rglob("*")
        if path.is_file() and ".git" not in path.parts and path.name != NOTICE
    }


def work(choose, notebook, server, number):
    """Do one thing that somebody does on the notebook, or that a colleague does elsewhere."""
    clone, path = notebook.clone, choose.choice(["a.txt", "b.txt", "new.txt", "folder/é x.txt", "ignored.csv"])
    text = f"{number} {choose.random()}\n"
    match choose.choice(["write", "write", "remove", "stage", "commit", "branch", "theirs", "theirs"]):
        case "write":
            (clone / path).parent.mkdir(exist_ok=True)
            (clone / path).write_text(text)
        case "remove":
            (clone / path).unlink(missing_ok=True)
        case "stage":
            git(clone, "add", "--all")
        case "commit":
            git(clone, "add", "--all")
            git(clone, "commit", "--quiet", "--allow-empty", "--message", text)
        case "branch":
            git(clone, "switch", "--quiet", "--create", f"branch-{number}")
        case "theirs":
            server.commit("work", {path: text})


def check_nothing_is_lost(notebook, server, before, head):
    """Check that a start left every file as it was, or brought a clean clone to the newest commit."""
    clone = notebook.clone
    newest = git(server.folder / "work.git", "rev-parse", "main")
    assert git(clone, "for-each-ref", "--contains", head)
    after = files_of(notebook)
    if git(clone, "rev-parse", "HEAD") != head:
        assert git(clone, "rev-parse", "HEAD") == newest
        assert git(clone, "status", "--porcelain") == ""
        ignored = {path for path in before if path.startswith("ignored")}
        assert {path: before[path] for path in ignored} == {path: after[path] for path in ignored}
        return
    assert after == before
    if git(clone, "merge-base", head, newest) != newest and git(clone, "status", "--porcelain"):
        kept = git(clone, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/heads/rescue")
        trees = [files_in(clone, name) for name in kept.splitlines()]
        assert {path: text for path, text in before.items() if not path.startswith("ignored")} in trees


def files_in(clone, name):
    names = [one for one in git(clone, "ls-tree", "-r", "--name-only", "-z", name).split("\0") if one]
    found = {path: (git(clone, "show", f"{name}:{path}") + "\n").encode() for path in names}
    return {path: text for path, text in found.items() if not path.startswith("ignored")}


@pytest.mark.randomised("seeds")
def test_no_byte_is_ever_lost(notebook, server, seed):
    choose = random.Random(seed)
    (notebook.clone / ".git" / "info" / "exclude").write_text("ignored.csv\n")
    for number in range(4):
        for _ in range(choose.randrange(1, 5)):
            work(choose, notebook, server, number * 10 + choose.randrange(10**6))
        server.allows_push = choose.random() < 0.7
        before, head = files_of(notebook), git(notebook.clone, "rev-parse", "HEAD")
        notebook.start()
        check_nothing_is_lost(notebook, server, before, head)


@pytest.mark.randomised("kills")
def test_a_killed_start_loses_nothing_and_the_next_one_goes_on(notebook, server, seed):
    choose = random.Random(seed)
    if choose.random() < 0.5:
        (notebook.clone / "b.txt").write_text("mine\n")
    before, head = files_of(notebook), git(notebook.clone, "rev-parse", "HEAD")
    newest = server.commit("work", {"a.txt": "new\n", **{f"{number}.txt": "new\n" * 1000 for number in range(200)}})
    process = notebook.launch()
    time.sleep(choose.uniform(0.1, 1.5))
    notebook.kill()
    process.wait()
    for lock in (notebook.clone / ".git").rglob("*.lock"):
        long_ago = time.time() - 3600
        os.utime(lock, (long_ago, long_ago))
    if "b.txt" in git(notebook.clone, "status", "--porcelain"):
        assert files_of(notebook) == before
    notebook.start()
    if before["b.txt"] == b"mine\n":
        check_nothing_is_lost(notebook, server, before, head)
    else:
        assert git(notebook.clone, "rev-parse", "HEAD") == newest or notebook.notice
