"""Prediction files as they are shown, whatever names their rows."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from pipeline.aws.clients import Aws
from pipeline.results.predictions import first_rows, latest_files, manifest, prediction_files, print_predictions
from pipeline.settings.environment import load_settings

BUCKET = load_settings("local").predictions_bucket
PLACE = "forecast/dt=2026-01-02/x"
COMPUTED = "prediction,lower_95,upper_95,actual,extrapolated,model_version,execution_id,source_key"
RUN = "0,3,abc,raw/scoring/x.csv"
RECORD = "0123456789abcdef" * 4


@pytest.fixture
def aws(moto_account):
    clients = Aws(load_settings("local"))
    clients.s3.create_bucket(Bucket=BUCKET)
    return clients


def shown(aws, header: str, *rows: str, count: int = 5, width: int = 120) -> list[str]:
    aws.s3.put_object(Bucket=BUCKET, Key=f"predictions/{PLACE}.csv", Body="\n".join([header, *rows, ""]).encode())
    output = io.StringIO()
    (file,) = prediction_files(aws, BUCKET)
    print_predictions(aws, file, count, Console(file=output, width=width, highlight=False))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_rows_with_a_date(aws) -> None:
    lines = shown(aws, f"date,{COMPUTED}", f"2018-01-01,985.25,-12.5,1982.75,985,{RUN}")
    assert lines[0] == f"s3://{BUCKET}/predictions/{PLACE}.csv"
    assert lines[1].split() == ["date", "prediction", "lower_95", "upper_95", "actual", "extrapolated"]
    assert lines[2].split() == ["2018-01-01", "985.2", "-12.5", "1982.8", "985", "0"]
    assert lines[3:] == ["model_version: 3", "execution_id: abc", "source_key: raw/scoring/x.csv"]


def test_rows_with_neither_date_nor_key(aws) -> None:
    lines = shown(aws, f"record,line,{COMPUTED}", f"{RECORD},2,5.62518,4.31234,6.94,,{RUN}")
    assert lines[1].split() == ["record", "line", "prediction", "lower_95", "upper_95", "extrapolated"]
    assert lines[2].split() == ["01234567…", "2", "5.625", "4.312", "6.94", "0"]


def test_names_are_shown_as_they_are(aws) -> None:
    """A shop's number is none to round, and its name no markup."""
    lines = shown(aws, f"time,shop,town,{COMPUTED}", f"2018-01-01 05:00:00,1.25,[red]Bonn[/red],0.00125,0,0.5,,{RUN}")
    assert lines[2].split()[:6] == ["2018-01-01", "05:00:00", "1.25", "[red]Bonn[/red]", "0.00125", "0"]


def test_a_narrow_terminal_shows_names_whole(aws) -> None:
    header = f"time,station,{COMPUTED}"
    lines = shown(aws, header, f"2024-03-01T05:00:00+01:00,East side,985.25,-12.5,1982.75,985,{RUN}", width=80)
    (row,) = [line for line in lines if line.startswith("2024")]
    assert row.split() == ["2024-03-01T05:00:00+01:00", "East", "side", "985.2", "-12.5", "1982.8", "985", "0"]
    assert max(map(len, lines[1:])) <= 80


def test_what_no_shown_row_has_takes_no_place(aws) -> None:
    computed = "prediction,lower_95,upper_95,actual,extrapolated,history_gap,row_role"
    lines = shown(aws, f"date,{computed}", "2018-01-01,985.25,100,1982.75,,0,,new", width=80)
    assert lines[1].split() == ["date", "prediction", "lower_95", "upper_95", "extrapolated", "row_role"]
    assert lines[3] == "empty in these rows: actual, history_gap"


def test_a_narrow_terminal_shows_rows_without_a_key(aws) -> None:
    computed = "prediction,lower_95,upper_95,actual,extrapolated,row_role"
    lines = shown(aws, f"record,line,{computed}", f"{RECORD},2,2733.9,2617.0,2850.8,2777.1,0,new", width=80)
    assert lines[1].split() == ["record", "line", *computed.split(",")]


def test_predictions_of_a_model_that_needs_the_outcome_are_no_forecast(aws) -> None:
    found = {"rows": 0, "sha256": "ab" * 32, "never_known": ["casual", "registered"]}
    aws.s3.put_object(Bucket=BUCKET, Key=f"manifests/{PLACE}.json", Body=json.dumps(found).encode())
    said = "no forecast: the model takes casual, registered, known only when the outcome is"
    assert said in shown(aws, f"date,{COMPUTED}")


def test_a_cell_may_hold_what_unicode_takes_for_the_end_of_a_line(aws) -> None:
    lines = shown(aws, f"town,{COMPUTED}", f"Bad\u2028Ems\x85,985.25,-12.5,1982.75,985,{RUN}")
    assert "985.2" in "".join(lines)
    (file,) = prediction_files(aws, BUCKET)
    assert [len(row) for row in first_rows(aws, file)[1]] == [9]


def test_no_more_rows_than_asked_for(aws) -> None:
    rows = [f"2018-01-0{day},1.5,1.5,1.5,,{RUN}" for day in range(1, 9)]
    assert [line.split()[0] for line in shown(aws, f"date,{COMPUTED}", *rows, count=3)[2:5]] == [
        "2018-01-01", "2018-01-02", "2018-01-03",
    ]  # fmt: skip
    (file,) = prediction_files(aws, BUCKET)
    assert first_rows(aws, file, 0) == (["date", *COMPUTED.split(",")], [])


def test_the_manifest_counts_rows_outside_of_the_training(aws) -> None:
    found = {"rows": 2, "extrapolated": 1, "history_gap": {"rows": 1, "largest": 4}, "sha256": "ab" * 32}
    aws.s3.put_object(Bucket=BUCKET, Key=f"manifests/{PLACE}.json", Body=json.dumps(found).encode())
    lines = shown(aws, f"date,{COMPUTED}")
    assert lines[1] == f"2 rows, 1 outside the training ranges, 1 with a history gap of up to 4, SHA-256 {'ab' * 8}…"
    assert lines[2] == "drift: not known"
    (file,) = prediction_files(aws, BUCKET)
    assert manifest(aws, file) == found


@pytest.mark.parametrize(
    ("drift", "says"),
    [
        ({"status": "not compared", "reason": "no model", "threshold": 0.25, "drifted": []}, "not compared: no model"),
        ({"status": "compared", "reason": "", "threshold": 0.25, "drifted": []}, "none beyond 0.25 and chance"),
        (
            {"status": "compared", "reason": "", "threshold": 0.25, "drifted": ["temp", "hum"]},
            "temp, hum, beyond 0.25 and chance",
        ),
    ],
)
def test_drift_and_report_are_named(aws, drift: dict[str, object], says: str) -> None:
    found = {"rows": 0, "sha256": "ab" * 32, "drift": drift, "report": f"reports/{PLACE}.html"}
    aws.s3.put_object(Bucket=BUCKET, Key=f"manifests/{PLACE}.json", Body=json.dumps(found).encode())
    assert shown(aws, f"date,{COMPUTED}")[2:4] == [f"drift: {says}", f"report: s3://{BUCKET}/reports/{PLACE}.html"]


def test_the_latest_file_of_each_profile_is_the_one_that_its_pointer_names(aws) -> None:
    assert latest_files(aws) == []
    for profile in ("parity", "forecast", "nobody-declared-this"):
        pointer = {"predictions": f"predictions/{profile}/dt=2026-01-02/x.csv", "bytes": 5, "rows": 1}
        aws.s3.put_object(Bucket=BUCKET, Key=f"newest/{profile}/latest.json", Body=json.dumps(pointer).encode())
    found = latest_files(aws)
    assert [file.key.split("/")[1] for file, _ in found] == ["forecast", "parity"]
    assert [pointer["rows"] for _, pointer in found] == [1, 1]
    assert (found[0][0].size, found[0][0].bucket) == (5, BUCKET)


def test_an_empty_file_is_shown_as_one(aws) -> None:
    assert shown(aws, "")[:1] == [f"s3://{BUCKET}/predictions/{PLACE}.csv"]
