"""One uploaded file: its name, identity and ETag, and the claim on it that the later steps read."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from analysis.runtime.errors import SettingsError
from analysis.runtime.files import read_json, write_json

UPLOAD_RUN_KEY = "upload"
"""Run key of executions that an upload started: however often its event arrives, they share one claim."""
_CLAIM_FILE = "claim.json"
_LONGEST_STEM = 80
_MD5 = re.compile(r"[0-9a-f]{32}")


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


def file_name(key: str) -> str:
    """Return the last part of an S3 key, or raise SettingsError where it names no file."""
    name = PurePosixPath(key).name
    if not name:
        raise SettingsError(f"The key {key!r} does not name a file.")
    return name


def plain_etag(etag: str) -> str:
    """Return an ETag without the quotes that some APIs put around it."""
    return etag.strip().strip('"')


def identity_of(bucket: str, key: str, etag: str) -> str:
    """Return the SHA-256 of one object version. The parts are separated by NUL, which no S3 name can contain."""
    return hashlib.sha256(f"{bucket}\0{key}\0{etag}".encode()).hexdigest()


def prediction_name(key: str, identity: str) -> str:
    """Return a name for the outputs of `key`: letters, digits, dot, dash and underscore, never hidden, never empty.

    Accents are removed, and whatever else a key may contain becomes a dash. The hash keeps two files apart whose names
    look alike afterwards. A leading dot or underscore would hide the file from Athena.
    """
    decomposed = unicodedata.normalize("NFKD", PurePosixPath(key).stem)
    without_marks = "".join(character for character in decomposed if not unicodedata.combining(character))
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", without_marks)
    plain = re.sub(r"-{2,}", "-", plain).strip("._-")[:_LONGEST_STEM].rstrip("._-")
    return f"{plain or 'file'}-{identity[:12]}"


def upload_report(data: bytes, etag: str) -> dict[str, Any]:
    """Compare the file that arrived with the upload that started the execution: {"etag", "md5", "same"}.

    The claim decides by ETag, but the job downloads whatever the key holds some seconds later. For ordinary uploads the
    ETag is the MD5 of the bytes, so a replaced file shows. It proves nothing the other way: with KMS encryption or a
    multipart upload the ETag is not the file's MD5. So a difference is reported and fails nothing; the replacing file
    has an execution of its own. same is None where the ETag can't tell (empty, or of a multipart upload).
    """
    plain = plain_etag(etag)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"etag": plain or None, "md5": digest, "same": plain == digest if _MD5.fullmatch(plain) else None}


def write_claim(claim: Claim, directory: Path) -> Path:
    """Write claim.json into `directory` and return its path."""
    path = directory / _CLAIM_FILE
    write_json(asdict(claim), path)
    return path


def read_claim(directory: Path) -> Claim:
    """Read claim.json of `directory`, or raise SettingsError naming the missing fields."""
    path = directory / _CLAIM_FILE
    document = read_json(path)
    names = [field.name for field in fields(Claim)]
    absent = [name for name in names if not isinstance(document.get(name), str)]
    if absent:
        raise SettingsError(f"{path} lacks {', '.join(absent)}: it was not written by claim.py.")
    return Claim(**{name: document[name] for name in names})
