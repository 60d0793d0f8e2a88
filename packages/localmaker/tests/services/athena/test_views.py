"""Views: made by Athena's statements or put into the catalog by others, read by queries and by other views."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

COLUMNS = [{"Name": "id", "Type": "bigint"}]


def put_view(lake: Any, name: str, sql: str, **more: Any) -> None:
    said = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": lake.database, **more}
    text = base64.b64encode(json.dumps(said).encode()).decode()
    lake.endpoint.client("glue").create_table(
        DatabaseName=lake.database,
        TableInput={
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true"},
            "StorageDescriptor": {"Columns": COLUMNS, "SerdeInfo": {}},
            "ViewOriginalText": f"/* Presto View: {text} */",
            "ViewExpandedText": "/* Presto View */",
        },
    )


def test_a_view_is_stored_as_athena_stores_it(lake):
    sql = "SELECT id, far AS distance, 'x' AS t, TIMESTAMP '2026-01-01 00:00:00' AS at,\n  count(*) AS n FROM rides"
    identifier = lake.start(f"CREATE VIEW stored AS {sql} GROUP BY 1, 2")
    execution = lake.ended(identifier)
    assert execution["Status"]["State"] == "SUCCEEDED", execution
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_VIEW")
    assert lake.page(identifier)[0] == []
    table = lake.endpoint.client("glue").get_table(DatabaseName=lake.database, Name="stored")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"]["presto_view"] == "true"
    types = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert types == {"id": "bigint", "distance": "double", "t": "string", "at": "timestamp", "n": "bigint"}
    encoded = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    said = json.loads(base64.b64decode(encoded))
    assert said["originalSql"] == f"{sql} GROUP BY 1, 2"
    assert (said["catalog"], said["schema"]) == ("awsdatacatalog", lake.database)
    presto = {column["name"]: column["type"] for column in said["columns"]}
    assert presto == {"id": "bigint", "distance": "double", "t": "varchar", "at": "timestamp(3)", "n": "bigint"}
    assert lake.rows("SELECT distance, n FROM stored WHERE id = 1") == [["distance", "n"], ["0.5", "1"]]
    assert lake.rows("SHOW VIEWS LIKE 'stor.*'") == [["stored"]]
    assert lake.rows("SHOW CREATE VIEW stored")[0] == ["CREATE VIEW stored AS"]
    assert [row[0].split("\t")[0].strip() for row in lake.rows("DESCRIBE stored")] == list(types)


def test_views_of_views_and_names_that_mean_something_else_outside(lake):
    lake.rows("CREATE OR REPLACE VIEW first AS WITH rides AS (SELECT * FROM rides) SELECT id, day FROM rides")
    lake.rows('CREATE OR REPLACE VIEW "second" AS SELECT a.id, b.day FROM first a JOIN first b ON a.id = b.id')
    # The query's own name hides none of the view's.
    sql = "WITH rides AS (SELECT 9 AS id) SELECT v.id, v.day FROM second AS v, rides WHERE v.id < rides.id ORDER BY 1"
    assert lake.rows(sql) == [["id", "day"], ["1", "1"], ["2", "1"], ["3", "2"]]
    assert lake.rows("SELECT count(*) FROM (SELECT x FROM second AS t(x, y))")[1:] == [["3"]]
    lake.rows("CREATE OR REPLACE VIEW first AS SELECT id + 10 AS id, day FROM rides")
    assert lake.rows("SELECT max(id) FROM second")[1:] == [["13"]]
    lake.endpoint.client("glue").create_database(DatabaseInput={"Name": "default"})
    other = lake.endpoint.client("athena").start_query_execution(
        QueryString="SELECT min(id) FROM lake_test_views.second",
        ResultConfiguration={"OutputLocation": f"s3://{lake.bucket}/results/"},
        QueryExecutionContext={"Database": "default"},
    )["QueryExecutionId"]
    assert lake.ended(other)["Status"]["State"] == "SUCCEEDED"
    assert lake.page(other)[0][1:] == [["11"]]


def test_a_view_that_another_client_has_put(lake):
    columns = [{"name": "number", "type": "bigint"}, {"name": "name", "type": "varchar"}]
    put_view(lake, "theirs", "SELECT id, name FROM rides WHERE day = '1'", columns=columns)
    assert lake.rows("SELECT * FROM theirs ORDER BY number") == [["number", "name"], ["1", "x"], ["2", None]]
    lake.rows("CREATE TABLE copied AS SELECT number FROM theirs")
    assert lake.rows("SELECT count(*) FROM copied")[1:] == [["2"]]


def test_views_that_read_themselves_are_refused(lake):
    lake.rows("CREATE VIEW one AS SELECT id FROM rides")
    lake.rows("CREATE VIEW two AS SELECT id FROM one")
    refused = "Statement would create a recursive view"
    assert lake.reason("CREATE OR REPLACE VIEW one AS SELECT * FROM one") == f"VIEW_IS_RECURSIVE: line 1:45: {refused}"
    assert refused in lake.reason("CREATE OR REPLACE VIEW one AS SELECT id FROM two")
    put_view(lake, "left_", "SELECT id FROM right_")
    put_view(lake, "right_", "SELECT id FROM left_")
    assert "View is recursive" in lake.reason("SELECT * FROM left_")
    assert lake.rows("SELECT count(*) FROM two")[1:] == [["3"]]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE VIEW rides AS SELECT 1 AS a", "ALREADY_EXISTS: View already exists"),
        ("CREATE OR REPLACE VIEW rides AS SELECT 1 AS a", "ALREADY_EXISTS: View already exists"),
        ("CREATE VIEW bad AS SELECT 1", "MISSING_COLUMN_NAME"),
        ("CREATE VIEW bad AS SELECT id, id FROM rides", "DUPLICATE_COLUMN_NAME"),
        ("CREATE VIEW bad AS SELECT nothing FROM rides", "COLUMN_NOT_FOUND: line 1:27"),
        ("CREATE VIEW bad AS SELECT * FROM missing", "TABLE_NOT_FOUND: line 1:34"),
        ("CREATE VIEW bad AS SELECT * FROM read_csv('/etc/passwd')", "in FROM"),
        ("DROP VIEW missing", "does not exist"),
        ("DROP VIEW rides", "is a table, not a view"),
        ("SHOW CREATE VIEW rides", "is not a view"),
        ("SELECT * FROM broken", "INVALID_VIEW: line 1:15: Failed analyzing stored view .*: line 1:15: Table .*gone"),
        ("SELECT * FROM escaping", "in FROM"),
        ("SELECT * FROM changing", "DROP TABLE rides is no query"),
        ("SELECT * FROM hive", "its text is not that of a Presto view"),
    ],
)
def test_what_fails(lake, sql, reason):
    glue = lake.endpoint.client("glue")
    if sql.startswith("SELECT"):
        texts = {
            "changing": "DROP TABLE rides",
            "broken": "SELECT * FROM gone",
            "escaping": "SELECT * FROM read_csv('/etc/passwd')",
            "hive": "SELECT 1",
        }
        name = sql.split()[-1]
        put_view(lake, name, texts[name])
        if name == "hive":
            table = {"Name": name, "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "select 1"}
            glue.update_table(DatabaseName=lake.database, TableInput=table)
    found = lake.reason(sql)
    assert re.search(reason, found), found


def test_a_dropped_view_is_gone(lake):
    lake.rows("CREATE VIEW gone_soon AS SELECT 1 AS a")
    lake.rows("DROP VIEW gone_soon")
    assert "does not exist" in lake.reason("SELECT * FROM gone_soon")
    lake.rows("DROP VIEW IF EXISTS gone_soon")
