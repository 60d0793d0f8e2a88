"""Export files and their SHA-256 files: written whole, read only when the checksum matches.

The exported object is the content of model.json as plain Python data: ``dict``, ``list``, ``str``, ``int``, ``float``,
``bool`` and ``None``, and nothing else. So its pickle names no class and no function, needs no library to be read, and
reads the same with every version of numpy and scikit-learn. docs/exports.md describes each key.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
from pathlib import Path
from typing import Any

import joblib

from analysis.model.artefact import LinearModel, model_from_json
from analysis.runtime.errors import ModelError
from scripts.lib.exports.safe_pickle import PROTOCOL, load_data
from scripts.lib.program import ExportRefusedError, ScriptError, existing_file, write_whole

Document = dict[str, Any]

_LARGEST_EXPORT = 1024 * 1024
"""Bytes. An export of all 29 columns has about 20,000."""
_LARGEST_CHECKSUM_FILE = 4096
_SHA256SUM_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\r\n]+)\r?\n?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HINT = "Export the model again: python scripts/export_model.py --help"
_MOST_VALUES = 100_000
"""A model of all 29 columns has about 1,100. A pickle of a few bytes can refer to one list so often, or to itself, that
it unfolds without end."""


def document_of(model: LinearModel, source: str, archive_sha256: str | None) -> Document:
    """Build the exported object. source: as a person would write it; archive_sha256: None for an unpacked model."""
    document: Document = json.loads(model.to_json())
    return {**document, "export": {"source": source, "archive_sha256": archive_sha256}}


def model_of(document: object, source: str) -> LinearModel:
    """Return the model that an exported object holds; `source` is the file name for messages.

    Raises ExportRefusedError for any other object that the allow-list lets through, and for one that unfolds to more
    than any model has.
    """
    if not isinstance(document, dict):
        raise ExportRefusedError(f"{source} holds a {type(document).__name__}, not an exported model.", _HINT)
    _check_size(document, source)
    try:
        # Floats survive the way through JSON bit for bit, and all checks of model.json apply.
        return model_from_json(json.dumps(document, allow_nan=False), source=source)
    except (ModelError, ValueError, TypeError, RecursionError) as error:
        raise ExportRefusedError(f"{source} does not hold an exported model: {error}", _HINT) from error


def _check_size(document: Document, source: str) -> None:
    waiting: list[object] = [document]
    seen = 0
    while waiting:
        value = waiting.pop()
        seen += 1
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        if seen + len(waiting) + len(inner) > _MOST_VALUES:
            raise ExportRefusedError(f"{source} unfolds to more than {_MOST_VALUES:,} values.", _HINT)
        waiting.extend(inner)


def write_exports(document: Document, directory: Path, name: str) -> list[Path]:
    """Write ``<name>.pickle`` and ``<name>.joblib``, each with ``<file>.sha256`` beside it; return both exports' paths.

    A file is replaced whole. The checksum follows its file, so a program that is killed in between leaves a pair that
    is refused, not one that is trusted. Raises ScriptError for a name that is not a plain file name.
    """
    if not _NAME.fullmatch(name):
        raise ScriptError(f"{name!r} is not a name for an export.", "Use letters, digits, dot, dash and underscore.")
    buffer = io.BytesIO()
    joblib.dump(document, buffer, compress=0, protocol=PROTOCOL)
    contents = {".pickle": pickle.dumps(document, protocol=PROTOCOL), ".joblib": buffer.getvalue()}
    written = []
    for suffix, content in contents.items():
        path = directory / f"{name}{suffix}"
        write_whole(path, content)
        line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
        write_whole(checksum_file(path), line.encode("ascii"))
        written.append(path)
    return written


def checksum_file(export: Path) -> Path:
    """Return the path of an export's checksum file, which ``sha256sum --check`` can read."""
    return export.with_name(f"{export.name}.sha256")


def read_export(path: Path) -> LinearModel:
    """Read the model of an export of either format.

    The bytes that were checked are the bytes that are loaded: the file is read once. Raises ScriptError where there is
    no such file, ExportRefusedError where the checksum is absent or wrong, or the content is not an exported model.
    """
    existing_file(path, "The export", _HINT)
    size = path.stat().st_size
    if size > _LARGEST_EXPORT:
        raise ExportRefusedError(f"{path.name} has {size:,} bytes; no export has more than {_LARGEST_EXPORT:,}.")
    content = path.read_bytes()
    expected = _expected_digest(path)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ExportRefusedError(
            f"{path.name} is not the file that was exported: its SHA-256 is {found}, "
            f"{checksum_file(path).name} says {expected}. It was not loaded.",
            f"Copy both files again. {_HINT}",
        )
    return model_of(load_data(content, path.name), path.name)


def _expected_digest(export: Path) -> str:
    path = checksum_file(export)
    if not path.is_file():
        raise ExportRefusedError(
            f"{export.name} has no checksum: {path} is not there. It was not loaded.",
            f"Copy {path.name} along with {export.name}. {_HINT}",
        )
    with path.open("rb") as stream:
        text = stream.read(_LARGEST_CHECKSUM_FILE).decode("utf-8", errors="replace")
    line = _SHA256SUM_LINE.fullmatch(text)
    if line is None:
        raise ExportRefusedError(f"{path} is not a checksum file: it must have one line, <sha256>  {export.name}.")
    if line[2] != export.name:
        raise ExportRefusedError(
            f"{path.name} is the checksum of {line[2]!r}, not of {export.name!r}. It was not loaded.",
            "Rename the export back: the two files belong together.",
        )
    return line[1]
