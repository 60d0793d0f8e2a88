from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.local.daemon import EndpointHandle
from pipeline.local.featurestore.groups import with_status

DEFINITIONS = [{"FeatureName": "id", "FeatureType": "String"}, {"FeatureName": "at", "FeatureType": "Fractional"}]


def request(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "FeatureGroupName": name,
        "RecordIdentifierFeatureName": "id",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": DEFINITIONS,
        "OnlineStoreConfig": {"EnableOnlineStore": True, "TtlDuration": {"Unit": "Days", "Value": 3}},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://bucket/prefix/"}},
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "Description": "a group",
        "Tags": [{"Key": "a", "Value": "1"}],
        **changes,
    }


def test_life_of_a_feature_group(endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]) -> None:
    sagemaker = endpoint.client("sagemaker")
    arn = sagemaker.create_feature_group(**request(unique))["FeatureGroupArn"]
    assert arn == f"arn:aws:sagemaker:{endpoint.region}:123456789012:feature-group/{unique}"

    def status() -> str:
        return str(sagemaker.describe_feature_group(FeatureGroupName=unique)["FeatureGroupStatus"])

    assert status() in ("Creating", "Created")
    eventually(lambda: status() == "Created")
    described = sagemaker.describe_feature_group(FeatureGroupName=unique)
    assert described["OnlineStoreConfig"] == {
        "EnableOnlineStore": True,
        "StorageType": "Standard",
        "TtlDuration": {"Unit": "Days", "Value": 3},
    }
    assert described["Description"] == "a group"
    storage = described["OfflineStoreConfig"]["S3StorageConfig"]
    assert storage["ResolvedOutputS3Uri"].startswith(
        f"s3://bucket/prefix/123456789012/sagemaker/{endpoint.region}/offline-store/{unique}-"
    )
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        sagemaker.create_feature_group(**request(unique))
    sagemaker.update_feature_group(
        FeatureGroupName=arn, FeatureAdditions=[{"FeatureName": "new", "FeatureType": "Integral"}]
    )
    names = [one["FeatureName"] for one in sagemaker.describe_feature_group(FeatureGroupName=arn)["FeatureDefinitions"]]
    assert names == ["id", "at", "new"]
    listed = sagemaker.list_feature_groups(NameContains=unique)["FeatureGroupSummaries"]
    assert [one["FeatureGroupName"] for one in listed] == [unique]
    sagemaker.delete_feature_group(FeatureGroupName=unique)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_feature_group(FeatureGroupName=unique)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_feature_group(FeatureGroupName=unique)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RecordIdentifierFeatureName": "x"}, r"RecordIdentifierFeatureName \[x\] is not in FeatureDefinitions"),
        ({"EventTimeFeatureName": "x"}, "EventTimeFeatureName"),
        ({"RecordIdentifierFeatureName": "at"}, "must be of type String or Integral"),
        ({"FeatureDefinitions": DEFINITIONS + DEFINITIONS[:1]}, "duplicate"),
        ({"OnlineStoreConfig": {"EnableOnlineStore": False}, "OfflineStoreConfig": None}, "At least one"),
        ({"FeatureGroupName": "-dash"}, "regular expression pattern"),
    ],
)
def test_what_is_refused(endpoint: EndpointHandle, unique: str, changes: dict[str, Any], message: str) -> None:
    sagemaker = endpoint.client("sagemaker")
    wanted = {key: value for key, value in request(unique, **changes).items() if value is not None}
    with pytest.raises(sagemaker.exceptions.ClientError, match=message) as refused:
        sagemaker.create_feature_group(**wanted)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_group_is_creating_for_a_moment() -> None:
    description = {"FeatureGroupStatus": "Creating", "CreationTime": 100.0}
    assert with_status(description, 100.1)["FeatureGroupStatus"] == "Creating"
    assert with_status(description, 100.2)["FeatureGroupStatus"] == "Created"
