"""Hostile URLs and branches."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DeploymentError
from pipeline.settings.environment import load_settings
from pipeline.source_control.pull import LARGEST_SCRIPT, pull_script
from pipeline.source_control.repository import Repository

GOOD = "https://github.com/acme/bikes.git"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://github.com/acme/bikes", "https"),
        ("git@github.com:acme/bikes.git", "https"),
        ("ssh://git@github.com/acme/bikes", "no place for a credential"),
        ("file:///etc/passwd", "https"),
        ("ext::sh -c id", "characters"),
        ("https://github.com.evil.example/acme/bikes", "host"),
        ("https://evil.example/github.com/bikes", "host"),
        ("https://GitHub.com/acme/bikes", "host"),
        ("https://github.com:8443/acme/bikes", "port"),
        ("https://github.com:port/acme/bikes", "not a URL"),
        ("https://ada:token@github.com/acme/bikes", "no place for a credential"),
        ("https://github.com/acme", "OWNER/NAME"),
        ("https://github.com/acme/../bikes", "OWNER/NAME"),
        ("https://github.com/acme/-bikes", "OWNER/NAME"),
        ("https://github.com/acme/.git", "OWNER/NAME"),
        ("https://github.com/acme/bikes/tree/main", "OWNER/NAME"),
        ("https://github.com/acme/bikes?x=1", "characters"),
        ("https://github.com/acme/bikes#x", "characters"),
        ("https://github.com/acme/$(id)", "characters"),
        ("https://github.com/acme/bikes\n", "characters"),
        ("https://github.com/acme/bïkes", "characters"),
        ("https://github.com/acme/%2e%2e", "characters"),
        ("http://127.0.0.1:3000/acme/bikes", "https"),
        ("https://127.0.0.1/acme/bikes", "host"),
        ("", "characters"),
    ],
)
def test_a_url_that_is_not_github_is_refused_and_no_password_repeated(url, reason):
    with pytest.raises(DeploymentError, match=reason) as error:
        Repository.of(url, "main")
    assert "token" not in str(error.value)


@pytest.mark.parametrize(
    "branch",
    [
        *("", "-x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.lock", "a/", "a//b", "/a", "a."),
        *(".a", "HEAD", "a@{0}", "a\nb", "$(id)", "a;b", "'a'", "rescue/x", "é", "a" * 201),
    ],
)
def test_a_branch_that_git_or_a_shell_would_misread_is_refused(branch):
    with pytest.raises(DeploymentError, match="can't be connected"):
        Repository.of(GOOD, branch)


def test_github_a_declared_server_and_this_machine_are_taken():
    assert Repository.of(GOOD, "feature/x-1").folder == "bikes"
    assert Repository.of("https://git.acme.example/a/b", "main", "git.acme.example").server == "git.acme.example"
    assert Repository.of("http://127.0.0.1:3000/a.git", "main", local=True).folder == "a"


_TEXT = st.text(alphabet="abAB01._-/+ $;'\"\\`\n@:é", max_size=12)


@given(_TEXT, _TEXT)
def test_what_is_taken_needs_no_quotes_in_a_shell(path, branch):
    try:
        found = Repository.of(f"https://github.com/acme/{path}", branch)
    except DeploymentError:
        return
    assert [shlex.quote(one) for one in (found.url, found.branch, found.folder)] == [
        found.url,
        found.branch,
        found.folder,
    ]


def test_the_script_is_bash_and_fits():
    repository = Repository.of(f"https://github.com/{'o' * 200}/{'n' * 200}", "b" * 200)
    script = pull_script(load_settings("local"), repository, "n" * 63)
    assert len(script.encode()) <= LARGEST_SCRIPT
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
