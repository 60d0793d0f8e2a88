"""The offline store: paths, column types, and records that reach S3."""

from __future__ import annotations

import importlib
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle
from localmaker.services.sagemaker.featurestore.offline import file_name, folder_of, parquet
from localmaker.services.sagemaker.featurestore.records import OfflineRow

pa: Any = importlib.import_module("pyarrow")  # it has no types
pq: Any = importlib.import_module("pyarrow.parquet")

SECOND = 1_000_000
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
    assert folder_of(-1) == "year=1969/month=12/day=31/hour=23"


def test_columns_have_the_types_of_the_features() -> None:
    data = parquet(
        [*DEFINITIONS, {"FeatureName": "tags", "FeatureType": "Integral", "CollectionType": "List"}],
        [
            OfflineRow(1, NOON, [{"FeatureName": "tags", "ValueAsStringList": ["1", "2"]}], NOON, False),
            row(2, id="a", count="7", x="0.5", deleted=True),
        ],
        NOON + 9 * SECOND,
    )
    table = pq.read_table(io.BytesIO(data))
    stamp = pa.timestamp("ms", tz="UTC")
    assert table.schema.types == [
        *(pa.string(), pa.string(), pa.int64(), pa.float64(), pa.list_(pa.int64())),
        *(stamp, stamp, pa.bool_()),
    ]
    first, second = table.to_pylist()
    assert (first["id"], first["tags"], first["is_deleted"]) == (None, [1, 2], False)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert (second["api_invocation_time"], second["write_time"]) == (
        noon + timedelta(seconds=5),
        noon + timedelta(seconds=9),
    )
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


TYPES = [
    {"FeatureName": "id", "FeatureType": "Integral"},
    {"FeatureName": "at", "FeatureType": "Fractional"},
    {"FeatureName": "text", "FeatureType": "String"},
    {"FeatureName": "count", "FeatureType": "Integral"},
    {"FeatureName": "x", "FeatureType": "Fractional"},
    *(
        {"FeatureName": f"{kind}s", "FeatureType": kind, "CollectionType": "List"}
        for kind in ("String", "Integral", "Fractional")
    ),
]
TEXT = "ä\t\"'𝄞 "
VALUES: dict[str, Any] = {
    "id": "7",
    "at": "1767268800.25",
    "text": TEXT,
    "count": str((1 << 63) - 1),
    "x": "-1.7976931348623157e308",
    "Strings": [TEXT, ""],
    "Integrals": [str(-(1 << 63)), "0"],
    "Fractionals": ["0.1", "5e-324"],
}


def test_every_type_survives_the_way_through_both_stores(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, records, s3 = (
        endpoint.client(service) for service in ("sagemaker", "sagemaker-featurestore-runtime", "s3")
    )
    s3.create_bucket(Bucket=unique)
    sagemaker.create_feature_group(
        FeatureGroupName=unique,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=TYPES,
        OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "InMemory"},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{unique}"}},
        RoleArn="arn:aws:iam::123456789012:role/r",
    )
    before = datetime.now(UTC).replace(microsecond=0)
    record = [
        {"FeatureName": name, "ValueAsStringList" if isinstance(value, list) else "ValueAsString": value}
        for name, value in VALUES.items()
    ]
    records.put_record(FeatureGroupName=unique, Record=record)
    # Expired before it is written: not in the online store, but offline for ever.
    other = [{"FeatureName": "id", "ValueAsString": "8"}, {"FeatureName": "at", "ValueAsString": "0"}]
    records.put_record(FeatureGroupName=unique, Record=other, TtlDuration={"Unit": "Seconds", "Value": 1})
    stored = records.get_record(FeatureGroupName=unique, RecordIdentifierValueAsString="7")["Record"]
    assert sorted(stored, key=str) == sorted(record, key=str)
    assert "Record" not in records.get_record(FeatureGroupName=unique, RecordIdentifierValueAsString="8")

    def delete(identifier: str, at: str, mode: str) -> None:
        records.delete_record(
            FeatureGroupName=unique, RecordIdentifierValueAsString=identifier, EventTime=at, DeletionMode=mode
        )

    delete("7", "1", "SoftDelete")  # too old: the record stays, but the mark is written
    assert "Record" in records.get_record(FeatureGroupName=unique, RecordIdentifierValueAsString="7")
    for wrong in (("7", "2", "HardDelete"), ("x", "3", "SoftDelete"), ("7", "1767268800250", "SoftDelete")):
        with pytest.raises(ClientError, match="ValidationError"):  # and no mark
            delete(*wrong)
    delete("7", "1767268801", "HardDelete")

    def rows() -> list[dict[str, Any]]:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=unique).get("Contents", [])]
        bodies = [s3.get_object(Bucket=unique, Key=key)["Body"].read() for key in keys]
        return [one for body in bodies for one in pq.read_table(io.BytesIO(body)).to_pylist()]

    eventually(lambda: len(rows()) == 4)
    time.sleep(0.6)  # the writer's pause, in which a fifth row would come
    found = {row["at"]: row for row in rows()}
    assert [(at, row["id"], row["is_deleted"]) for at, row in sorted(found.items())] == [
        *((0.0, 8, False), (1.0, 7, True), (1767268800.25, 7, False), (1767268801.0, 7, True)),
    ]
    whole, mark = found[1767268800.25], found[1767268801.0]
    assert before <= whole["api_invocation_time"] <= whole["write_time"]
    added = ("write_time", "api_invocation_time", "is_deleted")
    assert {name: value for name, value in whole.items() if name not in added} == {
        "id": 7,
        "at": 1767268800.25,
        "text": TEXT,
        "count": (1 << 63) - 1,
        "x": -1.7976931348623157e308,
        "Strings": [TEXT, ""],
        "Integrals": [-(1 << 63), 0],
        "Fractionals": [0.1, 5e-324],
    }
    assert {name for name, value in mark.items() if value is not None} == {"id", "at", *added}
