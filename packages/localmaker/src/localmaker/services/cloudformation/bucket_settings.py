"""The properties of a bucket that an operation of its own sets, in CloudFormation's words and in S3's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LIFECYCLE_NAMES = {"Id": "ID"}
_LIFECYCLE_DAYS = ("ExpirationInDays", "NoncurrentVersionExpirationInDays", "Transitions")
_CORS_NAMES = {"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"}
_LOGGING_NAMES = {"DestinationBucketName": "TargetBucket", "LogFilePrefix": "TargetPrefix"}
_NOTIFICATIONS = {
    "LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn"),
    "TopicConfigurations": ("TopicConfigurations", "Topic", "TopicArn"),
}


def _encryption(given: Mapping[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in given["ServerSideEncryptionConfiguration"]:
        default = dict(rule.get("ServerSideEncryptionByDefault", {}))
        if "KMSMasterKeyID" in default:
            default["KMSMasterKeyID"] = str(default["KMSMasterKeyID"])
        named = {"ApplyServerSideEncryptionByDefault": default} if default else {}
        others = {key: value for key, value in rule.items() if key != "ServerSideEncryptionByDefault"}
        rules.append({**named, **others})
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _notification(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key == "EventBridgeConfiguration":
            if str(value.get("EventBridgeEnabled", True)).lower() == "true":
                found[key] = {}
            continue
        name, target, parameter = _NOTIFICATIONS[key]
        found[name] = [_configuration(one, target, parameter) for one in value]
    return {"NotificationConfiguration": found}


def _configuration(given: Mapping[str, Any], target: str, parameter: str) -> dict[str, Any]:
    found: dict[str, Any] = {parameter: given[target], "Events": [given["Event"]]}
    if "Filter" in given:
        found["Filter"] = {"Key": {"FilterRules": given["Filter"]["S3Key"]["Rules"]}}
    return found


def _lifecycle(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(one) for one in given["Rules"]]}}


def _lifecycle_rule(given: Mapping[str, Any]) -> dict[str, Any]:
    rule = {_LIFECYCLE_NAMES.get(key, key): value for key, value in given.items() if key not in _LIFECYCLE_DAYS}
    rule["Filter"] = {"Prefix": rule.pop("Prefix", "")}
    if "ExpirationInDays" in given:
        rule["Expiration"] = {"Days": given["ExpirationInDays"]}
    if "NoncurrentVersionExpirationInDays" in given:
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": given["NoncurrentVersionExpirationInDays"]}
    if "Transitions" in given:
        rule["Transitions"] = [
            {"Days" if key == "TransitionInDays" else key: value for key, value in one.items()}
            for one in given["Transitions"]
        ]
    return rule


def _cors(given: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{_CORS_NAMES.get(key, key): value for key, value in one.items()} for one in given["CorsRules"]]
    return {"CORSConfiguration": {"CORSRules": rules}}


def _logging(given: Mapping[str, Any]) -> dict[str, Any]:
    enabled = {_LOGGING_NAMES.get(key, key): value for key, value in given.items()}
    return {"BucketLoggingStatus": {"LoggingEnabled": {"TargetPrefix": "", **enabled}}}


#: Property → the operation that sets it, and its parameters; in the order in which they are set.
SETTINGS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "VersioningConfiguration": ("put_bucket_versioning", lambda value: {"VersioningConfiguration": value}),
    "BucketEncryption": ("put_bucket_encryption", _encryption),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        lambda value: {"PublicAccessBlockConfiguration": value},
    ),
    "OwnershipControls": ("put_bucket_ownership_controls", lambda value: {"OwnershipControls": value}),
    "LifecycleConfiguration": ("put_bucket_lifecycle_configuration", _lifecycle),
    "CorsConfiguration": ("put_bucket_cors", _cors),
    "LoggingConfiguration": ("put_bucket_logging", _logging),
    "NotificationConfiguration": ("put_bucket_notification_configuration", _notification),
    "Tags": ("put_bucket_tagging", lambda value: {"Tagging": {"TagSet": value}}),
}
