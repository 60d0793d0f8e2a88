"""New buckets, and the statements of a bucket policy that apply on the local endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.iam.access_control import IAMPolicy, PermissionResult

from localmaker.daemon import EndpointHandle
from localmaker.services.s3 import buckets


def encryption(s3, bucket):
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return rule


def test_a_new_bucket_is_encrypted_closed_and_its_owners(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    assert encryption(s3, unique) == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
    }
    assert set(s3.get_public_access_block(Bucket=unique)["PublicAccessBlockConfiguration"].values()) == {True}
    owned = s3.get_bucket_ownership_controls(Bucket=unique)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_bucket_that_another_account_is_expected_to_own_is_refused(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    owner = endpoint.client("sts").get_caller_identity()["Account"]
    s3.put_object(Bucket=unique, Key="key", Body=b"content", ExpectedBucketOwner=owner)
    for call in (s3.put_object, s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as refused:
            call(Bucket=unique, Key="key", ExpectedBucketOwner="999999999999")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError, match="InvalidBucketOwnerAWSAccountID"):
        s3.get_object(Bucket=unique, Key="key", ExpectedBucketOwner="me")


@pytest.mark.parametrize("retention", [{"Mode": "GOVERNANCE", "Days": 7}, {"Mode": "COMPLIANCE", "Years": 1}])
def test_object_lock_is_switched_on_for_a_bucket_with_objects_and_holds_later_ones(endpoint, unique, retention):
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    with pytest.raises(ClientError, match="Versioning must be 'Enabled'"):
        s3.put_object_lock_configuration(Bucket=unique, ObjectLockConfiguration=lock)
    s3.put_bucket_versioning(Bucket=unique, VersioningConfiguration={"Status": "Enabled"})
    free = s3.put_object(Bucket=unique, Key="free", Body=b"x")["VersionId"]
    s3.put_object_lock_configuration(Bucket=unique, ObjectLockConfiguration=lock)
    assert s3.get_object_lock_configuration(Bucket=unique)["ObjectLockConfiguration"] == lock
    held = s3.put_object(Bucket=unique, Key="held", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=unique, Key="free", VersionId=free)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=unique, Key="held", VersionId=held)
    (error,) = s3.delete_objects(Bucket=unique, Delete={"Objects": [{"Key": "held", "VersionId": held}]})["Errors"]
    assert (error["Key"], error["Code"]) == ("held", "AccessDenied")


def test_encryption_falls_back_and_the_rest_can_be_taken_away(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique, ObjectOwnership="ObjectWriter")
    owned = s3.get_bucket_ownership_controls(Bucket=unique)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "ObjectWriter"}]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/k"}}
    s3.put_bucket_encryption(Bucket=unique, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert encryption(s3, unique)["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    s3.delete_bucket_encryption(Bucket=unique)
    assert encryption(s3, unique)["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.delete_public_access_block(Bucket=unique)
    with pytest.raises(ClientError, match="NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket=unique)
    s3.delete_bucket_ownership_controls(Bucket=unique)
    with pytest.raises(ClientError, match="OwnershipControlsNotFoundError"):
        s3.get_bucket_ownership_controls(Bucket=unique)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"BoolIfExists": {"AWS:securetransport": ["false", "true"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
    ],
)
def test_conditions_are_judged_as_for_a_tls_client(condition, holds):
    assert buckets.condition_holds(condition) is holds


def test_only_statements_whose_conditions_hold_apply() -> None:
    buckets.install()

    def permission(*statements: dict[str, Any]) -> PermissionResult:
        policy = IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": statements}))
        return policy.is_action_permitted("s3:GetObject", "arn:aws:s3:::bucket/key")

    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    applies = {**statement, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    does_not = {**statement, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert permission(does_not) is PermissionResult.NEUTRAL
    assert permission(does_not, applies) is PermissionResult.DENIED
    assert permission() is PermissionResult.NEUTRAL
    single = IAMPolicy(json.dumps({"Statement": does_not}))
    assert single.is_action_permitted("s3:GetObject", "arn:aws:s3:::bucket/key") is PermissionResult.NEUTRAL
