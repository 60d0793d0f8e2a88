"""Feature groups: their life, their tables in the Glue data catalog, and refused definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle
from localmaker.services.sagemaker.featurestore.groups import with_status

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
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match=r"name\.\nInfo: Feature Group '.*' already exists.$"):
        sagemaker.create_feature_group(**request(unique))
    added = [{"FeatureName": "new", "FeatureType": "Integral"}]
    sagemaker.update_feature_group(FeatureGroupName=arn, FeatureAdditions=added)
    with pytest.raises(sagemaker.exceptions.ClientError, match="in progress"):
        sagemaker.update_feature_group(FeatureGroupName=arn, FeatureAdditions=added)
    eventually(
        lambda: sagemaker.describe_feature_group(FeatureGroupName=arn)["LastUpdateStatus"] == {"Status": "Successful"}
    )
    names = [one["FeatureName"] for one in sagemaker.describe_feature_group(FeatureGroupName=arn)["FeatureDefinitions"]]
    assert names == ["id", "at", "new"]
    listed = sagemaker.list_feature_groups(NameContains=unique)["FeatureGroupSummaries"]
    assert [one["FeatureGroupName"] for one in listed] == [unique]
    sagemaker.delete_feature_group(FeatureGroupName=unique)
    assert status() == "Deleting"
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_feature_group(**request(unique))
    runtime = endpoint.client("sagemaker-featurestore-runtime")
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        runtime.get_record(FeatureGroupName=unique, RecordIdentifierValueAsString="1")

    def is_gone() -> bool:
        try:
            status()
        except sagemaker.exceptions.ResourceNotFound:
            return True
        return False

    eventually(is_gone)
    assert sagemaker.list_feature_groups(NameContains=unique)["FeatureGroupSummaries"] == []
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
        (
            {
                "OfflineStoreConfig": {
                    "S3StorageConfig": {"S3Uri": "s3://bucket/prefix/"},
                    "DataCatalogConfig": {"TableName": "t", "Catalog": "c", "Database": "d"},
                }
            },
            "DataCatalogConfig is not permitted",
        ),
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
    before, after = with_status(description, 100.1), with_status(description, 100.2)
    assert before is not None
    assert before["FeatureGroupStatus"] == "Creating"
    assert after is not None
    assert after["FeatureGroupStatus"] == "Created"


def test_groups_of_one_name_that_follow_each_other_within_a_second_have_tables_of_their_own(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, glue = endpoint.client("sagemaker"), endpoint.client("glue")

    def offline() -> Any:
        return sagemaker.describe_feature_group(FeatureGroupName=unique)["OfflineStoreConfig"]

    def is_gone() -> bool:
        return sagemaker.list_feature_groups(NameContains=unique)["FeatureGroupSummaries"] == []

    stores = []
    for _ in range(4):
        sagemaker.create_feature_group(**request(unique))
        stores.append(offline())
        sagemaker.delete_feature_group(FeatureGroupName=unique)
        eventually(is_gone)
    tables = [one["DataCatalogConfig"]["TableName"] for one in stores]
    places = [one["S3StorageConfig"]["ResolvedOutputS3Uri"] for one in stores]
    assert len({*tables}) == len({*places}) == len(stores)
    locations = [
        glue.get_table(DatabaseName="sagemaker_featurestore", Name=name)["Table"]["StorageDescriptor"]["Location"]
        for name in tables
    ]
    assert locations == places


def test_the_offline_store_is_a_table_of_the_catalogue(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, glue = endpoint.client("sagemaker"), endpoint.client("glue")
    endpoint.client("s3").create_bucket(Bucket=unique)
    storage = {"S3StorageConfig": {"S3Uri": f"s3://{unique}/offline"}}
    sagemaker.create_feature_group(**request(unique, OfflineStoreConfig=storage))

    def described() -> Any:
        return sagemaker.describe_feature_group(FeatureGroupName=unique)

    eventually(lambda: described()["FeatureGroupStatus"] == "Created")
    where = described()["OfflineStoreConfig"]
    named = where["DataCatalogConfig"]
    assert named["Catalog"] == "AwsDataCatalog"

    def table() -> Any:
        return glue.get_table(DatabaseName=named["Database"], Name=named["TableName"])["Table"]

    def columns() -> dict[str, str]:
        return {one["Name"]: one["Type"] for one in table()["StorageDescriptor"]["Columns"]}

    added = {"write_time": "timestamp", "api_invocation_time": "timestamp", "is_deleted": "boolean"}
    assert columns() == {"id": "string", "at": "double", **added}
    assert table()["StorageDescriptor"]["Location"] == where["S3StorageConfig"]["ResolvedOutputS3Uri"]
    assert [one["Name"] for one in table()["PartitionKeys"]] == ["year", "month", "day", "hour"]
    sagemaker.update_feature_group(
        FeatureGroupName=unique, FeatureAdditions=[{"FeatureName": "new", "FeatureType": "Integral"}]
    )
    assert columns() == {"id": "string", "at": "double", "new": "bigint", **added}
    record = [{"FeatureName": "id", "ValueAsString": "a"}, {"FeatureName": "at", "ValueAsString": "1767268800"}]
    endpoint.client("sagemaker-featurestore-runtime").put_record(FeatureGroupName=unique, Record=record)

    def partitions() -> Any:
        return glue.get_partitions(DatabaseName=named["Database"], TableName=named["TableName"])["Partitions"]

    (partition,) = eventually(partitions)
    assert partition["Values"] == ["2026", "01", "01", "12"]
    sagemaker.delete_feature_group(FeatureGroupName=unique)
    assert table()


def test_what_was_put_before_a_group_is_deleted_is_in_the_offline_store(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, s3 = endpoint.client("sagemaker"), endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    storage = {"S3StorageConfig": {"S3Uri": f"s3://{unique}/offline"}}
    sagemaker.create_feature_group(**request(unique, OfflineStoreConfig=storage))
    record = [{"FeatureName": "id", "ValueAsString": "a"}, {"FeatureName": "at", "ValueAsString": "1767268800"}]
    endpoint.client("sagemaker-featurestore-runtime").put_record(FeatureGroupName=unique, Record=record)
    sagemaker.delete_feature_group(FeatureGroupName=unique)
    assert s3.list_objects_v2(Bucket=unique)["KeyCount"] == 1
