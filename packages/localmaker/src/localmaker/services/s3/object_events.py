"""S3's events for EventBridge: the shape that AWS documents, one event for one thing that happened."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Any

from moto.s3.notifications import _detail_type

from localmaker.http.requests import current_request

_CREATED = "Object Created"
_DELETED = "Object Deleted"
_RESTORE_INITIATED = "Object Restore Initiated"
_RESTORED = "Object Restore Completed"
_S3_ITSELF = "s3.amazonaws.com"
_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
    "s3:ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}


class Sequencer:
    """Sequencers: hexadecimal, distinct, and greater for a later write, also after a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


_sequencer = Sequencer()


def sequencer_of(bucket: Any, key: Any) -> str:
    """The sequencer of what has just happened to an object; the same for all who are told of it."""
    request = current_request.get()
    if request is None:
        return _sequencer.next()
    identity = (bucket.name, key.name, str(key.version_id))
    if identity not in request.sequencers:
        request.sequencers[identity] = _sequencer.next()
    return request.sequencers[identity]


def s3_event(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
    """An event from moto's bucket and key.

    Args:
        event_name: moto's name of what happened, such as ``s3:ObjectCreated:Put``.
    """
    detail_type = _detail_type(event_name)
    request = current_request.get()
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _object(detail_type, event_name, bucket, key),
        "request-id": request.request_id if request else "",
        "requester": account_id,
    }
    if detail_type == _RESTORED:
        detail["requester"] = _S3_ITSELF
        detail["restore-expiry-time"] = _expiry(key)
    else:
        detail["source-ip-address"] = request.source_ip if request else "127.0.0.1"
    if detail_type in (_RESTORE_INITIATED, _RESTORED):
        detail["source-storage-class"] = key.storage_class
    if event_name in _REASONS:
        detail["reason"] = _REASONS[event_name]
    if detail_type == _DELETED:
        marked = event_name.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marked else "Permanently Deleted"
    return {
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": account_id,
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": detail,
    }


def _object(detail_type: str, event_name: str, bucket: Any, key: Any) -> dict[str, Any]:
    """What an event says of the object; only some kinds have a size, an ETag, or a sequencer."""
    found: dict[str, Any] = {"key": key.name}
    if detail_type in (_CREATED, _RESTORE_INITIATED, _RESTORED):
        found["size"] = key.size
    if detail_type != _DELETED or event_name.endswith("DeleteMarkerCreated"):
        found["etag"] = key.etag.strip('"')
    if has_version(bucket, key):
        found["version-id"] = key.version_id
    if detail_type in (_CREATED, _DELETED):
        found["sequencer"] = sequencer_of(bucket, key)
    return found


def has_version(bucket: Any, key: Any) -> bool:
    """Whether an object has a version of its own, and not the one that a bucket without versions has of each."""
    return bucket.versioning_status is not None and str(key.version_id) != "null"


def _expiry(key: Any) -> str:
    moment: datetime = key._expiry  # noqa: SLF001 - moto shows it in a header only
    return moment.replace(hour=0, minute=0, second=0).strftime("%Y-%m-%dT%H:%M:%SZ")
