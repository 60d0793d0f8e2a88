"""The offline store: paths, column types, and records that reach S3."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import Any

from localmaker.daemon import EndpointHandle
from localmaker.services.sagemaker.featurestore.offline import file_name, folder_of, parquet
from localmaker.services.sagemaker.featurestore.records import OfflineRow

pa: Any = importlib.import_module("pyarrow")  # it has no types
pq: Any = importlib.import_module("pyarrow.parquet")

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z
DEFINITIONS = [
    {"FeatureName": "id", "FeatureType": "String"},
    {"FeatureName": "at", "FeatureType": "String"},
    {"FeatureName": "count", "FeatureType": "Integral"},
    {"FeatureName": "x", "FeatureType": "Fractional"},
]


def row(number: int, event_time: int = NOON, deleted: bool = False, **values: str) -> OfflineRow:
    named = [{"FeatureName": name, "ValueAsString": text} for name, text in values.items()]
    return OfflineRow(number, event_time, named, NOON + 5 * SECOND, deleted)


def test_folders_and_names_are_those_of_aws() -> None:
    assert folder_of(NOON) == "year=2026/month=01/day=01/hour=12"
    name = file_name("arn", [row(1), row(2, NOON + 3 * SECOND)])
    assert name.startswith("20260101T120003Z_")
    assert len(name) == len("20260101T120003Z_") + 16 + len(".parquet")
    assert name == file_name("arn", [row(1), row(2, NOON + 3 * SECOND)])
    assert name != file_name("arn", [row(1), row(3, NOON + 3 * SECOND)])


def test_columns_have_the_types_of_the_features() -> None:
    data = parquet(
        [*DEFINITIONS, {"FeatureName": "tags", "FeatureType": "Integral", "CollectionType": "List"}],
        [
            OfflineRow(1, NOON, [{"FeatureName": "tags", "ValueAsStringList": ["1", "2"]}], NOON, False),
            row(2, id="a", count="7", x="0.5", deleted=True),
        ],
    )
    table = pq.read_table(io.BytesIO(data))
    stamp = pa.timestamp("ms", tz="UTC")
    assert table.schema.types == [
        *(pa.string(), pa.string(), pa.int64(), pa.float64(), pa.list_(pa.int64())),
        *(stamp, stamp, pa.bool_()),
    ]
    first, second = table.to_pylist()
    assert (first["id"], first["tags"], first["is_deleted"]) == (None, [1, 2], False)
    assert (second["id"], second["count"], second["x"], second["is_deleted"]) == ("a", 7, 0.5, True)


def test_records_reach_s3_and_a_missing_bucket_blocks(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, records, s3 = (
        endpoint.client(service) for service in ("sagemaker", "sagemaker-featurestore-runtime", "s3")
    )
    sagemaker.create_feature_group(
        FeatureGroupName=unique,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=DEFINITIONS,
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{unique}/offline"}},
        RoleArn="arn:aws:iam::123456789012:role/r",
    )

    def put(identifier: str, at: str) -> None:
        values = {"id": identifier, "at": at, "count": "7", "x": "0.5"}
        record = [{"FeatureName": name, "ValueAsString": text} for name, text in values.items()]
        records.put_record(FeatureGroupName=unique, Record=record)

    def status() -> str:
        return str(sagemaker.describe_feature_group(FeatureGroupName=unique)["OfflineStoreStatus"]["Status"])

    put("a", "2026-01-01T12:00:00Z")
    eventually(lambda: status() == "Blocked")
    s3.create_bucket(Bucket=unique)
    put("a", "2026-01-01T11:00:00Z")  # older than what the online store has: the offline store keeps every record
    records.delete_record(FeatureGroupName=unique, RecordIdentifierValueAsString="a", EventTime="2026-01-02T00:00:00Z")
    eventually(lambda: status() == "Active")

    def written() -> list[dict[str, Any]]:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=unique).get("Contents", [])]
        bodies = [s3.get_object(Bucket=unique, Key=key)["Body"].read() for key in keys]
        return [one for body in bodies for one in pq.read_table(io.BytesIO(body)).to_pylist()]

    eventually(lambda: len(written()) == 3)
    assert sorted((one["at"], one["is_deleted"]) for one in written()) == [
        ("2026-01-01T11:00:00Z", False),
        ("2026-01-01T12:00:00Z", False),
        ("2026-01-02T00:00:00Z", True),
    ]
    described = sagemaker.describe_feature_group(FeatureGroupName=unique)
    data = described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    prefix = data.removeprefix(f"s3://{unique}/") + "/year=2026/month=01/day=01/hour=11/20260101T110000Z_"
    assert s3.list_objects_v2(Bucket=unique, Prefix=prefix)["KeyCount"] == 1
