"""awswrangler as a notebook uses it: prediction CSVs read as a dataset, data frames written."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_predictions_are_read_and_written_as_datasets(stranger, endpoint, bucket):
    put = endpoint.client("s3").put_object
    for day, rows in (("2026-01-01", "2011-01-01,985.0\n2011-01-02,801.5\n"), ("2026-01-02", "2011-01-03,1349.0\n")):
        put(Bucket=bucket, Key=f"predictions/dt={day}/day-0123.csv", Body=f"date,prediction\n{rows}".encode())
    answer = stranger.script("wrangler_user.py", {"bucket": bucket})

    assert answer["read"] == [
        ["2011-01-01", 985.0, "2026-01-01"],
        ["2011-01-02", 801.5, "2026-01-01"],
        ["2011-01-03", 1349.0, "2026-01-02"],
    ]
    assert answer["one partition"] == 1
    assert answer["parquet"] == answer["read"]
    assert answer["written"] == ["exports/predictions.csv"]
    assert answer["deleted"] == []
    body = endpoint.client("s3").get_object(Bucket=bucket, Key="exports/predictions.csv")["Body"].read().decode()
    assert body.splitlines()[:2] == ["date,prediction,dt", "2011-01-01,985.0,2026-01-01"]
