"""The table of images: which local environment replaces a container image."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError

DEFAULT_TABLE = Path(__file__).with_name("images.toml")
DEFAULT_IMAGE = "sagemaker-scikit-learn:1.9-0-cpu-py3"
DEFAULT_RUNTIME = "python3.12"
#: The oldest Python of the AWS SDK that functions get.
_OLDEST_OF_THE_SDK = "3.10"
_TAG = re.compile(r":(?P<version>\d+(\.\d+)+)(-.*?py(?P<major>\d)(?P<minor>\d*))?")
OWN_TABLE_NAME = "images.toml"
OWN_TABLE_VARIABLE = "LOCALMAKER_IMAGES"


class ImageTableError(LocalmakerError):
    """The table of images cannot be read, or an entry in it is incomplete."""


class UnknownImageError(LocalmakerError):
    """No entry of the table matches an image. The message ends with the lines to add, which are TOML.

    Attributes:
        lines: to add to the file. They name the scikit-learn image's libraries, whose versions may differ.
    """

    def __init__(self, uri: str, table: Path | None, entry: Mapping[str, str]) -> None:
        self.lines = ("[[image]]", *(f"{name} = {_toml(value)}" for name, value in entry.items()))
        place = str(table) if table else f"a file and name it in the environment variable {OWN_TABLE_VARIABLE}"
        super().__init__(
            f"no local environment stands in for the image {uri}. Add these lines to {place} (they name the "
            "scikit-learn image's libraries; name a lock file of your own for others):\n" + "\n".join(self.lines)
        )


@dataclass(frozen=True)
class ImageMapping:
    """One entry of the table.

    Attributes:
        pattern: shell-style pattern of image URIs.
        lock: requirements file with hashes.
        python: the image's Python version, ``major.minor``.
        environment: variables that the image sets.
        source: requirements file with hashes of packages that are built from source.
        original: versions of Python and of packages in the image, where an environment may have others.
        modules: folder of modules that the image has and no index holds.
        tag: the package whose version the image's tag begins with.
        train: program that trains where a job brings none, for an image with an algorithm of its own. Its folder comes
            along.
        serve: the module that serves what this program has trained.
        metrics: regular expression for the lines in which it reports metrics, with the groups ``channel``, ``metric``
            and ``value``.
    """

    pattern: str
    lock: Path
    python: str
    environment: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None
    original: Mapping[str, str] = field(default_factory=dict)
    modules: Path | None = None
    tag: str | None = None
    train: Path | None = None
    serve: Path | None = None
    metrics: re.Pattern[str] | None = None


def find_image(uri: str, state_dir: Path | None = None) -> ImageMapping:
    """Find the entry for an image URI.

    Args:
        uri: of the image.
        state_dir: of the endpoint; a table of the user's own in it takes precedence.

    Raises:
        UnknownImageError: there is none.
        ImageTableError: a table is not readable.
    """
    own = _own_table(state_dir)
    tables = [own, DEFAULT_TABLE] if own is not None and (own.exists() or _is_named(own)) else [DEFAULT_TABLE]
    for mapping in (mapping for table in tables for mapping in read_table(table)):
        if fnmatch.fnmatchcase(uri, mapping.pattern):
            return replace(mapping, original={**_versions_in(uri, mapping.tag), **mapping.original})
    default = find_image(DEFAULT_IMAGE)
    name = glob.escape(uri.rsplit("/", 1)[-1].split("@", 1)[0])
    entry = {"pattern": f"*{name}*", "lock": str(default.lock), "python": default.python}
    raise UnknownImageError(uri, own, entry)


def _versions_in(uri: str, package: str | None) -> Mapping[str, str]:
    """Return the versions of a package and of Python that a tag such as ``2.6.0-cpu-py312`` names, if it does."""
    found = None if package is None else _TAG.search(uri)
    if package is None or found is None:
        return {}
    python = {"python": f"{found['major']}.{found['minor']}"} if found["minor"] else {}
    return {package: found["version"], **python}


def function_runtime(name: str) -> ImageMapping:
    """Return the environment of a Lambda runtime such as ``python3.12``: its Python with the AWS SDK and no more.

    A runtime that is too old for today's AWS SDK, such as the ``python3.8`` of SDK v2's ``Lambda``, has the default's.
    """
    version = name.removeprefix("python")
    oldest, asked = (tuple(int(part) for part in text.split(".")) for text in (_OLDEST_OF_THE_SDK, version))
    python = version if asked >= oldest else DEFAULT_RUNTIME.removeprefix("python")
    return ImageMapping(name, DEFAULT_TABLE.with_name("lambda-python.lock"), python)


def _own_table(state_dir: Path | None) -> Path | None:
    named = os.environ.get(OWN_TABLE_VARIABLE)
    if named:
        return Path(named)
    return None if state_dir is None else state_dir / OWN_TABLE_NAME


def _is_named(table: Path) -> bool:
    """Return whether the environment variable names this file, which must exist then."""
    return os.environ.get(OWN_TABLE_VARIABLE) == str(table)


def read_table(path: Path) -> Iterable[ImageMapping]:
    """Read all entries of a table, in order.

    Raises:
        ImageTableError: not readable, not TOML, or an entry lacks a field or has a wrong one.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_read_entry(_with_common(entry, table), path, table) for entry in table.get("image", [])]
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValueError, re.error) as error:
        raise ImageTableError(f"{path}: not a table of images: {error}") from error


def _with_common(entry: Mapping[str, Any], table: Mapping[str, Any]) -> Mapping[str, Any]:
    if "common" not in entry:
        return entry
    name, commons = entry["common"], table.get("common", {})
    if name not in commons:
        raise ValueError(f"there is no table common.{name}")
    return {**commons[name], **entry}


def _read_entry(entry: Mapping[str, Any], path: Path, table: Mapping[str, Any]) -> ImageMapping:
    def file(name: str) -> Path | None:
        return path.parent / str(entry[name]) if name in entry else None

    programs = {name: file(name) for name in ("train", "serve")}
    for name, program in programs.items():
        if program is not None and program.parent == path.parent:
            raise ValueError(f"{name} must be in a folder of its own, which comes along into the job")
    return ImageMapping(
        pattern=str(entry["pattern"]),
        lock=path.parent / str(entry["lock"]),
        python=str(entry["python"]),
        environment={**_texts(table, "environment"), **_texts(entry, "environment")},
        source=file("source"),
        original=_texts(entry, "original"),
        modules=file("modules"),
        tag=str(entry["tag"]) if "tag" in entry else None,
        train=programs["train"],
        serve=programs["serve"],
        metrics=_read_metrics(entry["metrics"]) if "metrics" in entry else None,
    )


def _texts(entry: Mapping[str, Any], name: str) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in entry.get(name, {}).items()}


def _read_metrics(text: str) -> re.Pattern[str]:
    pattern = re.compile(text)
    missing = [group for group in ("channel", "metric", "value") if group not in pattern.groupindex]
    if missing:
        raise ValueError(f"metrics has no group {missing[0]}")
    return pattern


def _toml(text: str) -> str:
    """Return a text as a TOML string, if it can be without double quotes, which JSON would change."""
    return json.dumps(text) if "'" in text or not text.isprintable() else f"'{text}'"
