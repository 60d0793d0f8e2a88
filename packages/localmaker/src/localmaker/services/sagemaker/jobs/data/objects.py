"""Transfers between S3 and a job's directory: prefixes down, folders up.

Keys and folder contents are not trusted. A key that would lead out of its folder fails the job, links are never
followed, and only regular files are uploaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.jobs.data.trees import files_below
from localmaker.services.sagemaker.jobs.failures import JobStopped, client_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1024 * 1024
_GIB = 1024**3
_LONGEST_KEY, _SHOWN_KEY = 1024, 100
_MULTIPART_FROM = 16 * 1024 * 1024
# The bucket is in the host name, or in front of the key.
_HTTPS_WITH_BUCKET = re.compile(r"https://([^/]+)\.s3[.-][^/]*amazonaws\.com[^/]*/?(.*)", re.DOTALL)
_HTTPS = re.compile(r"https://s3[.-][^/]*amazonaws\.com[^/]*/([^/]+)/?(.*)", re.DOTALL)


@dataclass(frozen=True)
class S3Uri:
    """Bucket and key or key prefix. The key is never URL-quoted."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Read an ``s3://bucket/…`` URI, or an ``https://…`` one of S3.

        Raises:
            JobFailure: it is neither.
        """
        if match := _HTTPS.fullmatch(uri) or _HTTPS_WITH_BUCKET.fullmatch(uri):
            return cls(match[1], match[2])
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise client_error(f'"{uri}" is not an S3 URI.')
        return cls(bucket, key)

    def child(self, name: str) -> S3Uri:
        """Return the URI of a key below this one."""
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class S3Object:
    """An object below a prefix; ``tail`` is the part of its key that names it inside the job's folder."""

    bucket: str
    key: str
    tail: str
    size: int


class ObjectTransfer:
    """Transfers objects for one job.

    Args:
        s3: client on the endpoint.
        region, role: for the message about a prefix that matches nothing.
        key: KMS key for uploads; None for the bucket's default.
        is_stopped: whether a stop was requested; downloads end then.
    """

    def __init__(
        self,
        s3: S3Client,
        region: str,
        role: str,
        *,
        key: str | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._s3 = s3
        self._is_stopped = is_stopped
        self._encryption: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        self._region = region
        self._role = role

    def list_prefix(self, uri: str) -> Sequence[S3Object]:
        """Return the objects whose keys start with the URI's key (S3Prefix), in key order, without folder markers.

        Raises:
            JobFailure: there are none, or the bucket cannot be listed.
        """
        where = S3Uri.parse(uri)
        objects: list[S3Object] = []
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=where.key):
                objects += [
                    S3Object(where.bucket, entry["Key"], _tail(where.key, entry["Key"]), entry["Size"])
                    for entry in page.get("Contents", [])
                    if not entry["Key"].endswith("/")
                ]
        except (ClientError, BotoCoreError) as error:
            raise self._nothing_found(uri, where, str(error)) from error
        if not objects:
            raise self._nothing_found(uri, where, "")
        return objects

    def _nothing_found(self, uri: str, where: S3Uri, detail: str) -> Exception:
        return client_error(
            f'Failed to download data. No S3 objects found under S3 URL "{uri}" given in input data source. Please '
            f"ensure that the bucket exists in the selected region ({self._region}), that objects exist under that S3 "
            f'prefix, and that the role "{self._role}" has "s3:ListBucket" permissions on bucket "{where.bucket}".'
            + (f" Error message from S3: {detail}" if detail else "")
        )

    def download_prefix(self, uri: str, folder: Path) -> None:
        """Download every object below a prefix into a folder, keeping the part of the key after the prefix.

        Raises:
            JobFailure: see :meth:`list_prefix` and :meth:`download`.
        """
        for entry in self.list_prefix(uri):
            self.download(entry, resolve_inside(folder, entry.tail))

    def download(self, entry: S3Object, target: Path) -> None:
        """Download one object into a file; its folders are created.

        Raises:
            JobFailure: S3 refuses, or the file system cannot hold the name (a key that is both file and folder).
            JobStopped: a stop was requested.
        """
        try:
            body = self._s3.get_object(Bucket=entry.bucket, Key=entry.key)["Body"]
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while not self._is_stopped() and (piece := body.read(_CHUNK)):
                    file.write(piece)
        except (ClientError, BotoCoreError, OSError, ValueError) as error:
            raise client_error(
                "Failed to download data. Please check your s3 objects and ensure that there is no object that is both "
                f'a folder as well as a file. Object "s3://{entry.bucket}/{entry.key}": {error}'
            ) from error
        if self._is_stopped():
            raise JobStopped

    def read_object(self, uri: str) -> bytes:
        """Return the content of the object with exactly this key.

        Raises:
            JobFailure: it does not exist.
        """
        with self.open_object(uri) as body:
            return body.read()

    def open_object(self, uri: str) -> BinaryIO:
        """Open the object with exactly this key for reading.

        Raises:
            JobFailure: it does not exist.
        """
        where = S3Uri.parse(uri)
        try:
            body: Any = self._s3.get_object(Bucket=where.bucket, Key=where.key)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise client_error(f'Failed to download data. Object "{uri}": {error}') from error
        stream: BinaryIO = body
        return stream

    def download_object(self, uri: str, target: Path) -> None:
        """Download the object with exactly this key.

        Raises:
            JobFailure: it does not exist.
        """
        where = S3Uri.parse(uri)
        self.download(S3Object(where.bucket, where.key, "", 0), target)

    def upload_folder(self, folder: Path, uri: str) -> int:
        """Upload every regular file below a folder under the URI; return their number.

        Raises:
            JobFailure: S3 refuses.
        """
        where = S3Uri.parse(uri)
        count = 0
        for name, file in files_below(folder):
            with file:
                self.upload_file(file, where.child(name))
            count += 1
        return count

    def upload(self, path: Path, where: S3Uri) -> None:
        """Upload one file to one key.

        Raises:
            JobFailure: S3 refuses.
        """
        try:
            with path.open("rb") as file:
                self.upload_file(file, where)
        except OSError as error:
            raise client_error(f"Failed to upload data to {where}: {error}") from error

    def delete(self, where: S3Uri) -> None:
        """Remove one key.

        Raises:
            JobFailure: S3 refuses.
        """
        try:
            self._s3.delete_object(Bucket=where.bucket, Key=where.key)
        except (ClientError, BotoCoreError) as error:
            raise client_error(f"Failed to delete {where}: {error}") from error

    def upload_file(self, file: BinaryIO, where: S3Uri) -> None:
        """Upload an open file to one key.

        Raises:
            JobFailure: S3 refuses.
        """
        check_key(where.key)
        try:
            if os.fstat(file.fileno()).st_size >= _MULTIPART_FROM:
                self._s3.upload_fileobj(file, where.bucket, where.key, ExtraArgs=self._encryption)
            else:
                self._s3.put_object(Bucket=where.bucket, Key=where.key, Body=file, **self._encryption)
        except (ClientError, BotoCoreError, UnicodeEncodeError) as error:
            raise client_error(f"Failed to upload data to {where}: {error}") from error


class OutputSize:
    """Adds up the sizes of output files; those of sparse files count in full, since S3 stores them so.

    Args:
        most_bytes: what they may have together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = self._left = most_bytes

    def add(self, file: BinaryIO) -> None:
        """Add an open file.

        Raises:
            JobFailure: the files are larger than they may be.
        """
        self._left -= os.fstat(file.fileno()).st_size
        if self._left < 0:
            raise client_error(
                f"The outputs are larger than the job's disk limit of {self._most / _GIB:.3g} GiB; sparse files count "
                "with their full size."
            )


def check_outputs(outputs: Iterable[tuple[Path, S3Uri | None]], most_bytes: int) -> None:
    """Check that the outputs of an instance can be stored, before the first of them is.

    Args:
        outputs: folders, and where their files go; None for those that are packed.
        most_bytes: what they may have together.

    Raises:
        JobFailure: they are too large, a name cannot be a key, or a file cannot be read.
    """
    size = OutputSize(most_bytes)
    for folder, where in outputs:
        try:
            for name, file in files_below(folder):
                with file:
                    size.add(file)
                if where is not None:
                    check_key(where.child(name).key)
        except OSError as error:
            raise client_error(f'The output folder "{folder.name}" cannot be read: {error.strerror}.') from error


def check_key(key: str) -> None:
    """Check that a key can be stored here.

    Raises:
        JobFailure: it is longer than 1024 bytes, not UTF-8, or has control characters, which no listing can hold.
    """
    if len(key.encode(errors="surrogateescape")) > _LONGEST_KEY:
        raise client_error(
            f"The output ending in {key[-_SHOWN_KEY:]!r} cannot be stored: keys have at most 1024 bytes."
        )
    if any(character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in key):
        raise client_error(
            f"The output {key!r} cannot be stored: its name has control characters, or bytes that are not UTF-8."
        )


def resolve_inside(folder: Path, tail: str) -> Path:
    """Return the file that a key's tail names inside a folder.

    Raises:
        JobFailure: the tail leads out of the folder (``..``), or is not a valid file name.
    """
    parts = [part for part in tail.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or any("\0" in part for part in parts):
        raise client_error(
            f'Failed to download data. The S3 key ending in "{tail}" does not name a file below its folder.'
        )
    return folder.joinpath(*parts)


def regular_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in a fixed order; links, sockets and pipes are skipped."""
    if folder.is_symlink():
        return
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for path in (Path(parent, name) for name in sorted(names)):
            if path.is_file() and not path.is_symlink():
                yield path


def has_link(root: Path, relative: PurePosixPath) -> bool:
    """Return whether any component of a path below ``root`` is a symbolic link that the job has put there."""
    path = root
    for part in relative.parts:
        path = path / part
        if path.is_symlink():
            return True
    return False


def _tail(prefix: str, key: str) -> str:
    """Return a key's name in the job's folder: its tail below a folder prefix, else from the last shared folder on."""
    if prefix.endswith("/") or not prefix:
        return key[len(prefix) :]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]
