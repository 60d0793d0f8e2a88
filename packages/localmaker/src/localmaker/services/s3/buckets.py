"""What S3 does with buckets where moto does otherwise.

- A bucket is created as S3 creates every one since April 2023: its objects are encrypted with keys of S3, public access
  is blocked, and objects belong to the bucket's owner. The encryption can be changed but not removed.
- moto does not evaluate the conditions of a bucket policy, so that a statement that denies plain HTTP would lock
  everybody out. Here a condition on ``aws:SecureTransport`` is evaluated as for a TLS client (the loopback interface
  stands for TLS), and a statement with another condition, which cannot be evaluated here, does not apply.
- Object Lock can be switched on and changed whatever the bucket holds, as S3 allows since November 2023 ("Configuring
  S3 Object Lock" in the user guide), and a default retention has days or years, but not both.
- ``GetBucketNotificationConfiguration`` leaves out the EventBridge configuration that ``Put…`` has stored, and ``Put…``
  fails on a filter whose name begins with a capital, as S3 itself writes it, or whose value is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from localmaker.errors import AwsError

_ENCRYPTION = {
    "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"},
}
_OWNERSHIP: Any = "BucketOwnerEnforced"
_CONTEXT = {"aws:securetransport": "true"}


def install() -> None:
    """Patch moto for the whole process. Safe to call again."""
    S3Backend.create_bucket = _create_bucket
    S3Backend.get_bucket_encryption = _get_bucket_encryption
    S3Backend.get_object_lock_configuration = _get_object_lock_configuration
    S3Backend.put_object_lock_configuration = _put_object_lock_configuration
    IAMPolicyStatement.is_action_permitted = _is_action_permitted
    S3Response.get_bucket_notification = _get_bucket_notification
    S3Response._notification_config_from_body = _notification_config  # noqa: SLF001 - moto has no hook for it


_moto_create_bucket = S3Backend.create_bucket
_moto_get_bucket_encryption = S3Backend.get_bucket_encryption
_moto_get_object_lock_configuration = S3Backend.get_object_lock_configuration
_moto_is_action_permitted = IAMPolicyStatement.is_action_permitted
_moto_get_bucket_notification = S3Response.get_bucket_notification
_moto_notification_config = S3Response._notification_config_from_body  # noqa: SLF001 - as above


def _create_bucket(backend: S3Backend, *args: Any, **kwargs: Any) -> FakeBucket:
    bucket = _moto_create_bucket(backend, *args, **kwargs)
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    # moto sets the ownership that a request names after this.
    bucket.ownership_rule = _OWNERSHIP
    return bucket


def _get_bucket_encryption(backend: S3Backend, bucket_name: str) -> dict[str, Any]:
    return _moto_get_bucket_encryption(backend, bucket_name) or _ENCRYPTION


def _get_object_lock_configuration(backend: S3Backend, bucket_name: str) -> tuple[bool, str | None, Any, Any]:
    enabled, mode, days, years = _moto_get_object_lock_configuration(backend, bucket_name)
    return enabled, mode, days or None, years or None


def _put_object_lock_configuration(backend: S3Backend, bucket_name: str, lock_enabled: bool, *retention: Any) -> None:
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise AwsError("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply Object Lock.", 409)
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = retention


def _is_action_permitted(
    statement: Any,
    action: str,
    resource: str = "*",
    principal: str | None = None,
    incoming_condition_values: dict[str, str] | None = None,
) -> Any:
    conditions = statement._statement.get("Condition")  # noqa: SLF001 - as above
    # moto itself evaluates the conditions of a trust policy, for which it is given a principal and values.
    if conditions and principal is None and incoming_condition_values is None:
        if not condition_holds(conditions):
            return PermissionResult.NEUTRAL
        without = {name: value for name, value in statement._statement.items() if name != "Condition"}  # noqa: SLF001
        statement = IAMPolicyStatement(without)
    return _moto_is_action_permitted(statement, action, resource, principal, incoming_condition_values)


def condition_holds(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether every condition is a ``Bool`` on a key that is known here, with the value that it has here."""
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            actual = _CONTEXT.get(key.lower())
            if operator not in {"Bool", "BoolIfExists"} or actual is None:
                return False
            if actual not in {str(value).lower() for value in values}:
                return False
    return True


def _get_bucket_notification(response: Any) -> Any:
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if configuration is None or configuration.event_bridge is None:
        return _moto_get_bucket_notification(response)
    serialized = response.serialized

    def with_event_bridge(answer: ActionResult) -> Any:
        return serialized(ActionResult({**answer.result, "EventBridgeConfiguration": {}}))

    response.serialized = with_event_bridge
    return _moto_get_bucket_notification(response)


def _notification_config(response: Any) -> Any:
    text = response.body.decode() if isinstance(response.body, bytes) else response.body
    text = _FILTER_NAME.sub(
        lambda found: found[0].lower().replace("<name>", "<Name>").replace("</name>", "</Name>"), text
    )
    response.body = _EMPTY_FILTER.sub("", _EMPTY_RULE.sub("", text))
    return _moto_notification_config(response)


_FILTER_NAME = re.compile(r"<Name>\s*(prefix|suffix)\s*</Name>", re.IGNORECASE)
_NO_VALUE = r"<Value>\s*</Value>|<Value\s*/>"
_EMPTY_RULE = re.compile(
    rf"<FilterRule>\s*(?:<Name>\w+</Name>\s*(?:{_NO_VALUE})|(?:{_NO_VALUE})\s*<Name>\w+</Name>)\s*</FilterRule>"
)
_EMPTY_FILTER = re.compile(r"<Filter>\s*<S3Key>\s*</S3Key>\s*</Filter>")
