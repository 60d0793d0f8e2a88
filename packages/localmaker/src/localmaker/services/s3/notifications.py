"""Where moto's S3 tells what has happened: each thing once, with what AWS says of it, and to those who asked.

moto raises Put and CompleteMultipartUpload for a multipart upload and a tagging beside every creation, and says nothing
of delete markers and of deleted versions. Its classic notifications (SQS, SNS) stay its own; those for Lambda go to
the local Python functions.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.notifications import S3NotificationEvent

from localmaker.http.requests import current_request
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.delivery import outgoing
from localmaker.services.events.targets import Matched
from localmaker.services.s3.object_events import has_version, s3_event, sequencer_of
from localmaker.services.s3.versions import delete_object

# Kinds that came with version 2.3 of the message; they have no sequencer.
_LATE_KINDS = ("ObjectTagging:", "ObjectAcl:")
_KINDS_WITH_SIZE = ("ObjectCreated:", "ObjectRestore:")
_EMPTY_ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
_BESIDE_A_CREATION = ("s3:ObjectTagging:Put", "s3:ObjectAcl:Put")
# Events that moto raises while it does something that is told as a whole.
_inside: ContextVar[str] = ContextVar("inside", default="")


@dataclass(frozen=True)
class _Version:
    """What an event says of a version that is deleted, or of a delete marker."""

    name: str
    version_id: str
    etag: str = _EMPTY_ETAG
    size: int = 0


def install(events: EventBridge) -> None:
    """Put it into moto, for the whole process; doing it again replaces who is told."""

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
        events.submit([outgoing(Matched(event, record["s3"]["bucket"]["arn"], target))])

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
    name, inside, request = _text(event_name), _inside.get(), current_request.get()
    if inside == "upload" and not name.endswith(":CompleteMultipartUpload"):
        return
    if request is not None and key is not None:
        if name in _BESIDE_A_CREATION and (bucket.name, key.name) in request.created:
            return
        if name.startswith("s3:ObjectCreated:"):
            request.created.add((bucket.name, key.name))
    _moto_send_event(account_id, event_name, bucket, key)


def _record(event_name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, Any]:
    """A classic notification, with the fields of AWS's that moto leaves out."""
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
    token = _inside.set("upload")
    try:
        return _moto_complete_multipart_upload(backend, *args, **kwargs)
    finally:
        _inside.reset(token)


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
    elif _inside.get() == "deletions":
        # Of many in one request S3 tells of each, whether it was there or not.
        gone = _Version(key_name, "null")
    if gone is not None:
        notifications.send_event(backend.account_id, event, bucket, gone)
    return done, headers


def _delete_objects(backend: Any, *args: Any, **kwargs: Any) -> Any:
    token = _inside.set("deletions")
    try:
        return _moto_delete_objects(backend, *args, **kwargs)
    finally:
        _inside.reset(token)


def _version_of(found: Any, key_name: str) -> _Version:
    if isinstance(found, FakeDeleteMarker):
        return _Version(key_name, str(found.version_id))
    return _Version(key_name, str(found.version_id), found.etag, found.size)
