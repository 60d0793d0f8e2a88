"""S3 buckets: versioned, encrypted, closed to the public and to plain HTTP, and telling EventBridge of new objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipedef.arns import partition_of
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import tag_list, tag_map
from pipeline.errors import DeploymentError

_ALL_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_TLS_STATEMENT_ID = "DenyPlainHttp"
_BUCKET_KEY = "BucketKeyEnabled"


@dataclass(frozen=True)
class Bucket:
    """One bucket.

    Attributes:
        name: of the bucket.
        region: where it is made.
        kms_key: key for SSE-KMS; None is SSE-S3.
        events: whether EventBridge hears of its objects.
        tags: name → value.
        existing: it is somebody else's and has to be there already. What others have set on it (policy statements,
            tags, their own key) stays, and it is never removed. A bucket of our own has exactly what stands here.
    """

    name: str
    region: str
    kms_key: str | None
    events: bool
    tags: Mapping[str, str]
    existing: bool = False
    kind: str = "bucket"

    def desired(self) -> State:
        """Fields that deployment decides on."""
        return {
            "versioning": "Enabled",
            "encryption": self._encryption(),
            "public access": _ALL_BLOCKED,
            "policy": [self._tls_statement()],
            **({"EventBridge notification": True} if self.events else {}),
            "tags": dict(self.tags),
        }

    def _encryption(self) -> dict[str, Any]:
        if self.kms_key is None:
            return {"SSEAlgorithm": "AES256"}
        # With a bucket key S3 asks KMS once in a while, and not for each object.
        return {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.kms_key, _BUCKET_KEY: True}

    def current(self, aws: Aws) -> State | None:
        """The bucket as it is; None where it does not exist.

        Raises:
            DeploymentError: it should exist already and does not, or it is somebody else's, or in another region.
        """
        if not self._is_there(aws):
            if self.existing:
                raise DeploymentError(
                    f"The settings name bucket {self.name}, and there is no such bucket.",
                    hint="Make it, correct its name under [buckets], or leave the name out to have one made.",
                )
            return None
        public = unless_missing(lambda: aws.s3.get_public_access_block(Bucket=self.name))
        tagging = unless_missing(lambda: aws.s3.get_bucket_tagging(Bucket=self.name))
        tags = tag_map(tagging["TagSet"]) if tagging else {}
        statements = self._policy(aws)["Statement"]
        if self.existing:
            # Whatever is said there under one of our keys was said before, perhaps by another environment.
            tags = {name: value for name, value in self.tags.items() if name in tags}
            statements = [statement for statement in statements if statement == self._tls_statement()]
        return {
            "versioning": aws.s3.get_bucket_versioning(Bucket=self.name).get("Status", "Disabled"),
            "encryption": self._current_encryption(aws),
            "public access": dict(public["PublicAccessBlockConfiguration"]) if public else {},
            "policy": statements,
            "EventBridge notification": "EventBridgeConfiguration" in self._notifications(aws),
            "tags": tags,
        }

    def _is_there(self, aws: Aws) -> bool:
        try:
            answer = unless_missing(lambda: aws.s3.head_bucket(Bucket=self.name))
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"403", "AccessDenied"}:
                raise
            raise DeploymentError(
                f"Bucket {self.name} is there, and these credentials may not look at it.",
                hint="It belongs to another account, since a name is given once in all of AWS (choose another under "
                "[buckets]), or the credentials lack s3:ListBucket.",
            ) from error
        region = answer.get("BucketRegion", self.region) if answer else self.region
        if region != self.region:
            raise DeploymentError(
                f"Bucket {self.name} is in {region}, and the environment in {self.region}: its events would reach no "
                "rule here, and SageMaker reads no bucket of another region.",
                hint="Name a bucket of this region under [buckets]."
                if self.existing
                else "Names of buckets and roles hold for all regions: give each region an environment of its own.",
            )
        return answer is not None

    def _current_encryption(self, aws: Aws) -> dict[str, Any]:
        answer = unless_missing(lambda: aws.s3.get_bucket_encryption(Bucket=self.name))
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
        found: dict[str, Any] = dict(rules[0].get("ApplyServerSideEncryptionByDefault", {})) if rules else {}
        with_key = str(found.get("SSEAlgorithm", "")).startswith("aws:kms")
        if self.existing and (with_key or (found and self.kms_key is None)):
            # Whatever key its owner chose is at least as good as the default, and the owner's to choose.
            return self._encryption()
        return {**found, _BUCKET_KEY: rules[0].get(_BUCKET_KEY, False)} if with_key else found

    def create(self, aws: Aws) -> None:
        """Make the bucket and set every field."""
        if self.region == "us-east-1":
            aws.s3.create_bucket(Bucket=self.name)
        else:
            aws.s3.create_bucket(
                Bucket=self.name,
                CreateBucketConfiguration={"LocationConstraint": self.region},  # type: ignore[typeddict-item]
            )
        self.update(aws, {field: Difference(field, None, value) for field, value in self.desired().items()})

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named, and leave all else of the bucket as it is."""
        if "versioning" in differences:
            aws.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        if "encryption" in differences:
            wanted = self._encryption()
            bucket_key = wanted.pop(_BUCKET_KEY, None)
            rule: Any = {"ApplyServerSideEncryptionByDefault": wanted}
            if bucket_key is not None:
                rule[_BUCKET_KEY] = bucket_key
            aws.s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        if "public access" in differences:
            aws.s3.put_public_access_block(
                Bucket=self.name,
                PublicAccessBlockConfiguration=_ALL_BLOCKED,  # type: ignore[arg-type]
            )
        if "policy" in differences:
            self._put_policy(aws)
        if "EventBridge notification" in differences:
            # The call replaces the whole configuration: what others have set there goes back in. Their queues and
            # topics are not to get a test event for it, nor is one that is gone to be our error.
            merged: Any = {**self._notifications(aws), "EventBridgeConfiguration": {}}
            aws.s3.put_bucket_notification_configuration(
                Bucket=self.name, NotificationConfiguration=merged, SkipDestinationValidation=True
            )
        if "tags" in differences:
            # The call replaces the whole set.
            tagging = unless_missing(lambda: aws.s3.get_bucket_tagging(Bucket=self.name)) if self.existing else None
            # All of them, those of AWS itself too, which have to go back as they are.
            tags = {**self.tags, **{tag["Key"]: tag["Value"] for tag in (tagging["TagSet"] if tagging else [])}}
            aws.s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": tag_list(tags)})

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Empty and remove the bucket; with ``keep_data`` only when nothing is in it; never somebody else's."""
        if self.existing:
            return Removal.OF_OTHERS
        if not self._is_there(aws):
            return Removal.ABSENT
        pages = aws.s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not found:
                continue
            if keep_data:
                return Removal.HOLDS_DATA
            answer = aws.s3.delete_objects(
                Bucket=self.name,
                Delete={
                    "Objects": [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found],
                    "Quiet": True,
                },
            )
            for refused in answer.get("Errors", []):
                raise DeploymentError(
                    f"s3://{self.name}/{refused.get('Key')} can't be removed: {refused.get('Message')}",
                    hint="Remove what holds it (a retention lock, for example), then destroy again.",
                )
        aws.s3.delete_bucket(Bucket=self.name)
        return Removal.REMOVED

    def _notifications(self, aws: Aws) -> Any:
        answer = dict(aws.s3.get_bucket_notification_configuration(Bucket=self.name))
        answer.pop("ResponseMetadata", None)
        return answer

    def _policy(self, aws: Aws) -> dict[str, Any]:
        answer = unless_missing(lambda: aws.s3.get_bucket_policy(Bucket=self.name))
        if not answer or not answer.get("Policy"):
            return {"Version": "2012-10-17", "Statement": []}
        policy: dict[str, Any] = json.loads(answer["Policy"])
        statements = policy["Statement"]
        # A single one may stand there without a list around it.
        return {**policy, "Statement": [statements] if isinstance(statements, Mapping) else statements}

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

    def _put_policy(self, aws: Aws) -> None:
        policy = self._policy(aws)
        others = [statement for statement in policy["Statement"] if statement.get("Sid") != _TLS_STATEMENT_ID]
        policy["Statement"] = [*(others if self.existing else []), self._tls_statement()]
        aws.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))
