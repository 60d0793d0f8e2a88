"""Transfers between S3 and a job's directory: prefixes down, folders up.

Keys and folder contents are not trusted. A key that would lead out of its folder fails the job, links are never
followed, and only regular files are uploaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.jobs.failures import JobStopped, client_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1024 * 1024
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
        for path in regular_files(folder):
            self.upload(path, where.child(path.relative_to(folder).as_posix()))
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
        try:
            if os.fstat(file.fileno()).st_size >= _MULTIPART_FROM:
                self._s3.upload_fileobj(file, where.bucket, where.key, ExtraArgs=self._encryption)
            else:
                self._s3.put_object(Bucket=where.bucket, Key=where.key, Body=file, **self._encryption)
        except (ClientError, BotoCoreError, UnicodeEncodeError) as error:
            raise client_error(f"Failed to upload data to {where}: {error}") from error


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
