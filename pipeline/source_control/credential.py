"""The credential of a Git server: read without showing it, and tried without a trace.

It is never an argument, in the environment of a process that we start, in a file or in a message.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import DeploymentError, InputFileError

#: What GitHub takes as user beside a token.
_USER = "x-access-token"
_SECONDS = 60
_LARGEST = 65536


@dataclass(frozen=True)
class Credential:
    """User and password, or token; neither is shown by ``repr``."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def secret_string(self) -> str:
        """Return it as SageMaker reads it."""
        return json.dumps({"username": self.user, "password": self.password})


def credential_of(text: str, source: str) -> Credential:
    """Read a token, or JSON with ``username`` and ``password``; ``source`` is where it comes from.

    Raises:
        InputFileError: it is neither; the message has nothing of it.
    """
    text = text.strip()
    user, password = _USER, text
    if text.startswith("{"):
        try:
            document = json.loads(text)
            user, password = document["username"], document["password"]
        except (ValueError, KeyError, TypeError):
            user = password = ""
    if not all(isinstance(one, str) and re.fullmatch(r"[\x21-\x7e]{1,4096}", one) for one in (user, password)):
        raise InputFileError(
            f"The credential in {source} is neither a token nor JSON with username and password.",
            'Write the token alone, or {"username": "…", "password": "…"}.',
        )
    return Credential(user, password)


def credential_from_file(path: Path) -> Credential:
    """Read a credential from a file that is the user's alone.

    Raises:
        InputFileError: it can't be read, others may read it, or it holds no credential.
    """
    try:
        with path.open("rb") as stream:
            others = os.fstat(stream.fileno()).st_mode & 0o077
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise InputFileError(f"{path} can't be read: {error.strerror}.", "Correct the path.") from error
    if others:
        raise InputFileError(f"{path} can be read by others.", f"chmod 600 {path}")
    return credential_of(content[:_LARGEST].decode("utf-8", "replace"), str(path))


def credential_from_variable(name: str) -> Credential:
    """Read a credential from an environment variable, and remove it from what our children get.

    Raises:
        InputFileError: there is no such variable, or it holds no credential.
    """
    text = os.environ.pop(name, None)
    if text is None:
        raise InputFileError(f"There is no environment variable {name}.", "Set it, or correct the name.")
    return credential_of(text, name)


@contextmanager
def told_to_git(credential: Credential, url: str) -> Iterator[tuple[list[str], int]]:
    """Give the options with which git takes a credential for a URL's server and no other, and the pipe it comes from.

    The pipe can be read once, by the process that has it among its ``pass_fds``.
    """
    parts = urlsplit(url)
    helper = f"credential.{parts.scheme}://{parts.netloc}.helper"
    reading, writing = os.pipe()
    try:
        os.write(writing, f"username={credential.user}\npassword={credential.password}\n\n".encode())
        os.close(writing)
        # By its path: not every shell reads from descriptors of two digits.
        answer = f'!f() {{ test "$1" = get && cat /dev/fd/{reading}; }}; f'
        # An empty helper first forgets those of the user's configuration.
        yield ["-c", f"{helper}=", "-c", f"{helper}={answer}"], reading
    finally:
        os.close(reading)


def try_credential(url: str, branch: str, credential: Credential) -> str | None:
    """Ask the Git server for a branch with the credential; return what could not be told, None where all is well.

    git reads the credential from a pipe when the server asks for it; one that the server leads to does not get it.

    Raises:
        DeploymentError: the server does not take the credential, has no such branch, or was not reached.
    """
    with told_to_git(credential, url) as (options, pipe):
        done = _ask_for(url, branch, options, pipe)
        untried = bool(os.read(pipe, 1))
    if done.returncode == 0 and not done.stdout.strip():
        raise DeploymentError(f"{url} has no branch {branch}.", "Push it first, or name another one (--branch).")
    if done.returncode != 0:
        why = done.stderr.strip().splitlines()[-1:] or ["git gave no reason"]
        raise DeploymentError(
            f"{url} did not take the credential: {_without(credential, why[0])}",
            "Check that the token is valid, and may read (and write, for rescue branches) this repository.",
        )
    return f"{url} lets everybody read, so the credential was not tried." if untried else None


def _ask_for(url: str, branch: str, options: list[str], pipe: int) -> subprocess.CompletedProcess[str]:
    settings = {
        "credential.helper": "",
        "core.askPass": "",
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "protocol.http.allow": "always" if url.startswith("http:") else "never",
    }
    options = [*(part for name, value in settings.items() for part in ("-c", f"{name}={value}")), *options]
    command = ["git", *options, "ls-remote", "--quiet", "--", url, f"refs/heads/{branch}"]
    # Traces would show it.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_"))}
    clean["GIT_TERMINAL_PROMPT"] = "0"
    try:
        with tempfile.TemporaryDirectory() as folder:  # no repository's configuration is read there
            return subprocess.run(
                command,
                cwd=folder,
                env={**clean, "GIT_CEILING_DIRECTORIES": folder, "LC_ALL": "C"},
                pass_fds=[pipe],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
    except FileNotFoundError as error:
        raise DeploymentError(
            "git is not installed here.", "Install it: the credential is tried before it is used."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DeploymentError(f"{url} did not answer within {_SECONDS} seconds.", "Check the network.") from error


def _without(credential: Credential, text: str) -> str:
    """Return what a server says without the credential, which it may send back, or control characters."""
    for value in (credential.password, credential.user):
        text = text.replace(value, "…")
    return re.sub(r"[^\x20-\x7e]", "?", text)[:300]
