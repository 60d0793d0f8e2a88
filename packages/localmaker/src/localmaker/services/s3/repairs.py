"""Answers of moto's S3 that are not what S3 answers, put right.

- A bucket policy's conditions are not looked at, so a statement that denies plain HTTP locks everybody out. Here a
  condition on ``aws:SecureTransport`` is answered as S3 would answer a TLS client (the loopback interface stands for
  TLS), and a statement with another condition, which can't be judged here, does not apply.
- ``CompleteMultipartUpload`` gives a version where the bucket has none.
- ``GetBucketNotificationConfiguration`` leaves out the EventBridge configuration that ``Put…`` has stored, and ``Put…``
  fails on a filter whose name begins with a capital, as S3 itself writes it, or whose value is empty.

What is checked before a write is in ``s3_conditions``, what becomes of versions in ``s3_versions``, what is refused in
``s3_errors``, what a bucket is born with in ``s3_defaults``, single parts of objects are in ``s3_parts``, and what
answers say beside in ``s3_answers``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from localmaker.services.s3 import answers as s3_answers
from localmaker.services.s3 import conditions as s3_conditions
from localmaker.services.s3 import defaults as s3_defaults
from localmaker.services.s3 import errors as s3_errors
from localmaker.services.s3 import parts as s3_parts
from localmaker.services.s3 import versions as s3_versions

_CONTEXT = {"aws:securetransport": "true"}


def repair_s3() -> None:
    """Put them right for the whole process; doing it again changes nothing."""
    FakeBucket.get_permission = _get_permission
    S3Response.get_bucket_notification = _get_bucket_notification
    S3Response._notification_config_from_body = _notification_config  # noqa: SLF001 - moto has no hook for it
    S3Response._key_response_post = _key_response_post  # noqa: SLF001 - as above
    s3_answers.install()
    s3_conditions.install()
    s3_defaults.install()
    s3_errors.install()
    s3_parts.install()
    s3_versions.install()


_moto_key_response_post = S3Response._key_response_post  # noqa: SLF001 - as above
_moto_notification_config = S3Response._notification_config_from_body  # noqa: SLF001 - as above
_moto_get_bucket_notification = S3Response.get_bucket_notification


def _get_permission(bucket: Any, action: str, resource: str) -> Any:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = applicable(json.loads(bucket.policy))
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def applicable(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The statements of a policy whose conditions hold, without their conditions."""
    statements = policy.get("Statement", [])
    if isinstance(statements, Mapping):
        statements = [statements]
    return {
        **policy,
        "Statement": [
            {key: value for key, value in statement.items() if key != "Condition"}
            for statement in statements
            if condition_holds(statement.get("Condition", {}))
        ],
    }


def condition_holds(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every part is a ``Bool`` on a key that is known here, with the value that it has here."""
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


def _key_response_post(response: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _moto_key_response_post(response, *args, **kwargs)
    if answer[1].get("x-amz-version-id") == "null":
        del answer[1]["x-amz-version-id"]
    return answer


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
