"""What a backup consists of: a manifest that names every file by its SHA-256, and these files.

The manifest is written last, so a backup that was cut off is none. It has a checksum of its own, and is read as what
somebody else may have written: whatever it names is checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.errors import RecoveryError
from pipeline.settings.constraints import AccountId, BucketName, Region
from pipeline.source_control.connection import Connection

FORMAT = 1
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Uri = Annotated[str, Field(pattern=r"^s3://[a-z0-9.-]{3,63}/.+$", max_length=1024)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
REGISTERED = (
    *("AdditionalInferenceSpecifications", "Domain", "DriftCheckBaselines", "InferenceSpecification", "ModelCard"),
    *("MetadataProperties", "ModelMetrics", "ModelPackageDescription", "SamplePayloadUrl", "SecurityConfig"),
    *("SkipModelValidation", "SourceUri", "Task"),
)
"""What CreateModelPackage takes of what DescribeModelPackage answers, but for names and decisions."""
_AGAIN = "Use another backup, or an earlier version of this one; to make it anew, remove that file."


class Part(BaseModel):
    """Base of all parts: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class File(Part):
    """One file: what it holds, and where it was."""

    sha256: Sha256
    size: int = Field(ge=0)
    source: Uri
    etag: str

    @property
    def key(self) -> str:
        """Return its name in the backup."""
        return f"objects/{self.sha256}"


class Version(Part):
    """A registered version: what CreateModelPackage takes of it, what was decided, and the files that it names."""

    arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[A-Za-z0-9-]+/\d+$")]
    number: int = Field(ge=1)
    created: datetime
    registration: dict[str, Any]
    properties: dict[str, str]
    approval: Literal["Approved", "Rejected", "PendingManualApproval"]
    in_use_since: str | None
    decided_by: str
    reason: str
    files: tuple[File, ...]
    #: Files that it names and that were gone already.
    absent: tuple[str, ...]

    @field_validator("registration")
    @classmethod
    def _can_be_read(cls, registration: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(registration.keys() - set(REGISTERED)):
            raise ValueError(f"{', '.join(unknown)} is not registered")
        try:
            containers = registration.get("InferenceSpecification", {}).get("Containers", [])
            archives = [one.get("ModelDataUrl", "") for one in containers]
            card = json.loads(registration.get("ModelCard", {"ModelCardContent": "{}"})["ModelCardContent"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no registration of a model: {error!r}") from error
        if not isinstance(card, dict) or not all(isinstance(one, str) for one in archives):
            raise ValueError("no registration of a model: a card is an object, and an archive's place a text")
        return registration


class StoredGroup(Part):
    """The records of a feature group: the objects of its offline store, as they are."""

    kind: Literal["inputs", "outcomes"]
    name: Name
    files: tuple[File, ...]


class Origin(Part):
    """Whose backup it is."""

    system: str
    environment: str
    account_id: AccountId
    region: Region
    artifacts_bucket: BucketName
    model_package_group: Name


class Manifest(Part):
    """All that a backup has."""

    format: Literal[1] = 1
    created: datetime
    origin: Origin
    settings: dict[str, Any]
    declaration_sha256: Sha256
    git_commit: str
    versions: tuple[Version, ...]
    in_use: int | None
    #: None where they were not asked for.
    features: tuple[StoredGroup, ...] | None
    #: Of notebook and Git repository, without the credential; None where there is none.
    connection: Connection | None

    def files(self) -> Iterator[File]:
        """Yield every file, each content once."""
        named = [one.files for one in self.versions] + [one.files for one in self.features or ()]
        yield from {file.sha256: file for files in named for file in files}.values()

    def same_as(self, other: Manifest | None) -> bool:
        """Say whether another manifest says the same, whenever it was made."""
        return other is not None and self.model_copy(update={"created": other.created}) == other


def text_of(manifest: Manifest) -> bytes:
    """Return the content of the manifest's file: the manifest, and its checksum."""
    content = manifest.model_dump(mode="json")
    return json.dumps({"sha256": _checksum(content), "manifest": content}, indent=1, ensure_ascii=False).encode()


def manifest_of(text: bytes, where: str) -> Manifest:
    """Read the content of the manifest's file.

    Raises:
        RecoveryError: it is damaged, of a newer format, or not what a backup has.
    """
    try:
        whole = json.loads(text)
        content, checksum = whole["manifest"], whole["sha256"]
        version = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecoveryError(f"{where} is no manifest of a backup, or is damaged.", _AGAIN) from error
    if isinstance(version, int) and version > FORMAT:
        raise RecoveryError(
            f"{where} has format {version}, and this version of the project reads {FORMAT} at most.",
            "Restore with the version of the project that made it, or a newer one.",
        )
    if checksum != _checksum(content):
        raise RecoveryError(f"{where} is damaged: its checksum is another one.", _AGAIN)
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
        raise RecoveryError("\n".join([f"{where} is no manifest of a backup:", *lines]), _AGAIN) from error


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
