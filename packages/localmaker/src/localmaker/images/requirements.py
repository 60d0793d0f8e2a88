"""The requirements files of jobs: what may be installed from them.

A wheel is unpacked; everything else runs code of the package to be built. So wheels of an index are installed by
default, and ``LOCALMAKER_SOURCE_PACKAGES=1`` allows the rest, which then runs in the sandbox, like the job itself.

pip gets a file that is written here from what was understood, never the job's text: the two may be read differently.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from localmaker.errors import LocalmakerError

SOURCE_VARIABLE = "LOCALMAKER_SOURCE_PACKAGES"

# What makes pip read another file; short options may be followed by their value at once.
_OTHER_FILES = (
    "-r",
    "-c",
    "-e",
    "-f",
    "--requirement",
    "--constraint",
    "--editable",
    "--find-links",
    ".",
    "/",
    "file:",
)
_COMMENT = re.compile(r"(^|\s+)#.*$")
_URL = re.compile(r"[\w+.-]+://|(\w+\+)?(file|git|ssh):", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.(whl|zip|egg|tar|tgz|tbz|txz|tlz|(tar\.)?(gz|bz2|xz|lz|lzma))$", re.IGNORECASE)
# An arbitrary version (PEP 440, "===") may hold slashes, and pip would take the whole for a path.
_PACKAGE = re.compile(r"[\w.,<>=!~*+\[\]-]+")
_HASH = re.compile(r"\s--hash[=\s]\s*((?:sha256|sha384|sha512):[0-9a-f]+)(?=\s|$)")
_FLAGS = ("--no-index", "--pre", "--prefer-binary", "--require-hashes", "--only-binary=:all:")
_INDEX = re.compile(r"(-i|--index-url|--extra-index-url)[=\s]\s*(https?://[^\s\"'\\#$]+)", re.IGNORECASE)
_TRUSTED = re.compile(r"--trusted-host[=\s]\s*([\w.-]+(:\d+)?)")


class RefusedRequirementsError(LocalmakerError):
    """A requirements file asks for more than wheels of an index."""


@dataclass(frozen=True)
class Requirements:
    """What was understood of a requirements file.

    Attributes:
        text: a file for pip.
        names_index: it says where packages are, or whom to trust, so that the machine's passwords are not for it.
    """

    text: str
    names_index: bool


def source_packages_allowed(variables: Mapping[str, str] = os.environ) -> bool:
    """Return whether jobs may build packages from source and install them from URLs."""
    return variables.get(SOURCE_VARIABLE, "").strip().lower() in ("1", "true", "yes")


def is_self_contained(requirements: str) -> bool:
    """Return whether a requirements file names packages only: no other file, no local project."""
    return not any(_names_file(line) for _, line in _lines(requirements))


def read(requirements: str) -> Requirements:
    """Return what pip may install from a requirements file: packages of an index, with hashes, and where to look.

    Options stand alone on their line and in full: ``--index-url`` (``-i``), ``--extra-index-url``, ``--trusted-host``,
    ``--no-index``, ``--pre``, ``--prefer-binary``, ``--only-binary=:all:`` and ``--require-hashes``.

    Raises:
        RefusedRequirementsError: a line asks for anything else.
    """
    lines, names_index = [], False
    for number, line in _lines(requirements):
        text, refused = _option(line) if line.startswith("-") else _requirement(line)
        if "${" in line:
            refused = "names a variable"
        if refused is not None:
            raise RefusedRequirementsError(
                f'requirements.txt, line {number}: "{_without_password(line)}" {refused}. Jobs install wheels of an '
                f"index here; name one, or set {SOURCE_VARIABLE}=1 where the endpoint starts."
            )
        lines.append(text)
        names_index = names_index or text.startswith(("--index", "--extra-index", "--trusted"))
    return Requirements("".join(f"{line}\n" for line in lines), names_index)


def brought(requirements: str, wheels: Sequence[Path]) -> bool | None:
    """Return whether a job's wheels are all that its requirements ask for by hash; None where nothing can be said.

    Then an environment of these requirements has the same content as one that is installed from these wheels.
    """
    wanted = [set(_HASH.findall(line)) for _, line in _lines(requirements) if not line.startswith("-")]
    if not wheels or not all(wanted):
        return None
    found = {_digest(wheel) for wheel in wheels}
    return all(digests & found for digests in wanted)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _lines(requirements: str) -> Iterator[tuple[int, str]]:
    """Yield the logical lines that are not empty, without comments, with the number of their first line.

    As pip does, see its page "Requirements File Format": lines are joined first, but a comment line never goes on.
    """
    start, parts = 1, list[str]()
    for number, line in enumerate([*requirements.splitlines(), ""], 1):
        start = start if parts else number
        comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        text = _COMMENT.sub("", "".join([*parts, " " if comment else "", line])).strip()
        if text:
            yield start, text
        parts = []


def _names_file(line: str) -> bool:
    if line.startswith(_OTHER_FILES):
        return True
    if line.startswith("-"):
        return "file:" in line.lower()
    name = line.split(";", maxsplit=1)[0].strip()
    return "@ file:" in line or (_URL.match(line) is None and " " not in name and _FILE_NAME.search(name) is not None)


def _option(line: str) -> tuple[str, str | None]:
    """Return an option as pip gets it, and why it is refused, if it is."""
    index, trusted = _INDEX.fullmatch(line), _TRUSTED.fullmatch(line)
    if index is not None:
        return f"{'--index-url' if index[1] == '-i' else index[1]} {index[2]}", None
    if trusted is not None:
        return f"--trusted-host {trusted[1]}", None
    flag = re.sub(r"^--only-binary\s+", "--only-binary=", line)
    return flag, None if flag in _FLAGS else "is no option of these, alone on its line: " + ", ".join(
        ("--index-url", "--extra-index-url", "--trusted-host", *_FLAGS)
    )


def _requirement(line: str) -> tuple[str, str | None]:
    """Return a requirement as pip gets it, and why it is refused, if it is."""
    if _URL.match(line):
        return "", "is a direct URL"
    try:
        found = Requirement(_HASH.sub("", line))
    except InvalidRequirement:
        return "", "is no requirement"
    if found.url is not None:
        return "", "is a direct URL"
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    package = f"{canonicalize_name(found.name)}{extras}{found.specifier}"
    text = f"{package} ; {found.marker}" if found.marker else package
    # pip looks for options in markers, too.
    if _FILE_NAME.search(found.name) or not _PACKAGE.fullmatch(package) or " -" in text:
        return "", "is no requirement"
    return " ".join([text, *(f"--hash={digest}" for digest in _HASH.findall(line))]), None


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]*@", "://", text)
