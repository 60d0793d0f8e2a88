"""Which parts of moto's state one request has touched, noted where moto reaches for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from moto.core.base_backend import AccountSpecificBackend
from moto.s3.models import FakeBucket, FakeMultipart, MultipartDict, S3Backend

from localmaker.state.s3_contents import TrackedKeys
from localmaker.state.store import PieceId

BackendName = tuple[str, str, str]
BucketName = tuple[str, str, str]


@dataclass
class Changes:
    """What a request has touched; what of it differs is found out when it is stored.

    Attributes:
        backends: (service, account, region), all but S3.
        buckets: (account, partition, name).
        keys: bucket and key.
        uploads: bucket and id of a multipart upload.
        parts: of services' backends, see :mod:`localmaker.state.parts`.
    """

    backends: set[BackendName] = field(default_factory=set)
    buckets: set[BucketName] = field(default_factory=set)
    keys: set[tuple[BucketName, str]] = field(default_factory=set)
    uploads: set[tuple[BucketName, str]] = field(default_factory=set)
    parts: set[PieceId] = field(default_factory=set)

    def add(self, others: Changes) -> None:
        """Take others for one's own."""
        self.backends |= others.backends
        self.buckets |= others.buckets
        self.keys |= others.keys
        self.uploads |= others.uploads
        self.parts |= others.parts


current_changes: ContextVar[Changes | None] = ContextVar("current_changes", default=None)


@contextmanager
def only_looking() -> Iterator[None]:
    """What is reached for in the block is looked at and not changed."""
    token = current_changes.set(None)
    try:
        yield
    finally:
        current_changes.reset(token)


def _bucket_name(bucket: Any) -> BucketName:
    return bucket.account_id, bucket.partition, bucket.name


def install() -> None:
    """Put the notes into moto, for the whole process; doing it again changes nothing."""
    AccountSpecificBackend.__getitem__ = _get_backend
    S3Backend.get_bucket = _get_bucket
    S3Backend.get_object = _get_object
    FakeBucket.__init__ = _new_bucket
    FakeMultipart.set_part = _set_part
    MultipartDict.__setitem__ = _add_upload
    MultipartDict.__delitem__ = _remove_upload


_moto_get_backend = AccountSpecificBackend.__getitem__
_moto_get_bucket = S3Backend.get_bucket
_moto_get_object = S3Backend.get_object
_moto_new_bucket = FakeBucket.__init__
_moto_set_part = FakeMultipart.set_part
_moto_remove_upload = MultipartDict.__delitem__


def _get_backend(backends: Any, region: str) -> Any:
    changes = current_changes.get()
    if changes is not None and backends.service_name != "s3":
        changes.backends.add((backends.service_name, backends.account_id, "aws" if region == "global" else region))
    return _moto_get_backend(backends, region)


def _get_bucket(backend: Any, bucket_name: str) -> Any:
    bucket = _moto_get_bucket(backend, bucket_name)
    changes = current_changes.get()
    if changes is not None:
        changes.buckets.add(_bucket_name(bucket))
    return bucket


def _get_object(backend: Any, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
    found = _moto_get_object(backend, bucket_name, key_name, *args, **kwargs)
    changes = current_changes.get()
    if changes is not None and found is not None:
        changes.keys.add((_bucket_name(_moto_get_bucket(backend, bucket_name)), key_name))
    return found


def _new_bucket(bucket: Any, *args: Any, **kwargs: Any) -> None:
    _moto_new_bucket(bucket, *args, **kwargs)
    name = _bucket_name(bucket)
    bucket.keys = TrackedKeys(lambda key: _touch_key(name, key))
    bucket.multiparts.bucket = name
    changes = current_changes.get()
    if changes is not None:
        changes.buckets.add(name)


def track_restored(bucket: Any) -> None:
    """Give a bucket that was read from the state what a new one gets; its keys are empty then."""
    name = _bucket_name(bucket)
    bucket.keys = TrackedKeys(lambda key: _touch_key(name, key))
    bucket.multiparts = MultipartDict()
    bucket.multiparts.bucket = name


def _touch_key(bucket: BucketName, key: str) -> None:
    changes = current_changes.get()
    if changes is not None:
        changes.keys.add((bucket, key))


def _set_part(upload: Any, part_id: int, value: Any) -> Any:
    changes = current_changes.get()
    if changes is not None:
        # The request has reached the upload through its bucket.
        changes.uploads.update((bucket, upload.id) for bucket in changes.buckets)
    return _moto_set_part(upload, part_id, value)


def _add_upload(uploads: Any, upload_id: str, upload: Any) -> None:
    dict.__setitem__(uploads, upload_id, upload)
    _touch_upload(uploads, upload_id)


def _remove_upload(uploads: Any, upload_id: str) -> None:
    _touch_upload(uploads, upload_id)
    _moto_remove_upload(uploads, upload_id)


def _touch_upload(uploads: Any, upload_id: str) -> None:
    changes = current_changes.get()
    if changes is not None:
        changes.uploads.add((uploads.bucket, upload_id))


def touch_part(part: PieceId) -> None:
    """Note that a request changes a part of a service's backend."""
    changes = current_changes.get()
    if changes is not None:
        changes.parts.add(part)
