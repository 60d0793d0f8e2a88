"""KMS actions that S3 and Feature Store take with the permissions of those who read and write encrypted data.

Nothing is encrypted here. The key of an object is assumed to be its bucket's default key, or the one that a request
names ("Using server-side encryption with AWS KMS keys" in the S3 user guide).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from localmaker.services.iam.actions import Location
from localmaker.services.iam.calls import Operation
from localmaker.services.iam.evaluation import Call

_PARTITION = "aws"
_S3 = "arn:aws:s3:::"
_READS, _WRITES = {"s3:GetObject", "s3:GetObjectVersion"}, {"s3:PutObject"}
_MULTIPART = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "UploadPartCopy"}
_NO_CONTENT = {"HeadObject"}
#: What the caller of CreateFeatureGroup must be allowed on the key of the online store (OnlineStoreSecurityConfig).
FEATURE_GROUP_KEY_ACTIONS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
)


def key_use(operation: Operation, calls: Iterable[Call], location: Location) -> Iterator[Call]:
    """Yield the calls that an operation makes on the keys of encrypted data.

    Args:
        operation: with its request.
        calls: those that it needs itself.
        location: region and account.
    """
    if operation.service == "s3" and operation.name not in _NO_CONTENT:
        yield from _objects(operation, calls, location)
    if operation.name == "CreateFeatureGroup":
        key = (operation.request.get("OnlineStoreConfig") or {}).get("SecurityConfig", {}).get("KmsKeyId")
        for action in FEATURE_GROUP_KEY_ACTIONS if key else ():
            # ListAliases concerns the account, not a key.
            yield key_call(action, key, location) if action != "kms:ListAliases" else Call(action)


def key_call(action: str, key: str, location: Location, context: Mapping[str, str] | None = None) -> Call:
    """Return an action on a key, given by id, alias or ARN, with the aliases that conditions may ask for."""
    arn, aliases = _resolved(key, location)
    more = {name: (value,) for name, value in (context or {}).items()}
    return Call(action, arn, {**({"kms:resourcealiases": aliases} if aliases else {}), **more})


def _objects(operation: Operation, calls: Iterable[Call], location: Location) -> Iterator[Call]:
    via = {"kms:viaservice": f"s3.{location.region}.amazonaws.com"}
    named = operation.request.get("SSEKMSKeyId")
    for call in calls:
        key = _default_key(call.resource, location)
        if call.action in _READS and key:
            yield key_call("kms:Decrypt", key, location, via)
        if call.action in _WRITES and (named or key):
            yield key_call("kms:GenerateDataKey", str(named or key), location, via)
            if operation.name in _MULTIPART:
                # The parts are read when they are assembled.
                yield key_call("kms:Decrypt", str(named or key), location, via)


def _default_key(resource: str, location: Location) -> str | None:
    bucket = s3_backends[location.account][_PARTITION].buckets.get(resource.removeprefix(_S3).partition("/")[0])
    rules: Any = ((bucket.encryption if bucket is not None else None) or {}).get("Rule") or []
    for rule in rules if isinstance(rules, list) else [rules]:
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("SSEAlgorithm") == "aws:kms":
            return default.get("KMSMasterKeyID") or "alias/aws/s3"
    return None


def _resolved(key: str, location: Location) -> tuple[str, tuple[str, ...]]:
    """Return ARN and aliases of a key; an unknown one gets the ARN that it could have."""
    start = f"arn:aws:kms:{location.region}:{location.account}:"
    name = key.removeprefix(start).removeprefix("key/") if key.startswith("arn:") else key
    if name.startswith("arn:"):  # of another account or region
        return key, ()
    backend = kms_backends[location.account][location.region]
    for known in backend.keys.values():
        aliases = tuple(sorted(known.aliases))
        if name == known.id or name in aliases:
            return known.arn, aliases
    if name.startswith("alias/"):
        return f"{start}key/{name.replace('/', '-')}", (name,)
    return f"{start}key/{name}", ()
