"""S3's events for EventBridge: the shape that AWS documents, one event for one thing that happened."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from moto.s3.notifications import _detail_type

from pipeline.local.requests import current_request

if TYPE_CHECKING:
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


def next_sequencer() -> str:
    """The sequencer of something that has just happened to an object."""
    return _sequencer.next()


def s3_event(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
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
    found["sequencer"] = next_sequencer()
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
    return {
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": account_id,
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": detail,
    }


def deliveries_of(bridge: EventBridge, events: list[dict[str, Any]]) -> list[Outgoing]:
    """The deliveries that the events of one request cause."""
    return [delivery for event in events for delivery in bridge.matching(event)]
