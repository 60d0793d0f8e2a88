"""What a new bucket is, and what can be taken away from it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle


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
