"""The claim on one input file: who it is, and what the later steps take from it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from analysis.runtime.errors import SettingsError
from analysis.runtime.frames import read_json, write_json

FILE_NAME = "claim.json"
_LONGEST_STEM = 80


@dataclass(frozen=True)
class Claim:
    """The content of claim.json.

    decision: "process", "duplicate", "missing" or "superseded"; reason: the same in a sentence.
    bucket, key, etag: the object version (etag without quotes); identity: SHA-256 of the three.
    prediction_name: "<stem>-<first 12 of identity>", safe as a part of any S3 key or file name.
    dt: UTC date of the upload, YYYY-MM-DD; uploaded_at: its moment, ISO 8601 ending in Z. Both are "" when missing.
    input_uri: S3 prefix that holds a copy of just this version; "" where nothing is to be processed.
    """

    decision: str
    reason: str
    bucket: str
    key: str
    etag: str
    identity: str
    prediction_name: str
    dt: str
    uploaded_at: str
    input_uri: str


def identity_of(bucket: str, key: str, etag: str) -> str:
    """SHA-256 of one object version. The parts are separated by NUL, which no S3 name can hold."""
    return hashlib.sha256(f"{bucket}\0{key}\0{etag}".encode()).hexdigest()


def prediction_name(key: str, identity: str) -> str:
    """A name for the outputs of `key`: letters, digits, dot, dash and underscore, never hidden, never empty.

    Accents are taken off; whatever else a key may hold becomes a dash. The hash keeps two files apart whose names
    look alike afterwards. A leading dot or underscore would hide the file from Athena.
    """
    stem = PurePosixPath(key).stem
    without_marks = "".join(
        character for character in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(character)
    )
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", without_marks)
    plain = re.sub(r"-{2,}", "-", plain).strip("._-")[:_LONGEST_STEM].rstrip("._-")
    return f"{plain or 'file'}-{identity[:12]}"


def write_claim(claim: Claim, directory: Path) -> Path:
    """Write claim.json into `directory` and return its path."""
    path = directory / FILE_NAME
    write_json(asdict(claim), path)
    return path


def read_claim(directory: Path) -> Claim:
    """Read claim.json of `directory`, or raise SettingsError naming what it lacks."""
    path = directory / FILE_NAME
    document = read_json(path)
    names = [field.name for field in fields(Claim)]
    wrong = [name for name in names if not isinstance(document.get(name), str)]
    if wrong:
        raise SettingsError(f"{path} lacks {', '.join(wrong)}: it was not written by claim.py.")
    return Claim(**{name: document[name] for name in names})
