"""The clone of an instance's repositories onto its volume.

Git runs in the instance's sandbox, since the volume may hold links that lead elsewhere. The password is in the memory
of the endpoint, and in a file in memory that only Git's own question for it reads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from localmaker.services.sagemaker.notebooks import inside
from localmaker.services.sagemaker.notebooks.machine import Machine, OutOfTimeError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What is there from an earlier start is kept, also a file or a link; a clone that was interrupted is not there.
_CLONE = """
cd "$1" || exit 1
[ -e "$3" ] || [ -L "$3" ] && exit 0
rm -rf -- ".clone-$3"
git -c http.followRedirects="$5" -c credential.helper= clone --quiet ${4:+--branch "$4"} -- "$2" ".clone-$3" &&
mv -T -- ".clone-$3" "$3"
"""


class CloneError(Exception):
    """A repository cannot be cloned. The message is Git's, as in AWS's FailureReason."""


@dataclass(frozen=True)
class Repository:
    """A repository to clone.

    Attributes:
        url: of it.
        branch: to check out; by default the one that the repository names.
        secret: name or ARN of a secret with its ``username`` and ``password``.
    """

    url: str
    branch: str = ""
    secret: str = ""

    @property
    def folder(self) -> str:
        """The folder on the volume: the last part of the URL, as Git names it."""
        return urlsplit(self.url).path.rstrip("/").rpartition("/")[2].removesuffix(".git")


def clone(machine: Machine, repository: Repository, secrets: Any, seconds: float) -> None:
    """Clone a repository, unless its folder is there.

    Args:
        machine: of the instance.
        repository: to clone.
        secrets: a client of Secrets Manager.
        seconds: that the clone may take.

    Raises:
        CloneError: it cannot be cloned.
        MachineEnded: the instance is being stopped, or a limit was exceeded.
    """
    check_url(repository.url)
    folder = repository.folder
    if not folder or folder.startswith("."):
        raise CloneError(f"fatal: the URL of the repository names no folder: {repository.url}")
    variables = {
        "GIT_ALLOW_PROTOCOL": urlsplit(repository.url).scheme,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    with _secret(repository, secrets) as descriptor:
        if descriptor is not None:
            variables |= {"GIT_ASKPASS": inside.ASKPASS, inside.SECRET_VARIABLE: str(descriptor)}
        # A password is for the repository's own host.
        redirects = "false" if descriptor is not None else "initial"
        words = [inside.VOLUME, repository.url, folder, repository.branch, redirects]
        command = ["/bin/bash", "-c", _CLONE, "clone", *words]
        try:
            said = machine.run_alone(command, variables, [] if descriptor is None else [descriptor], seconds)
        except OutOfTimeError:
            raise CloneError(f"fatal: the clone of {repository.url} took longer than {seconds:g} seconds") from None
    if said is not None:
        lines = said.decode(errors="replace").strip().splitlines()
        raise CloneError(next((line for line in reversed(lines) if line.startswith("fatal: ")), " ".join(lines[-1:])))


def check_url(url: str) -> None:
    """Check that a URL is one that AWS clones from, or one of this machine.

    Raises:
        CloneError: it is neither, or has a user in it, which would be stored and shown with it.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise CloneError(f"fatal: transport '{parts.scheme}' not allowed")
    if "@" in parts.netloc:
        raise CloneError("fatal: the URL of the repository must not have a user; its secret has the user")


@contextmanager
def _secret(repository: Repository, secrets: Any) -> Iterator[int | None]:
    """Give a descriptor from which user and password can be read; None without a secret."""
    if not repository.secret:
        yield None
        return
    descriptor = os.memfd_create("git")
    try:
        os.write(descriptor, _lines(secrets.get_secret_value(SecretId=repository.secret)))
        yield descriptor
    finally:
        os.close(descriptor)


def _lines(answer: Mapping[str, Any]) -> bytes:
    try:
        known = json.loads(answer["SecretString"])
        lines = [known["username"], known["password"]]
        if not all(isinstance(line, str) and line.isprintable() for line in lines):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        # Without its cause, which may show the secret.
        message = f'fatal: the secret {answer["ARN"]} must have the format {{"username": …, "password": …}}'
        raise CloneError(message) from None
    return "".join(f"{line}\n" for line in lines).encode()
