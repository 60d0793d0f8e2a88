"""Realised errors as the command reads and prints them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from analysis.publishing.places import Room
from analysis.realised.cells import Realisation, RealisedTable
from analysis.realised.files import put_realised
from analysis.realised.join import Moment, Outcome, Realised, Source
from analysis.runtime.upload import claim_of
from pipeline.aws.clients import Aws
from pipeline.errors import ExecutionError
from pipeline.results.realised import Figures, Promise, promise_in, scores
from pipeline.results.realised_text import print_scores
from pipeline.settings.environment import load_settings

SETTINGS = load_settings("local")
EVALUATION = {
    "validation": {
        "headline": "chronological",
        "chronological": {
            "mae": 700.5,
            "rmse": 900.25,
            "intervals": {"classical": {"coverage": 0.8}, "calibrated": {"coverage": 0.941}},
        },
    }
}


@pytest.fixture
def aws(moto_account):
    clients = Aws(SETTINGS)
    for bucket in (SETTINGS.predictions_bucket, "artifacts"):
        clients.s3.create_bucket(Bucket=bucket)
    clients.sagemaker.create_model_package_group(ModelPackageGroupName=SETTINGS.model_package_group_name)
    clients.s3.put_object(Bucket="artifacts", Key="models/evaluation.json", Body=json.dumps(EVALUATION).encode())
    statistics = {"ContentType": "application/json", "S3Uri": "s3://artifacts/models/evaluation.json"}
    clients.sagemaker.create_model_package(
        ModelPackageGroupName=SETTINGS.model_package_group_name,
        ModelMetrics={"ModelQuality": {"Statistics": statistics}},
    )
    return clients


def realise(aws: Aws, day: str, rows: dict[str, tuple[str, str]], *, version: str = "1", profile: str = "forecast"):
    """Put what an upload realises: label → prediction and outcome."""
    claim = claim_of("raw", f"raw/{day}.csv", "v", f"{day}T00:00:00.000Z")
    source = Source("t", profile, version, "run", "raw/x.csv", Moment("", ""), "", "", "", 0, 1)
    table = RealisedTable(["date"], Realisation(claim, profile, ("date",), "date"))
    found = [
        Realised(
            Outcome(label, (label,), actual), prediction, f"{float(prediction) - 1}", f"{float(prediction) + 1}", source
        )
        for label, (prediction, actual) in rows.items()
    ]
    put_realised(
        aws.boto3_session().client("s3", endpoint_url=aws.endpoint_url),
        Room(SETTINGS.predictions_bucket),
        table,
        iter(found),
    )


def shown(aws: Aws, profile: str | None = None, **changes: Any) -> list[str]:
    output = io.StringIO()
    found = replace(scores(aws, profile), **changes)
    print_scores(found, SETTINGS, profile, Console(file=output, width=80, highlight=False))
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    return lines


def test_a_corrected_outcome_counts_once_and_files_without_common_rows_add_up(aws):
    realise(aws, "2026-03-01", {"2026-02-01": ("10", "10"), "2026-02-02": ("10", "14")})
    realise(aws, "2026-03-02", {"2026-02-02": ("10", "12")})
    realise(aws, "2026-03-03", {"2026-02-09": ("10", "9.5")})
    realise(aws, "2026-03-03", {"2026-02-09": ("10", "9.5")}, version="3", profile="parity")
    (forecast, parity) = scores(aws).profiles
    (version,) = forecast.versions
    assert version.figures == Figures(
        3, pytest.approx(2 / 3), pytest.approx(2.5 / 3), pytest.approx((4.25 / 3) ** 0.5), 0.5
    )
    assert list(version.over_time) == ["2026-02-01", "2026-02-02", "2026-02-09"]
    assert version.promised == Promise("chronological", coverage=0.941, mae=700.5, rmse=900.25)
    assert (parity.profile, parity.versions[0].version, parity.versions[0].promised) == ("parity", "3", None)
    assert [one.profile for one in scores(aws, "parity").profiles] == ["parity"]


def test_many_days_are_added_up_to_months(aws):
    days = {f"2026-{month:02d}-{day:02d}": ("1000", "1100.5") for month in (1, 2) for day in range(1, 21)}
    realise(aws, "2026-03-01", days)
    lines = shown(aws)
    assert lines[0].startswith("Profile forecast: realised errors of predictions, in ")
    assert lines[2].split() == ["1", "40", "0.0%", "100", "100", "100"]
    assert lines[3].split() == ["promised", "chronological", "94.1%", "700", "900"]
    assert [line.split()[:3] for line in lines[5:8]] == [
        ["month", "version", "rows"],
        ["2026-01", "1", "20"],
        ["2026-02", "1", "20"],
    ]
    assert lines[-1].endswith("Rows are joined by date.")


def test_a_table_without_a_key_says_how_its_rows_are_joined(aws):
    realise(aws, "2026-03-01", {"2026-02-01": ("10", "10")})
    text = " ".join(shown(aws, has_key=False, joined_by=("record",)))
    assert "joined by the identifiers of their rows (column record)" in text
    assert "A change in any input makes another row" in text


def test_it_says_how_far_figures_can_be_trusted(aws):
    few, other_rows = (
        "Figures of fewer than 30 rows say little",
        "Each version is measured on the rows that it predicted",
    )
    days = {f"2026-01-{day:02d}": ("10", "10") for day in range(1, 31)}
    realise(aws, "2026-03-01", days)
    text = " ".join(shown(aws))
    assert few not in text
    assert other_rows not in text
    realise(aws, "2026-03-02", {"2026-02-01": ("10", "10")}, version="2")
    text = " ".join(shown(aws))
    assert few in text
    assert other_rows in text


def test_nothing_yet_says_what_has_to_be_uploaded(aws):
    text = " ".join(shown(aws, "parity"))
    assert "no outcome has arrived for a row that was predicted before of profile parity" in text
    assert "the column cnt, for the same date as in a file that was scored without them." in text
    assert "Upload it under raw/training/ or raw/scoring/" in text


def test_what_is_no_summary_is_named_without_a_traceback(aws):
    key = "realised-manifests/forecast/dt=2026-03-01/x.json"
    aws.s3.put_object(Bucket=SETTINGS.predictions_bucket, Key=key, Body=b"[")
    with pytest.raises(ExecutionError, match="is no manifest of this project"):
        scores(aws)


def test_an_evaluation_of_an_earlier_form_promises_nothing():
    assert promise_in({}) is None
    assert promise_in({"validation": {"headline": "random", "random": {"mae": 1.0}}}) is None
