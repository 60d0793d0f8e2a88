"""How pip reaches the machine's index: in builds of environments, and in jobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from localmaker.images.requirements import source_packages_allowed

_CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_INDEXES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL")
_WITH_PASSWORDS = (*_PROXIES, *_INDEXES, "PIP_PROXY")
_LOOPBACK = "127.0.0.1,localhost"
# Names of pip's settings that say where packages are, as `pip config list` prints them.
_SETTINGS = {"index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "cert", "timeout", "no-index"}
_ADDRESS = re.compile(r"((?:[\w+.-]+:)?//)?([^/?#]*)(.*)", re.DOTALL)
_HOST = re.compile(r"([^:\[\]]*|\[[^\]]*\])(:\d*)?")
_LINK = re.compile(r"""href\s*=\s*["']?([^"'#>\s]+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Installer:
    """What pip needs to reach the machine's index.

    Attributes:
        variables: environment variables.
        visible: files and directories of the machine that they name.
    """

    variables: Mapping[str, str]
    visible: Sequence[Path]


def installer_of_jobs(machine: Mapping[str, str] = os.environ, *, private: Sequence[Path] = ()) -> Installer:
    """Return with what ``pip install`` works in a job: the machine's own variables, without passwords and folders.

    Args:
        machine: environment variables.
        private: directories of which nothing is shown, besides the home directory as a whole.
    """
    found = {name: machine[name] for name in _CERTIFICATES if name in machine}
    for name in (*_PROXIES, *_INDEXES):
        words = [word for word in machine.get(name, "").split() if name in _PROXIES or _is_remote(word)]
        if words:
            found[name] = " ".join(words)
    return _installer(_without_passwords(found), machine, private)


def installer_of_builds(
    machine: Mapping[str, str] = os.environ, *, passwords: bool = True, private: Sequence[Path] = ()
) -> Installer:
    """Return how to reach the index that the user has set up, in variables or in pip's configuration files.

    Args:
        machine: environment variables.
        passwords: keep passwords; they are never kept if code of packages runs.
        private: directories of which nothing is shown, besides the home directory as a whole.
    """
    named = {name: machine[name] for name in (*_CERTIFICATES, *_PROXIES, *_INDEXES) if name in machine}
    found = {**_configured(machine), **named}
    keep = passwords and not source_packages_allowed(machine)
    return _installer(found if keep else _without_passwords(found), machine, private)


def _installer(found: Mapping[str, str], machine: Mapping[str, str], private: Sequence[Path]) -> Installer:
    variables = {**found, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if not source_packages_allowed(machine):
        variables["PIP_ONLY_BINARY"] = ":all:"
    if any(name in found for name in _PROXIES):  # the endpoint is never behind a proxy
        around = ",".join(part for part in (machine.get("NO_PROXY") or machine.get("no_proxy"), _LOOPBACK) if part)
        variables.update(NO_PROXY=around, no_proxy=around)
    shown = [path for path in _local_paths(variables) if path.exists() and _may_be_shown(path, private)]
    return Installer(variables, list(dict.fromkeys(shown)))


def _without_passwords(found: Mapping[str, str]) -> dict[str, str]:
    return {
        name: " ".join(_without_user(word) for word in value.split()) if name in _WITH_PASSWORDS else value
        for name, value in found.items()
    }


def _without_user(url: str) -> str:
    """Return a URL, or a proxy without a scheme, without what comes before the host (RFC 3986, section 3.2.1)."""
    match = _ADDRESS.fullmatch(url)
    if match is None or _path(url) is not None:
        return url
    start, authority, rest = match[1] or "", match[2], match[3]
    if "@" in rest and not _HOST.fullmatch(authority.rpartition("@")[2]):  # a password with a slash in it
        authority, rest = authority + rest, ""
    return start + authority.rpartition("@")[2] + rest


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


def _is_remote(word: str) -> bool:
    return urlsplit(word).scheme.lower() in ("http", "https")


def _path(word: str) -> Path | None:
    """Return the path that a word names, also as a ``file:`` URL; None if it is neither."""
    if word.lower().startswith("file:"):
        word = url2pathname(urlsplit(word).path)
    return Path(word) if word.startswith("/") and not word.startswith("//") else None


def _local_paths(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files and directories that the variables name, and where the pages of local indexes link to."""
    for name in (*_CERTIFICATES, *_INDEXES):
        for word in variables.get(name, "").split():
            path = _path(word)
            if path is None:
                continue
            yield path
            if name in _INDEXES and name != "PIP_FIND_LINKS":
                yield from _linked_folders(path)


def _linked_folders(index: Path) -> set[Path]:
    """Return the directories of the wheels and archives beside an index that its pages link to."""
    links = {
        urljoin(page.as_uri(), unescape(link))
        for page in index.glob("*/index.html")
        for link in _LINK.findall(page.read_text(encoding="utf-8", errors="replace"))
    }
    files = (_path(link) for link in links)
    folders = {file.parent for file in files if file is not None and file.name.endswith((".whl", ".tar.gz", ".zip"))}
    return {folder for folder in folders if not folder.is_relative_to(index)}


def _may_be_shown(path: Path, private: Sequence[Path]) -> bool:
    """Return whether a path shows neither a home directory as a whole nor anything private."""
    real, home = path.resolve(), Path.home().resolve()
    if real.is_dir() and home.is_relative_to(real):
        return False
    hidden = [folder.resolve() for folder in private]
    return not any(folder.is_relative_to(real) or real.is_relative_to(folder) for folder in hidden)
