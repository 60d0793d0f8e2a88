"""Reads a model archive without unpacking it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.model.artefact import FILE_NAME, LinearModel, model_from_json
from analysis.runtime.errors import ModelError

SUMMARY_JSON, SUMMARY_TEXT = "summary.json", "summary.txt"
LARGEST_ARCHIVE = 64 * 1024 * 1024
_LARGEST_MEMBER = 16 * 1024 * 1024
_READ = frozenset({FILE_NAME, SUMMARY_JSON, SUMMARY_TEXT})


@dataclass(frozen=True)
class Archive:
    """A model, and the summary of its fit where the archive has one (older ones have none)."""

    model: LinearModel
    summary: dict[str, Any]
    summary_text: str


def model_from_archive(archive: Path) -> LinearModel:
    """The model of model.tar.gz; see read_archive."""
    return read_archive(archive).model


def read_archive(archive: Path) -> Archive:
    """Read model.tar.gz of a directory; see archive_from."""
    try:
        data = archive.read_bytes()
    except OSError as error:
        raise ModelError(f"{archive}: the model archive can't be used ({error}).") from error
    return archive_from(data, str(archive))


def archive_from(data: bytes, source: str) -> Archive:
    """Read model.json, summary.json and summary.txt out of the bytes of model.tar.gz; `source` is named in messages.

    Refuses an archive with a member that tarfile's data filter refuses (absolute or outside paths, devices, links
    that lead out), and a file that is no ordinary one, unreasonably large or not what it should be.
    """
    texts: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as tar:
            for member in tar:
                tarfile.data_filter(member, "/nowhere")
                name = member.name.removeprefix("./")
                if name in _READ and name not in texts:
                    texts[name] = _text_of(tar, member, source)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{source}: the model archive can't be used ({error}).") from error
    if FILE_NAME not in texts:
        raise ModelError(f"{source}: there is no {FILE_NAME} in the archive.")
    model = model_from_json(texts[FILE_NAME], source=f"{Path(source).name}/{FILE_NAME}")
    return Archive(model, _object(texts.get(SUMMARY_JSON, "{}"), source), texts.get(SUMMARY_TEXT, ""))


def _text_of(tar: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> str:
    content = tar.extractfile(member) if member.isfile() and member.size <= _LARGEST_MEMBER else None
    if content is None:
        raise ModelError(f"{source}: {member.name} is no ordinary file of at most {_LARGEST_MEMBER} bytes.")
    try:
        return content.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{source}: {member.name} is not UTF-8.") from error


def _object(text: str, source: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{source}: {SUMMARY_JSON} is no JSON ({error}).") from error
    if not isinstance(document, dict):
        raise ModelError(f"{source}: {SUMMARY_JSON} holds no JSON object.")
    return document
