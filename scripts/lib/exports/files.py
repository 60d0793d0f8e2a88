"""Export files and their SHA-256 files: written whole, read only when the checksum holds."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from pathlib import Path

import joblib

from analysis.model.artefact import LinearModel
from scripts.lib.errors import ExportRefusedError, ScriptError
from scripts.lib.exports.document import Document, model_of
from scripts.lib.exports.safe_pickle import PROTOCOL, load_data
from scripts.lib.program import existing_file, write_whole

PICKLE, JOBLIB = ".pickle", ".joblib"
CHECKSUM = ".sha256"

_LARGEST_EXPORT = 1024 * 1024
"""Bytes. An export of all 29 columns has about 20,000."""
_LARGEST_CHECKSUM_FILE = 4096
_SHA256SUM_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\r\n]+)\r?\n?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAKE_ANEW = "Export the model again: python scripts/export_model.py --help"


def write_exports(document: Document, directory: Path, name: str) -> list[Path]:
    """Write ``<name>.pickle`` and ``<name>.joblib``, each with ``<file>.sha256`` beside it; the two exports' paths.

    A file is replaced whole. The checksum follows its file, so a program that is killed in between leaves a pair that
    is refused, not one that is believed.

    Raises:
        ScriptError: the name is no plain file name, or the directory can't be written.
    """
    if not _NAME.fullmatch(name):
        raise ScriptError(f"{name!r} is no name for an export.", "Use letters, digits, dot, dash and underscore.")
    buffer = io.BytesIO()
    joblib.dump(document, buffer, compress=0, protocol=PROTOCOL)
    contents = {PICKLE: pickle.dumps(document, protocol=PROTOCOL), JOBLIB: buffer.getvalue()}
    written = []
    for suffix, content in contents.items():
        path = directory / f"{name}{suffix}"
        write_whole(path, content)
        line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
        write_whole(checksum_file(path), line.encode("ascii"))
        written.append(path)
    return written


def checksum_file(export: Path) -> Path:
    """Where the checksum of an export stands: beside it, in the form that ``sha256sum --check`` reads."""
    return export.with_name(export.name + CHECKSUM)


def read_export(path: Path) -> LinearModel:
    """The model in an export of either format.

    The bytes that were checked are the bytes that are loaded: the file is read once.

    Raises:
        ScriptError: there is no such file.
        ExportRefusedError: the checksum is absent or wrong, or the content is anything but an exported model.
    """
    existing_file(path, "The export", _MAKE_ANEW)
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
            f"Copy both files again, or: {_MAKE_ANEW[0].lower()}{_MAKE_ANEW[1:]}",
        )
    return model_of(load_data(content, path.name), path.name)


def _expected_digest(export: Path) -> str:
    path = checksum_file(export)
    if not path.is_file():
        raise ExportRefusedError(
            f"{export.name} has no checksum: {path} is not there. It was not loaded.",
            f"Copy {path.name} along with {export.name}, or: {_MAKE_ANEW[0].lower()}{_MAKE_ANEW[1:]}",
        )
    with path.open("rb") as stream:
        text = stream.read(_LARGEST_CHECKSUM_FILE).decode("utf-8", errors="replace")
    line = _SHA256SUM_LINE.fullmatch(text)
    if line is None:
        raise ExportRefusedError(f"{path} is no checksum file: it has to hold one line, <sha256>  {export.name}.")
    if line[2] != export.name:
        raise ExportRefusedError(
            f"{path.name} is the checksum of {line[2]!r}, not of {export.name!r}. It was not loaded.",
            "Give the export its own name back: the two files belong together.",
        )
    return line[1]
