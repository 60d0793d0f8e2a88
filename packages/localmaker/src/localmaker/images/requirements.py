"""The requirements files of jobs: what may be installed from them, and with which settings of the machine's installer.

A wheel is unpacked; everything else runs code of the package to be built. So wheels of an index are installed by
default, and ``LOCALMAKER_SOURCE_PACKAGES=1`` allows the rest, which then runs in the sandbox, like the job itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from packaging.requirements import InvalidRequirement, Requirement

SOURCE_VARIABLE = "LOCALMAKER_SOURCE_PACKAGES"

_OTHER_FILES = (
    "-r",
    "-c",
    "-e",
    "--requirement",
    "--constraint",
    "--editable",
    "--find-links",
    "-f",
    ".",
    "/",
    "file:",
)
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASHES = re.compile(r"\s--hash[=\s].*$")
_URL = re.compile(r"(\w+\+)?\w+://|(\w+\+)?(file|git|ssh):", re.IGNORECASE)
_FROM_SOURCE = ("--no-binary", "--prefer-source")
_CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_INDEXES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL")
_LOOPBACK = "127.0.0.1,localhost"
# Names of pip's settings that say where packages are, as `pip config list` prints them.
_SETTINGS = {"index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "cert", "timeout", "no-index"}


@dataclass(frozen=True)
class Installer:
    """What pip needs to reach the machine's index.

    Attributes:
        variables: environment variables.
        visible: files and directories of the machine that they name.
    """

    variables: Mapping[str, str]
    visible: Sequence[Path]


def source_packages_allowed(variables: Mapping[str, str] = os.environ) -> bool:
    """Return whether jobs may build packages from source and install them from URLs."""
    return variables.get(SOURCE_VARIABLE, "").strip().lower() in ("1", "true", "yes")


def is_self_contained(requirements: str) -> bool:
    """Return whether a requirements file names packages only: no other file, no local project."""
    return not any(line.startswith(_OTHER_FILES) or " @ file:" in line for _, line in _lines(requirements))


def refusal(requirements: str) -> str | None:
    """Return why a requirements file is not installed: its first line that asks for more than wheels of an index."""
    for number, line in _lines(requirements):
        what = _beyond_wheels(line)
        if what is not None:
            return (
                f'requirements.txt, line {number}: "{_without_password(line)}" {what}. Jobs install wheels of an index '
                f"here; name one, or set {SOURCE_VARIABLE}=1 where the endpoint starts."
            )
    return None


def _lines(requirements: str) -> Iterator[tuple[int, str]]:
    """Yield the logical lines that are not empty, without comments, with the number of their first line."""
    start, whole = 1, ""
    for number, line in enumerate(requirements.splitlines(), 1):
        start = start if whole else number
        if line.endswith("\\"):
            whole += line[:-1] + " "
            continue
        text = _COMMENT.sub("", whole + line).strip()
        if text:
            yield start, text
        whole = ""
    if whole.strip():
        yield start, whole.strip()


def _beyond_wheels(line: str) -> str | None:
    if line.startswith("-"):
        return "asks for packages from source" if line.startswith(_FROM_SOURCE) else None
    try:
        url = Requirement(_HASHES.sub("", line)).url
    except InvalidRequirement:  # pip says what is wrong with it, unless it is a URL
        url = line if _URL.match(line) else None
    return None if url is None else "is a direct URL"


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]*@", "://", text)


def installer_of_jobs(machine: Mapping[str, str] = os.environ) -> Installer:
    """Return with what ``pip install`` works in a job: the machine's own variables, without passwords."""
    found = {name: machine[name] for name in _CERTIFICATES if name in machine}
    for name in (*_PROXIES, *_INDEXES):
        if name in machine:
            found[name] = " ".join(_without_user(url) for url in machine[name].split())
    return _installer(found, machine)


def installer_of_builds(machine: Mapping[str, str] = os.environ) -> Installer:
    """Return how to reach the index that the user has set up, in variables or in pip's configuration files.

    Passwords are part of it only if no code of a package runs while it is used.
    """
    if source_packages_allowed(machine):
        return installer_of_jobs(machine)
    named = {name: machine[name] for name in (*_CERTIFICATES, *_PROXIES, *_INDEXES) if name in machine}
    return _installer({**_configured(machine), **named}, machine)


def _installer(found: Mapping[str, str], machine: Mapping[str, str]) -> Installer:
    variables = {**found, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if not source_packages_allowed(machine):
        variables["PIP_ONLY_BINARY"] = ":all:"
    if any(name in found for name in _PROXIES):  # the endpoint is never behind a proxy
        around = ",".join(part for part in (machine.get("NO_PROXY") or machine.get("no_proxy"), _LOOPBACK) if part)
        variables.update(NO_PROXY=around, no_proxy=around)
    return Installer(variables, list(_local_paths(variables)))


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else url


def _configured(machine: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings from its configuration files as variables."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False, env=dict(machine)
    ).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, setting = name.partition(".")
        if section in ("global", "install") and setting in _SETTINGS:
            words = value.strip("'\"").replace("\\n", " ").split()
            found[f"PIP_{setting.upper().replace('-', '_')}"] = " ".join(words)
    return found


def _local_paths(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield what exists of the files and directories that the variables name."""
    for name in (*_CERTIFICATES, *_INDEXES):
        for word in variables.get(name, "").split():
            # The pages of an index link to files beside its directory.
            is_index = word.startswith("file://") and name != "PIP_FIND_LINKS"
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.exists():
                yield path.parent if is_index else path
