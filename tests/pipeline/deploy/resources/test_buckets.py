"""Every bucket that deployment makes is closed, encrypted and reached by TLS only; raw files are versioned."""

from __future__ import annotations

import json

from pipeline.aws.clients import Aws
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.planner import apply_plan, make_plan
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.stack import resources_to_remove
from pipeline.settings.environment import Settings

BUNDLE = Bundle("ab" * 32, b"archive", b"launcher", b"functions")


def test_buckets_are_closed(aws: Aws, environment: Settings) -> None:
    buckets = [thing for thing in resources_to_remove(environment, BUNDLE) if isinstance(thing, Bucket)]
    assert buckets
    for bucket in buckets:
        apply_plan(make_plan([bucket], aws), aws)
        blocked = aws.s3.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"]
        assert set(blocked.values()) == {True}
        rules = aws.s3.get_bucket_encryption(Bucket=bucket.name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
        (statement,) = json.loads(aws.s3.get_bucket_policy(Bucket=bucket.name)["Policy"])["Statement"]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    raw = next(bucket for bucket in buckets if bucket.name == environment.raw_bucket)
    assert aws.s3.get_bucket_versioning(Bucket=raw.name)["Status"] == "Enabled"
