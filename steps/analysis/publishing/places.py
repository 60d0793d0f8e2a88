"""Where everything is in the bucket that analysts read: by kind, profile and day of the upload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from analysis.runtime.aws import split_s3_uri
from analysis.runtime.errors import PublishError
from analysis.runtime.names import PROFILE_NAME
from analysis.runtime.upload import Claim, prediction_name

PREDICTIONS, MANIFESTS, PAGES, POINTERS = "predictions", "manifests", "reports", "newest"
REALISED, SUMMARIES = "realised", "realised-manifests"
_ENDINGS = {PREDICTIONS: "csv", MANIFESTS: "json", PAGES: "html", REALISED: "csv", SUMMARIES: "json"}


@dataclass(frozen=True)
class Room:
    """A bucket, and a prefix in it that ends in a slash or is empty."""

    bucket: str
    root: str = ""

    @classmethod
    def of(cls, uri: str) -> Room:
        """Return the room of s3://bucket[/prefix]."""
        bucket, prefix = split_s3_uri(uri)
        return cls(bucket, f"{prefix}/" if prefix else "")

    def folder(self, kind: str) -> str:
        """Return the prefix of one kind of files."""
        return f"{self.root}{kind}/"

    def key(self, kind: str, profile: str, claim: Claim) -> str:
        """Return the key of what there is of an upload."""
        return f"{self.folder(kind)}{profile}/dt={claim.dt}/{claim.prediction_name}.{_ENDINGS[kind]}"

    def profile_and_day(self, key: str, kind: str) -> tuple[str, str] | None:
        """Return both, from such a key; None for one of another form, as those of earlier versions of the project."""
        parts = key.removeprefix(self.folder(kind)).split("/")
        if len(parts) != len(("profile", "day", "name")) or not parts[1].startswith("dt="):
            return None
        return parts[0], parts[1].removeprefix("dt=")


@dataclass(frozen=True)
class Places:
    """Keys in a bucket. Profiles share none of them, so that no run replaces what another profile has predicted."""

    bucket: str
    table: str
    manifest: str
    page: str
    newest: str
    """Pointer to the newest upload under a key."""
    latest: str
    """Pointer to the newest upload of all keys: its place is the same for good."""


def places_of(predictions_uri: str, profile: str, claim: Claim) -> Places:
    """Return the places; raise PublishError where the profile's name can't be part of a key."""
    if not PROFILE_NAME.fullmatch(profile):
        raise PublishError(
            f"The version's profile is {profile!r}, for which there is no folder and no table. Register the version "
            "with the name of a declared profile as its customer metadata `profile`."
        )
    room = Room.of(predictions_uri)
    every_version = hashlib.sha256(f"{claim.bucket}\0{claim.key}".encode()).hexdigest()
    pointers = f"{room.folder(POINTERS)}{profile}"
    return Places(
        bucket=room.bucket,
        table=room.key(PREDICTIONS, profile, claim),
        manifest=room.key(MANIFESTS, profile, claim),
        page=room.key(PAGES, profile, claim),
        newest=f"{pointers}/{prediction_name(claim.key, every_version)}.json",
        latest=f"{pointers}/latest.json",
    )
