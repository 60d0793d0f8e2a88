"""One version of an uploaded file: its identity, its names, and the claim on it that the later steps read."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from analysis.runtime.errors import SettingsError
from analysis.runtime.files import json_text, read_json

UPLOAD_RUN_KEY = "upload"
"""Run key of executions that an upload started: however often its event arrives, they share one claim."""
INPUT_FILE, CLAIM_FILE = "input.csv", "claim.json"
"""What the claim puts into the folder of a version: a copy of the file, and what is known of it."""
SCHEDULED = "schedule"
"""Version of what is claimed where a schedule started the execution, and no upload; the key names it and its time."""
_SCHEDULED_KEY = re.compile(r"schedule/([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})Z")
_LONGEST_STEM = 80


@dataclass(frozen=True)
class Claim:
    """The content of claim.json: the same, whichever execution works on the version.

    bucket, key, version_id: the object version; identity: SHA-256 of the three.
    prediction_name: "<stem>-<first 12 of identity>", safe as a part of any S3 key or file name.
    dt: UTC date of the upload, YYYY-MM-DD.
    uploaded_at: its moment, ISO 8601 ending in Z; milliseconds tell versions of the same second apart, in their order.
    """

    bucket: str
    key: str
    version_id: str
    identity: str
    prediction_name: str
    dt: str
    uploaded_at: str

    @property
    def schedule(self) -> str | None:
        """Name of the schedule that started the execution; None for an upload."""
        found = _SCHEDULED_KEY.fullmatch(self.key) if self.version_id == SCHEDULED else None
        return found[1] if found else None


def scheduled_claim(bucket: str, key: str) -> Claim:
    """Return the claim on one time of a schedule, which is its moment; raise SettingsError where the key names none."""
    found = _SCHEDULED_KEY.fullmatch(key)
    if found is None:
        raise SettingsError(f"The key {key!r} is not that of a schedule, such as schedule/NAME/2026-12-01T03:00:00Z.")
    return claim_of(bucket, key, SCHEDULED, f"{found[2]}.000Z")


def claim_of(bucket: str, key: str, version_id: str, uploaded_at: str) -> Claim:
    """Return the claim on an object version; raise SettingsError where its key names no file."""
    if not PurePosixPath(key).name:
        raise SettingsError(f"The key {key!r} does not name a file.")
    identity = identity_of(bucket, key, version_id)
    return Claim(bucket, key, version_id, identity, prediction_name(key, identity), uploaded_at[:10], uploaded_at)


def identity_of(bucket: str, key: str, version_id: str) -> str:
    """Return the SHA-256 of one object version. The parts are separated by NUL, which no S3 name can contain."""
    return hashlib.sha256(f"{bucket}\0{key}\0{version_id}".encode()).hexdigest()


def prediction_name(key: str, identity: str) -> str:
    """Return a name for the outputs of `key`: letters, digits, dot, dash and underscore, never hidden, never empty.

    Accents are removed, and whatever else a key may contain becomes a dash. The hash keeps two files apart whose names
    look alike afterwards. A leading dot or underscore would hide the file from Athena.
    """
    decomposed = unicodedata.normalize("NFKD", stem_of(PurePosixPath(key).name))
    without_marks = "".join(character for character in decomposed if not unicodedata.combining(character))
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", without_marks)
    plain = re.sub(r"-{2,}", "-", plain).strip("._-")[:_LONGEST_STEM].rstrip("._-")
    return f"{plain or 'file'}-{identity[:12]}"


def stem_of(name: str) -> str:
    """Return a file name without its ending, and without both of .csv.gz."""
    return PurePosixPath(re.sub(r"(?<=\.csv)\.gz$", "", name, flags=re.IGNORECASE)).stem


def claim_text(claim: Claim) -> str:
    """Return the content of claim.json."""
    return json_text(asdict(claim))


def read_claim(directory: Path) -> Claim:
    """Read claim.json of `directory`, or raise SettingsError naming the missing fields."""
    path = directory / CLAIM_FILE
    return claim_from(read_json(path), str(path))


def claim_from(document: Mapping[str, Any], source: str) -> Claim:
    """Return the claim in a JSON object, or raise SettingsError naming its source and the missing fields."""
    names = [field.name for field in fields(Claim)]
    absent = [name for name in names if not isinstance(document.get(name), str)]
    if absent:
        raise SettingsError(f"{source} lacks {', '.join(absent)}: it was not written by claim.py.")
    return Claim(**{name: document[name] for name in names})
