"""What a request may change in moto's state, and what it touches, noted where moto looks it up."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from moto.core.base_backend import AccountSpecificBackend
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.s3.models import FakeBucket, FakeMultipart, MultipartDict, S3Backend
from moto.s3.utils import _VersionedKeyStore
from werkzeug.exceptions import HTTPException

from localmaker.state.store import PieceId

BackendName = tuple[str, str, str]
BucketName = tuple[str, str, str]

_READS = (
    "Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Filter", "Query", "Scan", "Select", "Test",
    "Validate", "Simulate", "Estimate", "Preview", "Check",
)  # fmt: skip
# These must be possible on a full disk.
_RELEASES = (
    "Delete", "Remove", "Untag", "Purge", "Deregister", "Detach", "Disassociate", "Stop", "Disable", "Cancel", "Abort",
)  # fmt: skip
#: Operations of SQS that change messages and nothing else.
MESSAGE_OPERATIONS = frozenset({
    "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch",
    "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "PurgeQueue",
})  # fmt: skip
# A queue serialises its own changes. The others wait for something that another request has to bring.
# So do stacks, whose resources are made by other requests.
_STACK_OPERATIONS = {"CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet", "CreateStackInstances"}
_NOT_ALONE = MESSAGE_OPERATIONS | _STACK_OPERATIONS | {"Invoke", "StartSyncExecution"}
_LARGEST_FORM = 1 << 24


@dataclass(frozen=True)
class Change:
    """A request that may change moto's state.

    Attributes:
        service: the signing name; empty if there is none.
        operation: its name; empty if the protocol does not say.
        alone: whether no other change may run at the same time.
        releases: whether it makes room, so that it must be possible on a full disk.
        of_an_object: whether it changes an object of S3, but not its bucket.
    """

    service: str
    operation: str
    alone: bool
    releases: bool = False
    of_an_object: bool = False


def change_of(environ: dict[str, Any], signing_name: str | None) -> Change | None:
    """Return what a request may change, or None if it only reads.

    Args:
        environ: the WSGI environment; the body of a form is read and put back.
        signing_name: the service; None for an unsigned request, which S3 answers.
    """
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return None
    if signing_name in (None, "s3") and not environ.get("HTTP_X_AMZ_TARGET"):
        return _change_in_s3(environ)
    operation: str = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or _form_action(environ)
    return change_by(signing_name or "", operation or _rest_operation(environ, signing_name or ""))


def change_by(service: str, operation: str) -> Change | None:
    """Return what an operation of a service other than S3 may change, or None if it only reads."""
    if operation.startswith(_READS):
        return None
    releases = operation.startswith(_RELEASES)
    return Change(service, operation, alone=operation not in _NOT_ALONE, releases=releases)


def _change_in_s3(environ: dict[str, Any]) -> Change:
    # An object has a key behind its bucket; where the bucket is in the host, this says of all keys but some that they
    # are buckets, which are changed one by one.
    method, of_an_object = environ["REQUEST_METHOD"], "/" in environ["PATH_INFO"].strip("/")
    deletes = "delete" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    releases = method == "DELETE" or (method == "POST" and deletes)
    return Change("s3", "", alone=not of_an_object and not deletes, releases=releases, of_an_object=of_an_object)


def _rest_operation(environ: dict[str, Any], service: str) -> str:
    """Return the operation that method and path name; empty if there is none, or the service has another name."""
    without_body = {**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
    try:
        operation_model, _ = get_service_router(service).match(Request(without_body))
    except (HTTPException, NotImplementedError, UnknownServiceError):
        return ""
    return str(operation_model.name)


def _form_action(environ: dict[str, Any]) -> str:
    query = parse_qs(environ.get("QUERY_STRING", ""))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") and length < _LARGEST_FORM:
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        query |= parse_qs(body.decode("utf-8", "replace"))
    return str(query.get("Action", [""])[0])


@dataclass
class Changes:
    """What a request has touched. Whether it differs is found out when it is stored.

    Attributes:
        backends: (service, account, region) of all services but S3.
        buckets: (account, partition, name).
        keys: bucket and key.
        uploads: bucket and id of a multipart upload.
        parts: parts of backends, see :mod:`localmaker.state.parts`.
    """

    backends: set[BackendName] = field(default_factory=set)
    buckets: set[BucketName] = field(default_factory=set)
    keys: set[tuple[BucketName, str]] = field(default_factory=set)
    uploads: set[tuple[BucketName, str]] = field(default_factory=set)
    parts: set[PieceId] = field(default_factory=set)

    def add(self, others: Changes) -> None:
        """Add what others have touched."""
        self.backends |= others.backends
        self.buckets |= others.buckets
        self.keys |= others.keys
        self.uploads |= others.uploads
        self.parts |= others.parts


current_changes: ContextVar[Changes | None] = ContextVar("current_changes", default=None)


@contextmanager
def only_looking() -> Iterator[None]:
    """Do not count what is looked up in the block as touched."""
    token = current_changes.set(None)
    try:
        yield
    finally:
        current_changes.reset(token)


def touch_part(part: PieceId) -> None:
    """Note that a request changes a part of a backend."""
    changes = current_changes.get()
    if changes is not None:
        changes.parts.add(part)


class TrackedKeys(_VersionedKeyStore):  # type: ignore[misc]  # moto is not typed here
    """The keys of a bucket, which report every change.

    Args:
        touched: called with each key that changes.
    """

    def __init__(self, touched: Callable[[str], None]) -> None:
        super().__init__()
        self._touched = touched

    def __setitem__(self, key: str, value: Any) -> None:
        self._touched(key)
        super().__setitem__(key, value)

    def setlist(self, key: str, list_: Any) -> None:
        """Set all versions of a key."""
        self._touched(key)
        super().setlist(key, list_)

    def pop(self, key: str) -> None:
        """Remove a key."""
        self._touched(key)
        super().pop(key)


def install() -> None:
    """Note what requests touch in moto, for the whole process. Safe to call again."""
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
    track_bucket(bucket)
    changes = current_changes.get()
    if changes is not None:
        changes.buckets.add(_bucket_name(bucket))


def track_bucket(bucket: Any) -> None:
    """Give a new bucket, or one read from the state, empty keys and uploads that report their changes."""
    name = _bucket_name(bucket)
    bucket.keys = TrackedKeys(lambda key: _touch_key(name, key))
    bucket.multiparts = MultipartDict()
    bucket.multiparts.bucket = name


def _bucket_name(bucket: Any) -> BucketName:
    return bucket.account_id, bucket.partition, bucket.name


def _touch_key(bucket: BucketName, key: str) -> None:
    changes = current_changes.get()
    if changes is not None:
        changes.keys.add((bucket, key))


def _set_part(upload: Any, part_id: int, value: Any) -> Any:
    changes = current_changes.get()
    if changes is not None:
        # The request has looked the upload up in its bucket.
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
