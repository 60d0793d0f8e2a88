"""What is known of queries after the endpoint has ended."""

from __future__ import annotations

import time

from localmaker.daemon import running_endpoint

from .conftest import Lake, new_lake


def test_results_stay_and_a_running_query_has_failed(tmp_path):
    with running_endpoint(tmp_path) as endpoint:
        lake = new_lake(endpoint, "restart")
        done = lake.start("SELECT id FROM rides WHERE id = 1")
        assert lake.ended(done)["Status"]["State"] == "SUCCEEDED"
        many = "UNNEST(sequence(1, 3000000))"
        running = lake.start("SELECT count(*) FROM MANY AS a (x), MANY AS b (y) WHERE x * y = 7".replace("MANY", many))
        while (
            endpoint.client("athena").get_query_execution(QueryExecutionId=running)["QueryExecution"]["Status"]["State"]
            != "RUNNING"
        ):
            time.sleep(0.05)
        started = time.monotonic()
    assert time.monotonic() - started < 30
    assert not list((tmp_path / "athena").glob("*"))
    with running_endpoint(tmp_path) as endpoint:
        lake = Lake(endpoint, lake.bucket, lake.database)
        assert lake.page(done)[0] == [["id"], ["1"]]
        status = lake.ended(running)["Status"]
        assert status["State"] == "FAILED"
        assert status["StateChangeReason"].startswith("The local endpoint ended while this query was running.")
