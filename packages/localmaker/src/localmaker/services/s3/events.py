"""What S3 reports of its objects: one event for each thing that happens, as AWS documents it.

moto reports a multipart upload twice (Put and CompleteMultipartUpload), a tagging beside every creation, and no delete
markers and deleted versions. Its classic notifications (SQS, SNS) stay, with the fields that it leaves out; those for
Lambda go to the local Python functions.
"""

from __future__ import annotations

import json
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.notifications import S3NotificationEvent, _detail_type

from localmaker.ports import current_request
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.delivery import outgoing
from localmaker.services.events.targets import Matched
from localmaker.services.s3.objects import delete_object

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
# These came with version 2.3 of the message, and have no sequencer.
_LATE_KINDS = ("ObjectTagging:", "ObjectAcl:")
_KINDS_WITH_SIZE = ("ObjectCreated:", "ObjectRestore:")
_EMPTY_ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
_WITH_A_CREATION = ("s3:ObjectTagging:Put", "s3:ObjectAcl:Put")
# The operation, "upload" or "deletions", during which moto raises events for parts of it.
_operation: ContextVar[str] = ContextVar("operation", default="")


@dataclass(frozen=True)
class _Version:
    """What an event says of a version that is deleted, or of a delete marker."""

    name: str
    version_id: str
    etag: str = _EMPTY_ETAG
    size: int = 0


def install(events: EventBridge) -> None:
    """Patch moto for the whole process. Calling it again replaces the receiver of events.

    Args:
        events: receives the events.
    """

    def send_event_bridge_message(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
        event = s3_event(account_id, bucket, _text(event_name), key)
        request = current_request.get()
        if request is None:
            events.publish(event)
        else:
            request.s3_events.append(event)

    def invoke_function(account_id: str, event_body: Any, fn_arn: str, region_name: str) -> None:  # noqa: ARG001 - moto's signature
        record = event_body["Records"][0]
        event = {"id": f"{record['s3']['configurationId']} {record['s3']['object']['sequencer']}"}
        target = {"Id": "notification", "Arn": fn_arn, "Input": json.dumps(event_body)}
        delivery = outgoing(Matched(event, record["s3"]["bucket"]["arn"], target))
        request = current_request.get()
        if request is None:
            events.submit([delivery])
        else:
            request.deliveries.append(delivery)

    notifications._send_event_bridge_message = send_event_bridge_message  # noqa: SLF001 - moto has no hook for it
    notifications._invoke_awslambda = invoke_function  # noqa: SLF001 - as above
    notifications._get_s3_event = _record  # noqa: SLF001 - as above
    notifications.send_event = _send_event
    S3Backend.complete_multipart_upload = _complete_multipart_upload
    S3Backend.delete_object = _delete_object
    S3Backend.delete_objects = _delete_objects


_moto_send_event = notifications.send_event
_moto_record = notifications._get_s3_event  # noqa: SLF001 - as above
_moto_complete_multipart_upload = S3Backend.complete_multipart_upload
_moto_delete_objects = S3Backend.delete_objects


def _text(event_name: Any) -> str:
    return str(getattr(event_name, "value", event_name))


def _send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
    name, operation, request = _text(event_name), _operation.get(), current_request.get()
    if operation == "upload" and not name.endswith(":CompleteMultipartUpload"):
        return
    if request is not None and key is not None:
        if name in _WITH_A_CREATION and (bucket.name, key.name) in request.created:
            return
        if name.startswith("s3:ObjectCreated:"):
            request.created.add((bucket.name, key.name))
    _moto_send_event(account_id, event_name, bucket, key)


def _record(event_name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, Any]:
    """Return a classic notification with the fields that moto leaves out."""
    message: dict[str, Any] = _moto_record(event_name, bucket, key, notification_id)
    request = current_request.get()
    [record] = message["Records"]
    record["userIdentity"] = {"principalId": f"AWS:{bucket.account_id}"}
    record["requestParameters"] = {"sourceIPAddress": request.source_ip if request else "127.0.0.1"}
    request_id = request.request_id if request else ""
    record["responseElements"] = {"x-amz-request-id": request_id, "x-amz-id-2": f"{request_id}+local"}
    record["s3"]["bucket"]["ownerIdentity"] = {"principalId": bucket.account_id}
    found = record["s3"]["object"]
    if has_version(bucket, key):
        found["versionId"] = key.version_id
    kind = record["eventName"]
    if kind.startswith(_LATE_KINDS):
        record["eventVersion"] = "2.3"
    else:
        found["sequencer"] = sequencer_of(bucket, key)
    if not kind.startswith(_KINDS_WITH_SIZE):
        del found["size"]
    if kind == "ObjectRemoved:Delete":
        del found["eTag"]
    return message


def _complete_multipart_upload(backend: Any, *args: Any, **kwargs: Any) -> Any:
    token = _operation.set("upload")
    try:
        return _moto_complete_multipart_upload(backend, *args, **kwargs)
    finally:
        _operation.reset(token)


def _delete_object(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
) -> Any:
    bucket = backend.get_bucket(bucket_name)
    before = [_version_of(one, key_name) for one in bucket.keys.getlist(key_name, [])]
    done, headers = delete_object(backend, bucket_name, key_name, version_id=version_id, bypass=bypass)
    event, gone = S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT, None
    if version_id is not None:
        gone = next((one for one in before if one.version_id == version_id), None)
    elif bucket.versioning_status is not None:
        event = S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
        gone = _Version(key_name, headers["version-id"])
    elif before:
        gone = before[-1]
    elif _operation.get() == "deletions":
        # S3 reports each key of DeleteObjects, whether it existed or not.
        gone = _Version(key_name, "null")
    if gone is not None:
        notifications.send_event(backend.account_id, event, bucket, gone)
    return done, headers


def _delete_objects(backend: Any, *args: Any, **kwargs: Any) -> Any:
    token = _operation.set("deletions")
    try:
        return _moto_delete_objects(backend, *args, **kwargs)
    finally:
        _operation.reset(token)


def _version_of(found: Any, key_name: str) -> _Version:
    if isinstance(found, FakeDeleteMarker):
        return _Version(key_name, str(found.version_id))
    return _Version(key_name, str(found.version_id), found.etag, found.size)


class Sequencer:
    """Gives hexadecimal sequencers: distinct, and greater for a later write, also after a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        """Return the next sequencer."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


_sequencer = Sequencer()


def sequencer_of(bucket: Any, key: Any) -> str:
    """Return the sequencer of the last change to an object, the same for all its notifications."""
    request = current_request.get()
    if request is None:
        return _sequencer.next()
    identity = (bucket.name, key.name, str(key.version_id))
    if identity not in request.sequencers:
        request.sequencers[identity] = _sequencer.next()
    return request.sequencers[identity]


def s3_event(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
    """Return EventBridge's event for a change to an object.

    Args:
        account_id: the account of the bucket.
        bucket: moto's bucket.
        event_name: moto's name of the event, such as ``s3:ObjectCreated:Put``.
        key: moto's object.
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
    """Return the object's part of an event. Only some kinds have a size, an ETag or a sequencer."""
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
    """Return whether an object has a version of its own, as in a bucket with versions."""
    return bucket.versioning_status is not None and str(key.version_id) != "null"


def _expiry(key: Any) -> str:
    moment: datetime = key._expiry  # noqa: SLF001 - moto shows it in a header only
    return moment.replace(hour=0, minute=0, second=0).strftime("%Y-%m-%dT%H:%M:%SZ")
