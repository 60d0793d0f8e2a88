"""S3's events for EventBridge: the shape that AWS documents, one event for one thing that happened."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.s3.notifications import _detail_type

from pipeline.local.requests import current_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.local.events.bus import EventBridge
    from pipeline.local.events.delivery import Outgoing

_CREATED = "Object Created"
_DELETED = "Object Deleted"
_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
    "s3:ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}


@dataclass(frozen=True)
class S3Event:
    """One notification as moto raised it, already in EventBridge's shape."""

    bucket: str
    key: str
    event: dict[str, Any]


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


def s3_event(account_id: str, bucket: Any, event_name: str, key: Any) -> S3Event:
    """An event from moto's bucket and key.

    Args:
        event_name: moto's name of what happened, such as ``s3:ObjectCreated:Put``.
    """
    request = current_request.get()
    detail_type = _detail_type(event_name)
    found: dict[str, Any] = {"key": key.name}
    if detail_type == _CREATED:
        found["size"] = key.size
    found["etag"] = key.etag.strip('"')
    if bucket.is_versioned:
        found["version-id"] = key.version_id
    found["sequencer"] = _sequencer.next()
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": found,
        "request-id": request.request_id if request else "",
        "requester": account_id,
        "source-ip-address": request.source_ip if request else "127.0.0.1",
    }
    if event_name in _REASONS:
        detail["reason"] = _REASONS[event_name]
    if detail_type == _DELETED:
        marked = event_name.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marked else "Permanently Deleted"
    event = {
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": account_id,
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": detail,
    }
    return S3Event(bucket.name, key.name, event)


def one_event_each(events: Iterable[S3Event]) -> list[S3Event]:
    """The events of one request without moto's doubles.

    moto raises Put and CompleteMultipartUpload for a multipart upload, and tagging beside a creation; AWS raises the
    last creation only.
    """
    by_object: dict[tuple[str, str], list[S3Event]] = {}
    for event in events:
        by_object.setdefault((event.bucket, event.key), []).append(event)
    kept = []
    for group in by_object.values():
        created = [event for event in group if event.event["detail-type"] == _CREATED]
        kept.extend(created[-1:] or group)
    return kept


def deliveries_of(bridge: EventBridge, events: list[S3Event]) -> list[Outgoing]:
    """The deliveries that one request causes."""
    return [delivery for event in one_event_each(events) for delivery in bridge.matching(event.event)]
