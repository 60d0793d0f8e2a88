"""model.tar.gz, as a training job leaves it: read without unpacking anything."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.model.artefact import MODEL_JSON, LinearModel, model_from_json
from analysis.runtime.errors import ModelError

SUMMARY_JSON, SUMMARY_TEXT = "summary.json", "summary.txt"
LARGEST_ARCHIVE = 64 * 1024 * 1024
_LARGEST_MEMBER = 16 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """A model, and the summary of its fit where the archive has one (older ones have none)."""

    model: LinearModel
    summary: dict[str, Any]
    summary_text: str


def read_archive(archive: Path) -> Archive:
    """Read a model.tar.gz; see archive_from."""
    try:
        data = archive.read_bytes()
    except OSError as error:
        raise ModelError(f"{archive}: the model archive can't be used ({error}).") from error
    return archive_from(data, str(archive))


def archive_from(data: bytes, source: str) -> Archive:
    """Read model.json, summary.json and summary.txt out of the bytes of model.tar.gz; messages name `source`.

    Nothing is unpacked. Refuses an archive with a member that tarfile's data filter refuses (absolute or outside paths,
    devices, links that lead out), and a member that is not an ordinary file, unreasonably large or malformed.
    """
    texts: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as tar:
            for member in tar:
                tarfile.data_filter(member, "/nowhere")
                name = member.name.removeprefix("./")
                if name in {MODEL_JSON, SUMMARY_JSON, SUMMARY_TEXT} - texts.keys():
                    texts[name] = _text_of(tar, member, source)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{source}: the model archive can't be used ({error}).") from error
    if MODEL_JSON not in texts:
        raise ModelError(f"{source}: there is no {MODEL_JSON} in the archive.")
    model = model_from_json(texts[MODEL_JSON], source=f"{Path(source).name}/{MODEL_JSON}")
    try:
        summary = json.loads(texts.get(SUMMARY_JSON, "{}"))
    except ValueError as error:
        raise ModelError(f"{source}: {SUMMARY_JSON} is not JSON ({error}).") from error
    if not isinstance(summary, dict):
        raise ModelError(f"{source}: {SUMMARY_JSON} is not a JSON object.")
    return Archive(model, summary, texts.get(SUMMARY_TEXT, ""))


def _text_of(tar: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> str:
    content = tar.extractfile(member) if member.isfile() and member.size <= _LARGEST_MEMBER else None
    if content is None:
        raise ModelError(f"{source}: {member.name} is not an ordinary file of at most {_LARGEST_MEMBER} bytes.")
    try:
        return content.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{source}: {member.name} is not UTF-8.") from error
