"""Where a backup is kept: a folder, or objects of an S3 bucket that another account owns."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

from botocore.exceptions import BotoCoreError

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import RecoveryError
from pipeline.recovery.manifest import File, Manifest, manifest_of, text_of

MANIFEST = "backup.json"
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 256 << 20
_IN_MEMORY = 8 << 20
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:(?P<account>\d{12}):(key|alias)/.+")


class Place(Protocol):
    """Where files of a backup are; a file is there whole or not at all."""

    @property
    def name(self) -> str:
        """Return it as its user named it."""

    def size(self, key: str) -> int | None:
        """Return the size of a file, None where there is none."""

    def put(self, key: str, body: IO[bytes], sha256: str) -> None:
        """Write a file."""

    def open(self, key: str) -> IO[bytes]:
        """Open a file for reading."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, or of a disk that is mounted."""

    path: Path

    @property
    def name(self) -> str:
        """Return its path."""
        return str(self.path)

    def size(self, key: str) -> int | None:
        """Return the size of a file, None where there is none."""
        path = self.path / key
        return path.stat().st_size if path.is_file() else None

    def put(self, key: str, body: IO[bytes], sha256: str) -> None:  # noqa: ARG002 - what S3 checks
        """Write a file whole, readable by its owner alone."""
        path = self.path / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".unfinished-", delete=False) as file:
                try:
                    shutil.copyfileobj(body, file, _CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise RecoveryError(f"{path} can't be written: {error.strerror}", "Give another folder.") from error

    def open(self, key: str) -> IO[bytes]:
        """Open a file for reading."""
        try:
            return (self.path / key).open("rb")
        except OSError as error:
            raise RecoveryError(f"{self.path / key} can't be read: {error.strerror}", _look(self)) from error


@dataclass(frozen=True)
class Objects:
    """Objects below a prefix of a bucket; `owner` is the account that has to own it, `kms_key` a key of that one."""

    aws: Aws
    bucket: str
    prefix: str
    owner: str | None = None
    kms_key: str | None = None

    @property
    def name(self) -> str:
        """Return its URI."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def size(self, key: str) -> int | None:
        """Return the size of a file, None where there is none."""
        with aws_errors(f"Looking at {self.name}/{key}", self.aws, RecoveryError):
            found = unless_missing(lambda: self.aws.s3.head_object(**self._named(key)))
        return None if found is None else int(found["ContentLength"])

    def put(self, key: str, body: IO[bytes], sha256: str) -> None:
        """Write a file; S3 compares the checksum."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        key_of_destination: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        encryption = {**key_of_destination, "BucketKeyEnabled": True} if self.kms_key else {}
        with aws_errors(f"Writing {self.name}/{key}", self.aws, RecoveryError):
            self.aws.s3.put_object(**self._named(key), Body=body, ChecksumSHA256=checksum, **encryption)

    def open(self, key: str) -> IO[bytes]:
        """Open a file for reading."""
        with aws_errors(f"Reading {self.name}/{key}", self.aws, RecoveryError):
            body: Any = self.aws.s3.get_object(**self._named(key))["Body"]
        return body  # type: ignore[no-any-return]

    @property
    def is_of_this_account(self) -> bool:
        """Say whether the environment's own account owns the bucket, so that both would be gone together."""
        asked = {"Bucket": self.bucket, "ExpectedBucketOwner": self.aws.settings.account_id}
        try:
            with aws_errors(f"Asking whose {self.bucket} is", self.aws, RecoveryError):
                self.aws.s3.head_bucket(**asked)
        except RecoveryError:
            return False
        return True

    def key_of_this_account(self) -> str | None:
        """Return the key of the environment's own account that the manifest is encrypted with, None where it is not."""
        with aws_errors(f"Looking at {self.name}/{MANIFEST}", self.aws, RecoveryError):
            found = self.aws.s3.head_object(**self._named(MANIFEST)).get("SSEKMSKeyId", "")
        key = _KEY.fullmatch(found)
        return found if key is not None and key["account"] == self.aws.settings.account_id else None

    def _named(self, key: str) -> Any:
        expected = {"ExpectedBucketOwner": self.owner} if self.owner else {}
        return {"Bucket": self.bucket, "Key": f"{self.prefix}/{key}".lstrip("/"), **expected}


def place_of(text: str, aws: Aws, owner: str | None = None, kms_key: str | None = None) -> Place:
    """Return the place that is named by an S3 URI or the path of a folder.

    Raises:
        RecoveryError: it is neither, or one of the environment's own buckets.
    """
    if not text.startswith("s3://"):
        if owner or kms_key or "://" in text:
            raise RecoveryError(f"{text} is no S3 URI.", "Write s3://BUCKET/PREFIX, or the path of a folder alone.")
        return Folder(Path(text).absolute())
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    settings = aws.settings
    if bucket in {settings.raw_bucket, settings.artifacts_bucket, settings.predictions_bucket}:
        raise RecoveryError(f"{bucket} belongs to the environment itself.", "Name a bucket of another account.")
    if not bucket:
        raise RecoveryError(f"{text} names no bucket.", "Write s3://BUCKET/PREFIX.")
    # An id or an alias alone means a key of whoever writes: of the account that may be lost.
    if kms_key is not None and not _KEY.fullmatch(kms_key):
        raise RecoveryError(f"{kms_key} is no ARN of a key.", "Give the whole ARN of a key of the bucket's account.")
    return Objects(aws, bucket, prefix.strip("/"), owner, kms_key)


def read_manifest(place: Place) -> Manifest | None:
    """Return the manifest of a backup; None where there is none, as after one that was cut off.

    Raises:
        RecoveryError: it is damaged.
    """
    if (size := place.size(MANIFEST)) is None:
        return None
    if size > _LARGEST_MANIFEST:
        raise RecoveryError(f"{place.name}/{MANIFEST} has {size:,} bytes, too many for a manifest.")
    text = BytesIO()
    with place.open(MANIFEST) as stream:
        copy(stream, text)
    return manifest_of(text.getvalue(), f"{place.name}/{MANIFEST}")


def write_manifest(place: Place, manifest: Manifest) -> None:
    """Write the manifest, which makes a backup of what is there."""
    text = text_of(manifest)
    with spooled() as stream:
        stream.write(text)
        stream.seek(0)
        place.put(MANIFEST, stream, hashlib.sha256(text).hexdigest())


def spooled() -> IO[bytes]:
    """Return a file that is on the disk once it is larger than a few megabytes."""
    return tempfile.SpooledTemporaryFile(_IN_MEMORY)


def copy(source: IO[bytes], into: IO[bytes] | None) -> tuple[str, int]:
    """Copy a stream in constant memory; return SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    try:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if into is not None:
                into.write(chunk)
    except (OSError, BotoCoreError) as error:
        raise RecoveryError(f"A file could not be copied: {error}", "Run the same command again.") from error
    return digest.hexdigest(), size


@contextmanager
def checked(place: Place, file: File) -> Iterator[IO[bytes]]:
    """Give the content of a file, once all of it is what the manifest says.

    Raises:
        RecoveryError: it is missing or damaged.
    """
    with spooled() as found:
        _compare(place, file, found)
        found.seek(0)
        yield found


def check(place: Place, file: File) -> None:
    """Raise RecoveryError where a file is missing or damaged."""
    _compare(place, file, None)


def _compare(place: Place, file: File, into: IO[bytes] | None) -> None:
    what = f"{place.name}/{file.key} ({file.source.rpartition('/')[2]})"
    if place.size(file.key) is None:
        raise RecoveryError(f"{what} is missing: the backup is not whole.", _look(place))
    with place.open(file.key) as stream:
        if copy(stream, into) != (file.sha256, file.size):
            raise RecoveryError(f"{what} is damaged: its content is another one.", _look(place))


def _look(place: Place) -> str:
    return f"Bring an earlier version of {place.name} back (versions of its bucket), or use another backup."
