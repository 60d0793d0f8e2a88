"""What is refused at the start, what fails, and what no query may reach."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from botocore.exceptions import ClientError

from localmaker.services.athena.engine.program import open_database


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "mismatched input 'SELEC'"),
        ("SELECT 1 FRM rides WHERE", "line 1:"),
        ("SELECT\n  1 AS 'x", "line"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        (" ; ", "mismatched input '<EOF>'"),
        ("UNLOAD (SELECT 1 AS a)", "Expecting: UNLOAD"),
        ("COPY rides TO '/tmp/x'", "Queries of this type are not supported"),
        ("ATTACH '/tmp/x' AS x", "Queries of this type are not supported"),
        ("INSTALL httpfs", "Queries of this type are not supported"),
        ("SELECT * FROM glob('/etc/*')", "mismatched input"),
        ("PRAGMA database_list", "Queries of this type are not supported"),
        ("SET enable_external_access = true", "Queries of this type are not supported"),
    ],
)
def test_what_is_no_query_is_refused_at_the_start(lake, sql, message):
    with pytest.raises(ClientError, match=message) as caught:
        lake.start(sql)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_start_needs_a_work_group_a_place_for_results_and_its_bucket(lake):
    with pytest.raises(ClientError, match="WorkGroup nobodys is not found"):
        lake.start("SELECT 1", WorkGroup="nobodys")
    with pytest.raises(ClientError, match="No output location provided"):
        lake.start("SELECT 1", ResultConfiguration={})
    with pytest.raises(ClientError, match="Unable to verify/create output bucket no-such-bucket"):
        lake.start("SELECT 1", ResultConfiguration={"OutputLocation": "s3://no-such-bucket/x/"})
    for call in ("get_query_execution", "get_query_results", "stop_query_execution"):
        with pytest.raises(ClientError, match="QueryExecution unknown was not found"):
            getattr(lake.endpoint.client("athena"), call)(QueryExecutionId="unknown")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "SELECT * FROM nothing",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{database}.nothing' does not exist",
        ),
        ("SELECT * FROM no.thing", "SCHEMA_NOT_FOUND: line 1:18: Schema 'no' does not exist"),
        ("INSERT INTO rides VALUES (1)", "the local endpoint does not cover INSERT"),
        ("DROP TABLE rides", "the local endpoint does not cover DROP"),
        ("CREATE EXTERNAL TABLE x (a int) LOCATION 's3://x/'", "the local endpoint does not cover CREATE"),
        ("EXPLAIN SELECT 1", "the local endpoint does not cover EXPLAIN"),
        ("SELECT frobnicate(id) FROM rides", "FUNCTION_NOT_FOUND: Function 'frobnicate' not registered"),
        ("SELECT * FROM read_csv('/etc/passwd')", "does not cover READ_CSV('/etc/passwd') in FROM"),
        ("SELECT * FROM TABLE(read_text('/etc/passwd'))", "the local endpoint does not cover"),
        ("SELECT * FROM '/etc/passwd'", "TABLE_NOT_FOUND"),
        ('SELECT * FROM "/etc/passwd"', "TABLE_NOT_FOUND"),
        ("WITH a AS (SELECT * FROM read_blob('/etc/passwd')) SELECT * FROM a", "the local endpoint does not cover"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "the local endpoint does not cover"),
        ("SELECT read_text('/etc/passwd')", "FUNCTION_NOT_FOUND"),
        ("SELECT current_setting('temp_directory')", "FUNCTION_NOT_FOUND"),
        ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND"),
        ("SELECT * FROM duckdb_settings()", "the local endpoint does not cover"),
        ("SELECT * FROM query('SELECT 1')", "the local endpoint does not cover"),
        ("SELECT * FROM lambda.x.y", "the local endpoint does not cover the catalog lambda"),
        ("CREATE TABLE x WITH (format = 'ORC') AS SELECT 1 AS a", "does not cover the format ORC"),
        ("CREATE TABLE x WITH (bucket_count = 2) AS SELECT 1 AS a", "does not cover the property bucket_count"),
        ("CREATE TABLE rides AS SELECT 1 AS a", "TABLE_ALREADY_EXISTS"),
        (
            "CREATE TABLE x WITH (external_location = 's3://{bucket}/rides') AS SELECT 1 AS a",
            "HIVE_PATH_ALREADY_EXISTS",
        ),
        ("UNLOAD (SELECT 1 AS a) TO 's3://{bucket}/rides/' WITH (format = 'PARQUET')", "HIVE_PATH_ALREADY_EXISTS"),
    ],
)
def test_what_cannot_run_fails_before_the_engine(lake, sql, reason):
    names = {"database": lake.database, "bucket": lake.bucket}
    found = lake.reason(sql.replace("{bucket}", lake.bucket))
    assert reason.format(**names) in found


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT\n  x FROM rides", "COLUMN_NOT_FOUND: line 2:3: Column 'x' cannot be resolved"),
        ("SELECT r.Nope FROM rides r", "COLUMN_NOT_FOUND: line 1:10: Column 'nope' cannot be resolved"),
        ("SELECT id, count(*) FROM rides", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'id' must be an aggregate"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT"),
        ("SELECT 9223372036854775807 + 1", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("CREATE TABLE x AS SELECT 1", "Column name not specified at position 1"),
        ("CREATE TABLE x AS SELECT NULL AS a", "Column type is unknown at position 1"),
        ("CREATE TABLE x AS SELECT 1 AS a, 2 AS A", "Column name 'a' specified more than once"),
    ],
)
def test_what_the_engine_refuses_has_athenas_reason(lake, sql, reason):
    assert reason in lake.reason(sql)


def test_files_that_are_not_what_the_catalog_says_fail_the_queries_that_use_them(lake):
    lake.put("bad/a.csv", 'n,text,x\n1,,""\n')
    lake.table("bad", {"n": "bigint", "text": "string", "x": "double"}, _form(lake, "quoted"), **_skip())
    assert lake.rows("SELECT n FROM bad")[1:] == [["1"]]
    assert lake.reason("SELECT x FROM bad") == (
        "HIVE_BAD_DATA: Error parsing field value '' for field 2: For input string: \"\""
    )
    lake.put_parquet("wrong/a.parquet", {"n": ["text"]})
    lake.table("wrong", {"n": "bigint"}, _form(lake, "rides"))
    assert lake.reason("SELECT * FROM wrong").startswith("HIVE_BAD_DATA: Field n's type VARCHAR")


def _form(lake, table):
    found = lake.endpoint.client("glue").get_table(DatabaseName=lake.database, Name=table)["Table"]
    return {"SerdeInfo": found["StorageDescriptor"]["SerdeInfo"]}


def _skip():
    return {"skip.header.line.count": "1"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{folder}/../secret')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/other.db'",
        "COPY (SELECT 1) TO '/tmp/written.csv'",
        "EXPORT DATABASE '/tmp/exported'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "CREATE SECRET (TYPE s3)",
    ],
)
def test_the_engine_itself_has_no_way_out_of_its_folder(tmp_path: Path, sql: str):
    folder = tmp_path / "job"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    with open_database(folder) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.replace("{folder}", str(folder))).fetchall()
