"""S3 buckets: versioned, encrypted, closed to the public and to plain HTTP, and telling EventBridge of new objects."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipedef.arns import partition_of
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.policy import document, statements_of
from pipeline.deploy.engine.resource import Difference, ForeignResource, Removal, Resource, State
from pipeline.deploy.engine.tags import tag_list, tag_map, without_reserved
from pipeline.deploy.resources.lifecycle import Rule, by_id
from pipeline.errors import DeploymentError

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_ALL_BLOCKED: Any = dict.fromkeys(_BLOCKS, True)
_TLS_STATEMENT_ID = "DenyPlainHttp"
_BUCKET_KEY = "BucketKeyEnabled"


@dataclass(frozen=True)
class Bucket(Resource):
    """One bucket."""

    kind = "bucket"
    region: str  #: Where it is created.
    kms_key: str | None  #: Key for SSE-KMS; None is SSE-S3.
    events: bool  #: Whether its objects' events go to EventBridge
    rules: tuple[Rule, ...] = ()  #: Lifecycle rules.
    lock: tuple[str, int] | None = None  #: Mode and days of Object Lock; None leaves whatever it has.
    #: It belongs to somebody else and has to exist. Policy statements, tags and the key that others set on it stay, and
    #: it is never removed. A bucket of our own has exactly what is declared here.
    existing: bool = False

    def _desired(self) -> State:
        return {
            "versioning": "Enabled",
            "encryption": self._encryption(),
            "public access": _ALL_BLOCKED,
            "policy": [self._tls_statement()],
            **({"EventBridge notification": True} if self.events else {}),
            "lifecycle": by_id(self.rules),
            # It needs the versions, so it comes after them.
            **({"object lock": {"Mode": self.lock[0], "Days": self.lock[1]}} if self.lock else {}),
            "tags": dict(self.tags),
        }

    def _encryption(self) -> dict[str, Any]:
        if self.kms_key is None:
            return {"SSEAlgorithm": "AES256"}
        # With a bucket key S3 calls KMS once in a while, and not for each object.
        return {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.kms_key, _BUCKET_KEY: True}

    def current(self, aws: Aws) -> State | ForeignResource | None:
        """Return the bucket as it is; None where it does not exist.

        Raises:
            DeploymentError: it should exist already and does not, or it is somebody else's, or in another region.
        """
        state = super().current(aws)
        if state is None and self.existing:
            raise DeploymentError(
                f"The settings name bucket {self.name}, which does not exist.",
                hint="Create it, correct its name under [buckets], or leave the name out to have one created.",
            )
        return state

    def _describe(self, aws: Aws) -> Any:
        try:
            answer = aws.s3.head_bucket(Bucket=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"403", "AccessDenied"}:
                raise
            raise DeploymentError(
                f"Bucket {self.name} exists, but these credentials may not read it.",
                hint="It belongs to another account, since bucket names are unique in all of AWS (choose another under "
                "[buckets]), or the credentials lack s3:ListBucket.",
            ) from error
        region = answer.get("BucketRegion", self.region)
        if region != self.region:
            raise DeploymentError(
                f"Bucket {self.name} is in {region}, and the environment in {self.region}: its events would reach no "
                "rule here, and SageMaker reads no bucket of another region.",
                hint="Name a bucket of this region under [buckets]."
                if self.existing
                else "Names of buckets and roles hold for all regions: give each region an environment of its own.",
            )
        return answer

    def _state(self, aws: Aws, found: Any) -> State:
        tags = without_reserved(self._current_tags(aws))
        statements = self._policy(aws)["Statement"]
        rules = by_id(self._rules(aws))
        if self.existing:
            # A tag under one of our keys was set before us, perhaps by another environment.
            tags = {name: value for name, value in self.tags.items() if name in tags}
            statements = [statement for statement in statements if statement == self._tls_statement()]
            rules = {name: rule for name, rule in rules.items() if name in by_id(self.rules)}
        return {
            "versioning": aws.s3.get_bucket_versioning(Bucket=self.name).get("Status", "Disabled"),
            "encryption": self._current_encryption(aws),
            "public access": self._get(aws.s3.get_public_access_block, "PublicAccessBlockConfiguration", {}),
            "policy": statements,
            "EventBridge notification": "EventBridgeConfiguration" in self._notifications(aws),
            "lifecycle": rules,
            **({"object lock": self._current_lock(aws)} if self.lock else {}),
            "tags": tags,
        }

    def _current_encryption(self, aws: Aws) -> dict[str, Any]:
        rules = self._get(aws.s3.get_bucket_encryption, "ServerSideEncryptionConfiguration", {}).get("Rules", [])
        found: dict[str, Any] = dict(rules[0].get("ApplyServerSideEncryptionByDefault", {})) if rules else {}
        with_key = str(found.get("SSEAlgorithm", "")).startswith("aws:kms")
        if self.existing and (with_key or (found and self.kms_key is None)):
            # Whatever key its owner chose is at least as good as the default, and the owner's to choose.
            return self._encryption()
        return {**found, _BUCKET_KEY: rules[0].get(_BUCKET_KEY, False)} if with_key else found

    def create(self, aws: Aws) -> None:
        """Create the bucket and set every field."""
        place: Any = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        place = {} if self.region == "us-east-1" else place
        aws.s3.create_bucket(Bucket=self.name, ObjectLockEnabledForBucket=self.lock is not None, **place)
        self.update(aws, {field: Difference(field, None, value) for field, value in self.desired().items()})

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        setters = {
            "encryption": self._put_encryption,
            "policy": self._put_policy,
            "EventBridge notification": self._put_notifications,
            "lifecycle": lambda aws: self._put_rules(aws, self.rules),
            "object lock": self._put_lock,
            "tags": self._put_tags,
        }
        for field in differences:
            if field == "versioning":
                aws.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
            elif field == "public access":
                aws.s3.put_public_access_block(Bucket=self.name, PublicAccessBlockConfiguration=_ALL_BLOCKED)
            else:
                setters[field](aws)

    def _put_encryption(self, aws: Aws) -> None:
        default = self._encryption()
        bucket_key = {_BUCKET_KEY: default.pop(_BUCKET_KEY)} if _BUCKET_KEY in default else {}
        rules: Any = [{"ApplyServerSideEncryptionByDefault": default, **bucket_key}]
        aws.s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": rules})

    def _put_notifications(self, aws: Aws) -> None:
        # The call replaces the whole configuration, so what others have set goes back in. Their queues and topics must
        # get no test event for it, and one that is gone must not make the call fail.
        merged: Any = {**self._notifications(aws), "EventBridgeConfiguration": {}}
        aws.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration=merged, SkipDestinationValidation=True
        )

    def _put_rules(self, aws: Aws, rules: Iterable[Rule]) -> None:
        # The call replaces the whole configuration, so what others have set goes back in.
        ours = by_id(self.rules)
        kept = [rule for rule in self._rules(aws) if self.existing and rule.get("ID") not in ours]
        if whole := [*kept, *rules]:
            configuration: Any = {"Rules": whole}
            aws.s3.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration=configuration)
        else:
            aws.s3.delete_bucket_lifecycle(Bucket=self.name)

    def _put_lock(self, aws: Aws) -> None:
        retention: Any = self.desired()["object lock"]
        lock: Any = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        aws.s3.put_object_lock_configuration(Bucket=self.name, ObjectLockConfiguration=lock)

    def _put_tags(self, aws: Aws) -> None:
        # The call replaces the whole set, so what others have set goes back in, reserved tags included.
        kept = self._current_tags(aws) if self.existing else {}
        aws.s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": tag_list({**self.tags, **kept})})

    def _put_policy(self, aws: Aws) -> None:
        policy = self._policy(aws)
        others = [item for item in policy["Statement"] if item.get("Sid") != _TLS_STATEMENT_ID]
        policy["Statement"] = [*(others if self.existing else []), self._tls_statement()]
        aws.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        """Say the same as for others; a bucket gets its tags after it has been created."""
        return not tags or super().is_ours(tags)

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Empty and remove the bucket; with ``keep_data`` only an empty one; of somebody else's only our rules."""
        if not self.existing:
            return super().delete(aws, keep_data=keep_data)
        if any(rule.get("ID") in by_id(self.rules) for rule in self._rules(aws)):
            self._put_rules(aws, [])
        return Removal.NOT_OURS

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        locked = False
        for page in aws.s3.get_paginator("list_object_versions").paginate(Bucket=self.name):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not versions:
                continue
            if keep_data:
                return Removal.HOLDS_DATA
            objects: Any = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
            answer = aws.s3.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
            for refused in answer.get("Errors", []):
                locked = locked or self._current_lock(aws) is not None
                if not locked:
                    raise DeploymentError(
                        f"s3://{self.name}/{refused.get('Key')} can't be removed: {refused.get('Message')}",
                        hint="Remove what holds it, then destroy again.",
                    )
        if locked:
            return Removal.LOCKED
        aws.s3.delete_bucket(Bucket=self.name)
        return Removal.REMOVED

    def _get(self, call: Callable[..., Any], member: str, default: Any) -> Any:
        """Return one member of a configuration of the bucket; the default where it has none."""
        answer = unless_missing(lambda: call(Bucket=self.name))
        return answer.get(member, default) if answer else default

    def _rules(self, aws: Aws) -> list[Any]:
        return list(self._get(aws.s3.get_bucket_lifecycle_configuration, "Rules", []))

    def _current_lock(self, aws: Aws) -> Any:
        lock = self._get(aws.s3.get_object_lock_configuration, "ObjectLockConfiguration", {})
        return lock.get("Rule", {}).get("DefaultRetention")

    def _notifications(self, aws: Aws) -> Any:
        answer = dict(aws.s3.get_bucket_notification_configuration(Bucket=self.name))
        answer.pop("ResponseMetadata", None)
        return answer

    def _current_tags(self, aws: Aws) -> dict[str, str]:
        return tag_map(self._get(aws.s3.get_bucket_tagging, "TagSet", []))

    def _policy(self, aws: Aws) -> dict[str, Any]:
        policy = json.loads(self._get(aws.s3.get_bucket_policy, "Policy", "") or json.dumps(document([])))
        return {**policy, "Statement": statements_of(policy)}

    def _tls_statement(self) -> dict[str, Any]:
        arn = f"arn:{partition_of(self.region)}:s3:::{self.name}"
        return {
            "Sid": _TLS_STATEMENT_ID,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
