"""Prediction files as they are shown, whatever names their rows."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from pipeline.aws.clients import Aws
from pipeline.results.predictions import first_rows, manifest, prediction_files, print_predictions
from pipeline.settings.environment import load_settings

BUCKET = "predictions"
COMPUTED = "prediction,lower_95,upper_95,actual,extrapolated,model_version,execution_id,source_key"
RUN = "0,3,abc,raw/scoring/x.csv"
RECORD = "0123456789abcdef" * 4


@pytest.fixture
def aws(moto_account):
    clients = Aws(load_settings("local"))
    clients.s3.create_bucket(Bucket=BUCKET)
    return clients


def shown(aws, header: str, *rows: str, count: int = 5) -> list[str]:
    aws.s3.put_object(
        Bucket=BUCKET, Key="predictions/dt=2026-01-02/x.csv", Body="\n".join([header, *rows, ""]).encode()
    )
    output = io.StringIO()
    (file,) = prediction_files(aws, BUCKET)
    print_predictions(aws, file, count, Console(file=output, width=120, highlight=False))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_rows_with_a_date(aws) -> None:
    lines = shown(aws, f"date,{COMPUTED}", f"2018-01-01,985.25,-12.5,1982.75,985,{RUN}")
    assert lines[0] == "s3://predictions/predictions/dt=2026-01-02/x.csv"
    assert lines[1].split() == ["date", "prediction", "lower_95", "upper_95", "actual", "extrapolated"]
    assert lines[2].split() == ["2018-01-01", "985.2", "-12.5", "1982.8", "985", "0"]
    assert lines[3:] == ["model_version: 3", "execution_id: abc", "source_key: raw/scoring/x.csv"]


def test_rows_with_neither_date_nor_key(aws) -> None:
    lines = shown(aws, f"record,line,{COMPUTED}", f"{RECORD},2,5.62518,4.31234,6.94,,{RUN}")
    assert lines[1].split() == ["record", "line", "prediction", "lower_95", "upper_95", "actual", "extrapolated"]
    assert lines[2].split() == [f"{RECORD[:23]}…", "2", "5.625", "4.312", "6.94", "0"]


def test_names_are_shown_as_they_are(aws) -> None:
    """A shop's number is none to round, and its name no markup."""
    lines = shown(aws, f"time,shop,town,{COMPUTED}", f"2018-01-01 05:00:00,1.25,[red]Bonn[/red],0.00125,0,0.5,,{RUN}")
    assert lines[2].split()[:6] == ["2018-01-01", "05:00:00", "1.25", "[red]Bonn[/red]", "0.00125", "0"]


def test_no_more_rows_than_asked_for(aws) -> None:
    rows = [f"2018-01-0{day},1.5,1.5,1.5,,{RUN}" for day in range(1, 9)]
    assert [line.split()[0] for line in shown(aws, f"date,{COMPUTED}", *rows, count=3)[2:5]] == [
        "2018-01-01", "2018-01-02", "2018-01-03",
    ]  # fmt: skip
    (file,) = prediction_files(aws, BUCKET)
    assert first_rows(aws, file, 0) == (["date", *COMPUTED.split(",")], [])


def test_the_manifest_counts_rows_outside_of_the_training(aws) -> None:
    found = {"rows": 2, "extrapolated": 1, "sha256": "ab" * 32}
    aws.s3.put_object(Bucket=BUCKET, Key="manifests/dt=2026-01-02/x.json", Body=json.dumps(found).encode())
    lines = shown(aws, f"date,{COMPUTED}")
    assert lines[1] == f"2 rows, 1 outside the training ranges, SHA-256 {'ab' * 8}…"
    (file,) = prediction_files(aws, BUCKET)
    assert manifest(aws, file) == found


def test_an_empty_file_is_shown_as_one(aws) -> None:
    assert shown(aws, "")[:1] == ["s3://predictions/predictions/dt=2026-01-02/x.csv"]
