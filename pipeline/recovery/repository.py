"""The repository that an environment is restored from: cloned at a tag or commit, whoever named it.

Git is told to speak the protocol of the URL and no other, asks nobody for a password, and gets a credential from its
own helpers or from a pipe, never from the command line or a variable.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import RecoveryError
from pipeline.source_control.credential import Credential, told_to_git

TOKEN = "GIT_TOKEN"  # noqa: S105 - the variable's name
"""Variable with the token for the repository, where Git's own helpers have none."""
_LOCK = "requirements.lock"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SSH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:].*")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
_OPTIONS = ("core.hooksPath=/dev/null", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60")
_SECONDS = 1800


@dataclass(frozen=True)
class Clone:
    """A working copy at one commit."""

    folder: Path
    commit: str
    reused: bool

    def run(self, *words: str) -> int:
        """Run a command of the project as it is in the clone, by this interpreter; what it prints goes to stderr."""
        packages = [str(path / "src") for path in sorted((self.folder / "packages").glob("*"))]
        path = os.pathsep.join([str(self.folder), str(self.folder / "steps"), *packages])
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=sys.stderr.fileno(),
            check=False,
        )
        return done.returncode


def clone(
    url: str, ref: str | None, folder: Path, report: Callable[[str], None], credential: Credential | None = None
) -> Clone:
    """Clone a repository into a folder that is there whole or not at all; one that is at that commit is taken as it is.

    Raises:
        RecoveryError: the URL or the ref can't be used, there is another thing in the folder, or Git refuses.
    """
    git = Git(url, credential)
    if ref is not None and (not _REF.fullmatch(ref) or ".." in ref):
        raise RecoveryError(f"{ref!r} is no tag, branch or commit.", "Name one that `git tag` or `git log` lists.")
    if folder.exists():
        return _existing(git, ref, folder)
    report(f"Cloning {url}")
    # What one that was killed has left behind goes first.
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "--no-checkout", "--origin=origin", "--", url, str(unfinished))
        commit = _commit(git, unfinished, ref)
        git("-C", str(unfinished), "checkout", "--quiet", "--detach", commit)
        unfinished.rename(folder)
    except OSError as error:
        raise RecoveryError(f"{folder} can't be made: {error.strerror}", "Name another folder with --into.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Clone(folder, commit, reused=False)


def _existing(git: Git, ref: str | None, folder: Path) -> Clone:
    hint = "Name another folder with --into, or remove this one."
    if not (folder / ".git").is_dir():
        raise RecoveryError(f"{folder} is there, and is no clone.", hint)
    origin = git("-C", str(folder), "remote", "get-url", "origin")
    commit = git("-C", str(folder), "rev-parse", "--verify", "HEAD^{commit}")
    if origin != git.url:
        raise RecoveryError(f"{folder} is there, and is a clone of {origin}.", hint)
    if ref is not None and _commit(git, folder, ref) != commit:
        raise RecoveryError(f"{folder} is there, at commit {commit[:12]} and not at {ref}.", hint)
    if git("-C", str(folder), "status", "--porcelain"):
        raise RecoveryError(f"{folder} is there, and has changes that are not committed.", hint)
    return Clone(folder, commit, reused=True)


def _commit(git: Git, folder: Path, ref: str | None) -> str:
    """Return the commit that is meant: of a tag, a branch of the server, or the commit itself; HEAD by default."""
    words = ("-C", str(folder), "rev-parse", "--verify", "--quiet", "--end-of-options")
    names = [f"refs/tags/{ref}", f"refs/remotes/origin/{ref}", ref] if ref else ["refs/remotes/origin/HEAD", "HEAD"]
    for name in names:
        with suppress(RecoveryError):
            return git(*words, f"{name}^{{commit}}")
    if ref and _FULL_COMMIT.fullmatch(ref):
        # One that no branch has any more; servers may give it all the same.
        git("-C", str(folder), "fetch", "--quiet", "--no-tags", "origin", ref)
        return git(*words, f"{ref}^{{commit}}")
    what = f"has no tag, branch or commit {ref!r}" if ref else "is empty"
    raise RecoveryError(f"The repository {what}.", f"List its tags: git ls-remote --tags {git.url}")


class Git:
    """Git for one repository: its protocol alone, no questions, and a credential only for its own server."""

    def __init__(self, url: str, credential: Credential | None) -> None:
        """Raise RecoveryError for a URL that could run a program or show a password."""
        self.url = url
        self._protocol = _protocol(url)
        self._credential = credential if self._protocol in {"http", "https"} else None

    def __call__(self, *words: str) -> str:
        """Run git; return what it prints.

        Raises:
            RecoveryError: it failed; what it says is in the message.
        """
        variables = {
            "GIT_ALLOW_PROTOCOL": self._protocol,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            "GIT_LFS_SKIP_SMUDGE": "1",
            "LC_ALL": "C.UTF-8",
        }
        options = [word for option in _OPTIONS for word in ("-c", option)]
        given: AbstractContextManager[tuple[list[str], int | None]] = nullcontext(([], None))
        if self._credential is not None:
            given = told_to_git(self._credential, self.url)
        try:
            with given as (helper, pipe):
                asked = ["git", *options, *helper, *words]
                done = subprocess.run(
                    asked,
                    env={**os.environ, **variables},
                    pass_fds=[] if pipe is None else [pipe],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=True,
                    timeout=_SECONDS,
                )
        except subprocess.CalledProcessError as error:
            said = " ".join(line for line in error.stderr.splitlines() if not line.startswith("Cloning into"))
            raise RecoveryError(f"Git: {said.strip() or f'exit code {error.returncode}'}", _why(said)) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise RecoveryError(f"Git can't be run: {error}", "Install git, and run the same command again.") from error
        return done.stdout.strip()


def _protocol(url: str) -> str:
    """Return the protocol of a URL; raise RecoveryError for one that is not used."""
    hint = "Write https://HOST/OWNER/NAME.git, ssh://git@HOST/OWNER/NAME.git, or the path of a repository."
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RecoveryError("The URL is none: its host is not one.", hint) from error
    if url.startswith("-") or not url.isprintable():
        raise RecoveryError(f"{url!r} is no URL of a repository.", hint)
    if parts.password is not None or (parts.username and parts.scheme in {"http", "https"}):
        raise RecoveryError(
            "The URL holds a user or a password, which everybody on this machine could see.",
            f"Leave it out; give a token by Git's own credential helper, or in the variable {TOKEN}.",
        )
    if (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return parts.scheme
    if (parts.scheme == "ssh" and parts.hostname) or (_SSH.fullmatch(url) and "::" not in url):
        return "ssh"
    if parts.scheme == "file" or (not parts.scheme and Path(url).is_dir()):
        return "file"
    raise RecoveryError(f"{url!r} is not used: its protocol could run programs, or be listened to.", hint)


def _why(said: str) -> str | None:
    if "could not read Username" in said or "Authentication failed" in said or "401" in said:
        return f"Let Git's credential helper know the password (gh auth setup-git), or set {TOKEN} to a token."
    if "Failed to connect" in said or "Could not resolve" in said or "Connection" in said:
        return "Check the URL and the network, and run the same command again."
    return None


def different_libraries(folder: Path) -> list[str]:
    """Return which libraries of this environment are not those that the clone's lock names, one a line."""
    try:
        text = (folder / _LOCK).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{_LOCK} is not in the repository, so its libraries can't be compared."]
    return list(_different(text))


def _different(lock: str) -> Iterator[str]:
    # Some have a version for each version of Python.
    pins: dict[str, list[str]] = {}
    for name, pinned in _PIN.findall(lock):
        pins.setdefault(name, []).append(pinned)
    for name, versions in pins.items():
        # What only tests need may be left out.
        with suppress(PackageNotFoundError):
            if (here := version(name)) not in versions:
                yield f"{name} is {here} here, and {' or '.join(versions)} in the lock"
