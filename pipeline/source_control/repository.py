"""A repository and a branch that can be connected: everything else is refused before AWS or git see it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.errors import DeploymentError

GITHUB = "github.com"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# 1,024 are the most that SageMaker takes.
_TEXT = re.compile(r"[A-Za-z0-9:/._\[\]-]{1,1024}")
_PARTS = 2  # owner and name
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
# Of what `git check-ref-format` and SageMaker take, what needs no quoting anywhere.
_BRANCH = re.compile(r"(?!.*(\.\.|//|\.lock(/|$)|/\.|[./]$))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
#: Branches of ours, which hold what a notebook could not give back.
RESCUE = "rescue"


@dataclass(frozen=True)
class Repository:
    """The URL and branch of a repository, both harmless."""

    url: str
    branch: str

    @property
    def folder(self) -> str:
        """The folder that SageMaker clones it into."""
        return self.url.rpartition("/")[2].removesuffix(".git")

    @property
    def protocol(self) -> str:
        """What git speaks with the server."""
        return urlsplit(self.url).scheme

    @property
    def server(self) -> str:
        """Host, and port where there is one: the only server that is ever given the credential."""
        return urlsplit(self.url).netloc

    @staticmethod
    def host_of(url: str) -> str:
        """Return the host of a URL that is connected already."""
        return urlsplit(url).hostname or GITHUB

    @classmethod
    def of(cls, url: str, branch: str, git_host: str = GITHUB, *, local: bool = False) -> Repository:
        """Return the repository; on the local endpoint it may be on this machine.

        Raises:
            DeploymentError: the URL, the host or the branch is not one that can be connected.
        """
        return cls(_url(url, git_host, local=local), _branch(branch))


def _url(url: str, git_host: str, *, local: bool) -> str:
    if problem := _problem(url, git_host, local=local):
        # What is before an @ may be a password: it is not repeated.
        shown = re.sub(r"//[^/]*@", "//…@", url)[:200]
        raise DeploymentError(f"Repository {shown!r}: {problem}.", f"Write it as https://{GITHUB}/OWNER/NAME.git.")
    return url


def _problem(url: str, git_host: str, *, local: bool) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is not a URL"
    here = local and host in _LOOPBACK
    path = parts.path.removesuffix(".git").removeprefix("/").split("/")
    rules = {
        "a URL has no place for a credential, which goes into Secrets Manager": "@" not in parts.netloc,
        "it has characters that no repository's URL has, or too many": _TEXT.fullmatch(url),
        "it has to begin with https://": parts.scheme == "https" or (here and parts.scheme == "http"),
        f"its host is not {git_host}; a server of GitHub Enterprise is declared by --git-host": here
        or (host == git_host and _HOST.fullmatch(git_host) and parts.netloc == parts.netloc.lower()),
        f"{GITHUB} has no other port": port is None or host != GITHUB,
        "its path is not OWNER/NAME": (here or len(path) == _PARTS) and all(_PART.fullmatch(part) for part in path),
    }
    return next((problem for problem, holds in rules.items() if not holds), "")


def _branch(branch: str) -> str:
    if not _BRANCH.fullmatch(branch) or branch == "HEAD" or branch.partition("/")[0] == RESCUE:
        raise DeploymentError(
            f"Branch {branch[:200]!r} can't be connected.",
            f"A branch has letters, digits and ._/+- , and does not begin with {RESCUE}/.",
        )
    return branch
