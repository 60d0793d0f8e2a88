"""A database with tables of both formats, and a way to run queries in it."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from localmaker.daemon import EndpointHandle

PARQUET = {"SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"}}
OPEN_CSV = {
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": '"'},
    }
}
LAZY = {
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"field.delim": ","},
    }
}


@dataclass(frozen=True)
class Lake:
    """A database over one bucket; results go below ``results/``."""

    endpoint: EndpointHandle
    bucket: str
    database: str

    def put(self, key: str, body: bytes | str) -> None:
        self.endpoint.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def put_parquet(self, key: str, columns: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)
        self.put(key, buffer.getvalue())

    def table(self, name: str, columns: dict[str, str], form: dict[str, Any], keys=(), **parameters: str) -> None:
        glue = self.endpoint.client("glue")
        described = [{"Name": column, "Type": kind} for column, kind in columns.items()]
        storage = {"Columns": described, "Location": f"s3://{self.bucket}/{name}/", **form}
        table = {"Name": name, "TableType": "EXTERNAL_TABLE", "Parameters": parameters, "StorageDescriptor": storage}
        keys = [{"Name": key, "Type": kind} for key, kind in dict(keys).items()]
        glue.create_table(DatabaseName=self.database, TableInput={**table, "PartitionKeys": keys})

    def partition(self, table: str, *values: str, folder: str) -> None:
        glue = self.endpoint.client("glue")
        storage = glue.get_table(DatabaseName=self.database, Name=table)["Table"]["StorageDescriptor"]
        given = {"Values": list(values), "StorageDescriptor": {**storage, "Location": f"s3://{self.bucket}/{folder}"}}
        glue.create_partition(DatabaseName=self.database, TableName=table, PartitionInput=given)

    def start(self, sql: str, **more: Any) -> str:
        given = {"ResultConfiguration": {"OutputLocation": f"s3://{self.bucket}/results/"}, **more}
        context = {"Database": self.database}
        started = self.endpoint.client("athena").start_query_execution(
            QueryString=sql, QueryExecutionContext=context, **given
        )
        return started["QueryExecutionId"]

    def ended(self, identifier: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while True:
            found = self.endpoint.client("athena").get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
            if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def reason(self, sql: str, **more: Any) -> str:
        """Why a query fails."""
        status = self.ended(self.start(sql, **more))["Status"]
        assert status["State"] == "FAILED", status
        assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
        return status["StateChangeReason"]

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """The rows of a query, with the names of the columns as the first."""
        identifier = self.start(sql, **more)
        status = self.ended(identifier)["Status"]
        assert status["State"] == "SUCCEEDED", status
        return self.page(identifier)[0]

    def page(self, identifier: str, **more: Any) -> tuple[list[list[str | None]], str | None]:
        answer = self.endpoint.client("athena").get_query_results(QueryExecutionId=identifier, **more)
        rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]
        return rows, answer.get("NextToken")

    def types(self, identifier: str) -> list[tuple[str, str]]:
        answer = self.endpoint.client("athena").get_query_results(QueryExecutionId=identifier)
        return [(one["Name"], one["Type"]) for one in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]

    def object(self, location: str) -> str:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return self.endpoint.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def keys(self, prefix: str) -> list[str]:
        found = self.endpoint.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in found]


@pytest.fixture(scope="module")
def lake(endpoint: EndpointHandle, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Lake:
    return new_lake(endpoint, request.module.__name__.rpartition(".")[2].replace("_", "-"))


def new_lake(endpoint: EndpointHandle, name: str) -> Lake:
    """A lake with the tables ``rides`` (Parquet, partitioned), ``quoted`` (OpenCSV) and ``plain`` (CSV)."""
    found = Lake(endpoint, f"lake-{name}", f"lake_{name.replace('-', '_')}")
    endpoint.client("s3").create_bucket(Bucket=found.bucket)
    endpoint.client("glue").create_database(DatabaseInput={"Name": found.database})
    found.table("rides", {"id": "bigint", "Name": "string", "far": "double"}, PARQUET, {"day": "string"}.items())
    found.put_parquet("rides/day=1/a.parquet", {"id": [1, 2], "NAME": ["x", None], "far": [0.5, -0.0]})
    # A later file has no name, and one column that the catalog lacks.
    found.put_parquet("rides/day=2/b.parquet", {"far": [1e10], "more": ["?"], "id": [3]})
    found.put("rides/day=2/_SUCCESS", b"hidden")
    for day in ("1", "2"):
        found.partition("rides", day, folder=f"rides/day={day}/")
    found.table("quoted", {"n": "bigint", "text": "string", "x": "double"}, OPEN_CSV, **{"skip.header.line.count": "1"})
    found.put("quoted/a.csv", 'n,text,x\n1,"a, ""b""",0.5\n2,,1e3\n"3","back\\\\slash",-0\n')
    found.table("plain", {"n": "int", "text": "string"}, LAZY)
    found.put("plain/a.csv", '1,"as it is"\n,\n2,\\N\n')
    return found
