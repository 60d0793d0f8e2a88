"""Which partitions a query reads."""

from __future__ import annotations

import pytest

from localmaker.services.athena.pruning import may_match
from localmaker.services.athena.statements import parse
from localmaker.services.athena.translation import translate

TYPES = {"day": "string", "n": "int"}
PARTITIONS = [{"day": f"2026-01-0{n}", "n": str(n)} for n in range(1, 5)]


@pytest.mark.parametrize(
    ("rest", "read"),
    [
        ("FROM t", [1, 2, 3, 4]),
        ("FROM t WHERE day = '2026-01-02'", [2]),
        ("FROM t AS x WHERE x.Day IN ('2026-01-02', '2026-01-04') AND value > 1", [2, 4]),
        ("FROM t WHERE (day >= '2026-01-02') AND day < '2026-01-04' AND n <= 2", [2]),
        ("FROM t WHERE n = 3", [3]),
        ("FROM t JOIN u ON t.id = u.id WHERE t.n = 3", [3]),
        ("FROM (SELECT * FROM t WHERE n > 2) AS t WHERE n = 1", [3, 4]),
        # All of these have to be decided row by row.
        ("FROM t WHERE n = 3 OR value = 1", [1, 2, 3, 4]),
        ("FROM t WHERE NOT n = 3", [1, 2, 3, 4]),
        ("FROM t WHERE n = '3'", [1, 2, 3, 4]),
        ("FROM t WHERE day = id", [1, 2, 3, 4]),
        ("FROM t WHERE n + 1 = 3", [1, 2, 3, 4]),
        ("FROM t WHERE u.n = 3", [1, 2, 3, 4]),
        ("FROM u LEFT JOIN t ON t.id = u.id WHERE t.n = 3", [1, 2, 3, 4]),
        ("FROM t WHERE EXISTS (SELECT 1 FROM u WHERE n = 3)", [1, 2, 3, 4]),
    ],
)
def test_a_comparison_with_literals_decides(rest, read):
    tables = translate(parse(f"SELECT * {rest}", []).query, "db").tables
    (table,) = [one for one in tables if one.name == "t"]
    assert [int(one["n"]) for one in PARTITIONS if may_match(table.conditions, one, TYPES)] == read


def test_a_query_reads_no_object_of_another_partition(lake):
    lake.put("rides/day=2/broken.parquet", "no parquet")
    try:
        assert lake.rows("SELECT id FROM rides WHERE day = '1' ORDER BY id")[1:] == [["1"], ["2"]]
        assert lake.reason("SELECT id FROM rides").startswith("HIVE_BAD_DATA")
    finally:
        lake.endpoint.client("s3").delete_object(Bucket=lake.bucket, Key="rides/day=2/broken.parquet")
