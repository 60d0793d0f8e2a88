"""Queries over tables of the catalog: rows, types, files of results, pages and states."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


def test_a_table_is_read_with_the_catalogs_columns_and_partitions(lake):
    identifier = lake.start("SELECT * FROM rides ORDER BY ID")
    execution = lake.ended(identifier)
    assert lake.page(identifier)[0] == [
        ["id", "name", "far", "day"],
        ["1", "x", "0.5", "1"],
        ["2", None, "-0.0", "1"],
        ["3", None, "1.0E10", "2"],
    ]
    assert lake.types(identifier) == [("id", "bigint"), ("name", "varchar"), ("far", "double"), ("day", "varchar")]
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{lake.bucket}/results/{identifier}.csv"
    assert lake.object(location).splitlines()[:3] == [
        '"id","name","far","day"',
        '"1","x","0.5","1"',
        '"2",,"-0.0","1"',
    ]
    assert lake.object(f"{location}.metadata")
    assert execution["StatementType"] == "DML"
    assert execution["Statistics"]["DataScannedInBytes"] > 0
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]


def test_text_files_are_read_as_their_serde_does(lake):
    # OpenCSVSerde has no NULL, LazySimpleSerDe no quotes.
    assert lake.rows("SELECT * FROM quoted ORDER BY n")[1:] == [
        ["1", 'a, "b"', "0.5"],
        ["2", "", "1000.0"],
        ["3", "back\\slash", "-0.0"],
    ]
    assert lake.rows("SELECT * FROM plain ORDER BY n")[1:] == [["1", '"as it is"'], ["2", None], [None, ""]]


def test_joins_common_tables_windows_and_unnest(lake):
    sql = """
        WITH rides AS (SELECT id, name FROM rides WHERE day = '1'), counted AS (SELECT count(*) AS c FROM rides)
        SELECT r.id, q.text, c, row_number() OVER (ORDER BY r.id DESC, item) AS place, item, q.x
        FROM rides r JOIN awsdatacatalog.DATABASE.quoted AS q ON r.id = q.n CROSS JOIN counted
        CROSS JOIN UNNEST(ARRAY['u', 'v']) AS items (item)
        ORDER BY 1, item
    """
    assert lake.rows(sql.replace("DATABASE", lake.database))[1:] == [
        ["1", 'a, "b"', "2", "3", "u", "0.5"],
        ["1", 'a, "b"', "2", "4", "v", "0.5"],
        ["2", "", "2", "1", "u", "1000.0"],
        ["2", "", "2", "2", "v", "1000.0"],
    ]


#: Expression → type and text in Athena.
EXPRESSIONS = {
    "7 / 2": ("integer", "3"),
    "-7 / 2": ("integer", "-3"),
    "7e0 / 2": ("double", "3.5"),
    "sum(id)": ("bigint", "6"),
    "count(*)": ("bigint", "3"),
    "avg(far) > 1": ("boolean", "true"),
    "1e7": ("double", "1.0E7"),
    "1e-3": ("double", "0.001"),
    "1e-4": ("double", "1.0E-4"),
    "CAST(0.1 AS real)": ("float", "0.1"),
    "nan()": ("double", "NaN"),
    "-infinity()": ("double", "-Infinity"),
    "CAST(1.5 AS decimal(10,3))": ("decimal", "1.500"),
    "DATE '2026-01-31'": ("date", "2026-01-31"),
    "TIMESTAMP '2026-01-31 01:02:03.456'": ("timestamp", "2026-01-31 01:02:03.456"),
    "from_iso8601_timestamp('2026-01-31T01:00:00Z')": ("timestamp with time zone", "2026-01-31 01:00:00.000 UTC"),
    "date_diff('day', DATE '2026-01-01', DATE '2026-02-01')": ("bigint", "31"),
    "date_format(TIMESTAMP '2026-01-31 01:02:03', '%Y-%m-%d %H:%i')": ("varchar", "2026-01-31 01:02"),
    "date_parse('31.01.2026', '%d.%m.%Y')": ("timestamp", "2026-01-31 00:00:00.000"),
    "ARRAY[1, NULL]": ("array", "[1, null]"),
    "MAP(ARRAY['a'], ARRAY[2.5e0])": ("map", "{a=2.5}"),
    "CAST(ROW(1, 'x') AS ROW(a integer, b varchar))": ("row", "{a=1, b=x}"),
    "to_utf8('hi')": ("varbinary", "68 69"),
    "NULL": ("unknown", None),
    "''": ("varchar", ""),
    "regexp_extract('abc', '(z)', 1)": ("varchar", None),
    "regexp_extract('abc', '(b)', 1)": ("varchar", "b"),
    "json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a.b')": ("varchar", "1"),
    "try_cast(nullif('', '') AS double)": ("double", None),
    "approx_distinct(id)": ("bigint", "3"),
    "max_by(day, id)": ("varchar", "2"),
    "element_at(array_agg(id ORDER BY id), 2)": ("bigint", "2"),
    "cardinality(sequence(1, 3))": ("bigint", "3"),
    "if(true, 'a', 'b') || concat('c', 'd')": ("varchar", "acd"),
}


def test_expressions_have_athenas_types_and_texts(lake):
    identifier = lake.start(" ".join(["SELECT", ", ".join(EXPRESSIONS), "FROM rides"]))
    execution = lake.ended(identifier)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    names, row = lake.page(identifier)[0]
    assert names == [f"_col{number}" for number in range(len(EXPRESSIONS))]
    types = [kind for _, kind in lake.types(identifier)]
    assert dict(zip(EXPRESSIONS, zip(types, row, strict=True), strict=True)) == EXPRESSIONS


def test_results_come_in_pages_of_whole_rows(lake):
    sql = "SELECT n, concat('a\nb\"', CAST(n AS varchar)) AS text FROM UNNEST(sequence(1, 2500)) AS t(n) ORDER BY n"
    identifier = lake.start(sql)
    lake.ended(identifier)
    paged = lake.endpoint.client("athena").get_paginator("get_query_results").paginate(QueryExecutionId=identifier)
    pages = [page["ResultSet"]["Rows"] for page in paged]
    assert [len(page) for page in pages] == [1000, 1000, 501]
    rows = [[cell["VarCharValue"] for cell in row["Data"]] for page in pages for row in page]
    assert rows == [["n", "text"], *([str(n), f'a\nb"{n}'] for n in range(1, 2501))]
    assert lake.page(identifier, MaxResults=1)[0] == [["n", "text"]]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        lake.page(identifier, NextToken="x")


def test_parameters_are_literals_in_the_place_of_question_marks(lake):
    sql = "SELECT ? AS a, '?' AS b, id -- ?\nFROM rides WHERE id = ? AND name = ?"
    assert lake.rows(sql, ExecutionParameters=["'it''s'", "1", "'x'"])[1:] == [["it's", "?", "1"]]
    with pytest.raises(ClientError, match="expected 1 but found 0"):
        lake.start("SELECT ?")
    with pytest.raises(ClientError, match="no literal"):
        lake.start("SELECT ?", ExecutionParameters=["(SELECT max(id) FROM rides)"])


def test_projected_partitions_need_no_registration(lake):
    lake.table(
        "predictions",
        {"dteday": "string", "prediction": "double", "actual": "string"},
        {
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
                "Parameters": {"separatorChar": ",", "quoteChar": '"'},
            }
        },
        {"dt": "string"}.items(),
        **{
            "skip.header.line.count": "1",
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": "2020-01-01,NOW+1DAYS",
            "storage.location.template": f"s3://{lake.bucket}/predictions/dt=${{dt}}/",
        },
    )
    assert lake.rows("SELECT * FROM predictions") == [["dteday", "prediction", "actual", "dt"]]
    for day, row in (
        ("2026-01-01", "2011-01-01,985.5,"),
        ("2026-01-02", "2011-01-02,801.25,800"),
        ("2019-01-01", "x,1,"),
    ):
        lake.put(f"predictions/dt={day}/day-1.csv", f"dteday,prediction,actual\n{row}\n")
    lake.put("predictions/latest.json", "{}")
    sql = "SELECT dt, prediction, try_cast(nullif(actual, '') AS double) AS actual FROM predictions ORDER BY dt"
    assert lake.rows(sql)[1:] == [["2026-01-01", "985.5", None], ["2026-01-02", "801.25", "800.0"]]
    assert lake.reason("SELECT dteday FROM predictions WHERE CAST(dteday AS date) > DATE '2000-01-01' AND x = 1")


def test_show_and_describe(lake):
    assert ["rides"] in lake.rows("SHOW TABLES")
    assert lake.rows(f"SHOW TABLES IN {lake.database} 'r*'") == [["rides"]]
    assert [lake.database] in lake.rows("SHOW DATABASES")
    assert lake.rows("SHOW PARTITIONS rides") == [["day=1"], ["day=2"]]
    described = lake.rows(f"DESCRIBE `{lake.database}`.`plain`")
    assert [[cell.strip() for cell in row] for row in described] == [["n", "int", ""], ["text", "string", ""]]


def test_executions_are_listed_described_and_kept_by_work_group(lake, unique):
    athena = lake.endpoint.client("athena")
    output = {"ResultConfiguration": {"OutputLocation": f"s3://{lake.bucket}/own"}}
    athena.create_work_group(Name=unique, Configuration=output)
    ids = [lake.start("SHOW TABLES", WorkGroup=unique, ClientRequestToken=f"{unique}-{n:032}") for n in range(3)]
    again = lake.start("SHOW TABLES", WorkGroup=unique, ClientRequestToken=f"{unique}-{0:032}")
    assert again == ids[0]
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        lake.start("SHOW DATABASES", WorkGroup=unique, ClientRequestToken=f"{unique}-{0:032}")
    first = athena.list_query_executions(WorkGroup=unique, MaxResults=2)
    second = athena.list_query_executions(WorkGroup=unique, MaxResults=2, NextToken=first["NextToken"])
    assert first["QueryExecutionIds"] + second["QueryExecutionIds"] == ids[::-1]
    assert "NextToken" not in second
    # A group enforces its settings unless it says otherwise, so that results go where it says.
    execution = lake.ended(ids[0])
    assert execution["ResultConfiguration"]["OutputLocation"] == f"s3://{lake.bucket}/own/{ids[0]}.txt"
    assert execution["StatementType"] == "DDL"
    found = athena.batch_get_query_execution(QueryExecutionIds=[ids[0], unique])
    assert [one["QueryExecutionId"] for one in found["QueryExecutions"]] == ids[:1]
    assert [one["QueryExecutionId"] for one in found["UnprocessedQueryExecutionIds"]] == [unique]
    statistics = athena.get_query_runtime_statistics(QueryExecutionId=ids[0])["QueryRuntimeStatistics"]
    assert statistics["Timeline"]["TotalExecutionTimeInMillis"] >= 0


def test_a_query_stops_while_others_are_answered(lake):
    athena = lake.endpoint.client("athena")
    endless = "SELECT count(*) FROM MANY AS a (x), MANY AS b (y) WHERE x * y = 7"
    identifier = lake.start(endless.replace("MANY", "UNNEST(sequence(1, 3000000))"))
    assert lake.rows("SHOW TABLES 'rides'") == [["rides"]]
    with pytest.raises(ClientError, match="Query has not yet finished"):
        athena.get_query_results(QueryExecutionId=identifier)
    athena.stop_query_execution(QueryExecutionId=identifier)
    status = lake.ended(identifier)["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query cancelled by user")
    athena.stop_query_execution(QueryExecutionId=identifier)
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        athena.get_query_results(QueryExecutionId=identifier)
