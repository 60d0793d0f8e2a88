"""awswrangler reads queries in its three ways, and Feature Store's offline tables."""

from __future__ import annotations

import time
import warnings

import boto3
import pandas as pd
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import awswrangler as wr

WAYS = {
    "ctas": {"ctas_approach": True},
    "unload": {"ctas_approach": False, "unload_approach": True},
    "plain": {"ctas_approach": False},
}
SQL = "SELECT id, name, far, day, id = 1 AS first, DATE '2026-01-01' AS at FROM rides ORDER BY id"


@pytest.fixture
def session(lake, monkeypatch):
    for name, value in lake.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return boto3.Session(region_name=lake.endpoint.region)


@pytest.fixture
def read(lake, session):
    def call(sql, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas and awswrangler deprecate one another
            given = {"database": lake.database, "athena_query_wait_polling_delay": 0.05, "boto3_session": session}
            return wr.athena.read_sql_query(sql, **{**given, "keep_files": False, **more})

    return call


@pytest.mark.parametrize("place", ["given", "default", "work group"])
@pytest.mark.parametrize("way", WAYS)
def test_a_query_is_read_in_each_way_and_leaves_nothing(lake, read, way, place, unique):
    more = {"s3_output": f"s3://{lake.bucket}/{unique}/"} if place == "given" else {}
    if place == "work group":
        configuration = {"ResultConfiguration": {"OutputLocation": f"s3://{lake.bucket}/{unique}/"}}
        lake.endpoint.client("athena").create_work_group(Name=unique, Configuration=configuration)
        more = {"workgroup": unique}
    frame = read(SQL, **WAYS[way], **more)
    assert list(frame.columns) == ["id", "name", "far", "day", "first", "at"]
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["name"].isna().tolist() == [False, True, True]
    assert frame["far"].tolist() == [0.5, -0.0, 1e10]
    assert frame["day"].tolist() == ["1", "1", "2"]
    assert frame["first"].tolist() == [True, False, False]
    assert [str(value) for value in frame["at"]] == ["2026-01-01"] * 3
    assert frame.query_metadata["Status"]["State"] == "SUCCEEDED"
    assert lake.keys(f"{unique}/") == []
    tables = lake.endpoint.client("glue").get_tables(DatabaseName=lake.database)["TableList"]
    assert not [one["Name"] for one in tables if one["Name"].startswith("temp_table")]


def test_nasty_cells_are_the_same_in_each_way(lake, read, unique):
    texts = ['a "b"', "line\nbreak", "\n", ",", "ünïcödé 🚲", " blanks ", "\\", "'", "\t"]
    numbers = [2**63 - 1, -(2**63), 0, 1, -1, 7, 8, 9, None]
    doubles = [1.7976931348623157e308, 5e-324, -0.0, 0.1, 1e22, -1e-7, 123456789.125, None, 3.0]
    lake.put_parquet("nasty/a.parquet", {"s": texts, "n": pd.array(numbers, dtype="Int64"), "d": doubles})
    lake.table("nasty", {"s": "string", "n": "bigint", "d": "double"}, _parquet(lake))
    for way, how in WAYS.items():
        frame = read("SELECT * FROM nasty", s3_output=f"s3://{lake.bucket}/{unique}-{way}/", **how)
        assert frame["s"].tolist() == texts, way
        assert [None if pd.isna(one) else int(one) for one in frame["n"]] == numbers, way
        assert [None if pd.isna(one) else repr(float(one)) for one in frame["d"]] == [
            None if one is None else repr(one) for one in doubles
        ], way


def _parquet(lake):
    found = lake.endpoint.client("glue").get_table(DatabaseName=lake.database, Name="rides")["Table"]
    return {"SerdeInfo": found["StorageDescriptor"]["SerdeInfo"]}


def test_an_empty_result_keeps_its_columns(lake, read, unique):
    for way in ("ctas", "plain"):
        frame = read("SELECT id, name FROM rides WHERE id > 9", s3_output=f"s3://{lake.bucket}/{unique}/", **WAYS[way])
        assert (len(frame), list(frame.columns)) == (0, ["id", "name"])
    with pytest.raises(wr.exceptions.EmptyDataFrame):  # as on AWS: there is no file that could tell
        read("SELECT id FROM rides WHERE id > 9", s3_output=f"s3://{lake.bucket}/{unique}/u/", **WAYS["unload"])


def test_parameters_encryption_and_errors(lake, read, unique):
    key = lake.endpoint.client("kms").create_key()["KeyMetadata"]["KeyId"]
    more = {"s3_output": f"s3://{lake.bucket}/{unique}/", "ctas_approach": False, "workgroup": "primary"}
    frame = read(
        "SELECT name FROM rides WHERE name = ?",
        **more,
        params=["'x'"],
        paramstyle="qmark",
        encryption="SSE_KMS",
        kms_key=key,
        keep_files=True,
    )
    assert frame["name"].tolist() == ["x"]
    (result,) = [one for one in lake.keys(f"{unique}/") if one.endswith(".csv")]
    head = lake.endpoint.client("s3").head_object(Bucket=lake.bucket, Key=result)
    assert head["ServerSideEncryption"] == "aws:kms"
    with pytest.raises(wr.exceptions.QueryFailed, match="Column 'nope' cannot be resolved"):
        read("SELECT nope FROM rides", **more)


def test_a_table_that_a_query_makes_has_partitions(lake, read, unique):
    name = unique.replace("-", "_")
    lake.rows(
        "CREATE TABLE NAME WITH (format = 'PARQUET', write_compression = 'SNAPPY', partitioned_by = ARRAY['day', 'n'],"
        " external_location = 's3://BUCKET/NAME/') AS SELECT id, TIMESTAMP '2026-01-01 00:00:00.5' AS at,"
        " 'a/b ' || day AS day, CAST(NULL AS integer) AS n FROM rides".replace("NAME", name).replace(
            "BUCKET", lake.bucket
        )
    )
    glue = lake.endpoint.client("glue")
    table = glue.get_table(DatabaseName=lake.database, Name=name)["Table"]
    assert [(one["Name"], one["Type"]) for one in table["StorageDescriptor"]["Columns"]] == [
        ("id", "bigint"),
        ("at", "timestamp"),
    ]
    found = glue.get_partitions(DatabaseName=lake.database, TableName=name)["Partitions"]
    assert sorted(one["Values"][0] for one in found) == ["a/b 1", "a/b 2"]
    assert lake.rows("SELECT id, at, day, n FROM NAME ORDER BY id".replace("NAME", name))[1:] == [
        ["1", "2026-01-01 00:00:00.500", "a/b 1", None],
        ["2", "2026-01-01 00:00:00.500", "a/b 1", None],
        ["3", "2026-01-01 00:00:00.500", "a/b 2", None],
    ]


def test_the_offline_store_is_queried(lake, read, session, eventually, unique):
    sagemaker = lake.endpoint.client("sagemaker")
    sagemaker.create_feature_group(
        FeatureGroupName=unique,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="At",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "At", "FeatureType": "String"},
            {"FeatureName": "x", "FeatureType": "Fractional"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{lake.bucket}/features"}},
        RoleArn="arn:aws:iam::123456789012:role/any",
    )
    described = eventually(
        lambda: (
            (one := sagemaker.describe_feature_group(FeatureGroupName=unique))["FeatureGroupStatus"] == "Created"
            and one
        )
    )
    runtime = lake.endpoint.client("sagemaker-featurestore-runtime")
    for name, at, x in (("a", "2026-01-01T10:00:00Z", "0.5"), ("b", "2026-01-02T11:00:00Z", "1")):
        record = {"id": name, "At": at, "x": x}
        runtime.put_record(
            FeatureGroupName=unique, Record=[{"FeatureName": k, "ValueAsString": v} for k, v in record.items()]
        )
    runtime.delete_record(FeatureGroupName=unique, RecordIdentifierValueAsString="a", EventTime="2026-01-03T00:00:00Z")
    table = described["OfflineStoreConfig"]["DataCatalogConfig"]["TableName"]
    glue = lake.endpoint.client("glue")
    eventually(
        lambda: len(glue.get_partitions(DatabaseName="sagemaker_featurestore", TableName=table)["Partitions"]) == 3
    )
    started = time.time()
    sql = 'SELECT * FROM "sagemaker_featurestore"."NAME" ORDER BY at'.replace("NAME", table)
    for way, how in WAYS.items():
        output = f"s3://{lake.bucket}/offline-{unique}-{way}/"
        frame = read(sql, database="sagemaker_featurestore", s3_output=output, **how)
        assert list(frame.columns) == [
            *("id", "at", "x", "write_time", "api_invocation_time", "is_deleted"),
            *("year", "month", "day", "hour"),
        ]
        assert frame["id"].tolist() == ["a", "b", "a"]
        assert frame["x"].tolist()[:2] == [0.5, 1.0]
        assert frame["is_deleted"].tolist() == [False, False, True]
        assert frame["hour"].tolist() == ["10", "11", "00"]
        for column in ("write_time", "api_invocation_time"):
            assert str(frame[column].dtype) == "datetime64[ns]", way
            ages = started - frame[column].astype("int64") / 1e9
            assert ((ages > -1) & (ages < 600)).all()
