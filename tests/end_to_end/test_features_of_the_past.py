"""A model with features of the past: trained, and asked for days whose past is known in part, or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from datetime import UTC, datetime, timedelta
from unittest import mock

import awswrangler as wrangler
import numpy as np
import pandas as pd
import pytest

from pipeline.results.features import read_features

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("past")]

KNOWN, TO_SCORE = 6, 30


@pytest.fixture(scope="module")
def lagged(deploy_declaration):
    """Deploy the bike-sharing table with the profile that looks at the days before."""
    from pipeline.datasets.shipped import declaration_file

    with (
        mock.patch.dict(os.environ, {"BIKESHARE_ANALYSIS__PROFILE": "forecast-lagged"}),
        deploy_declaration(declaration_file("bike_sharing")) as environment,
    ):
        yield environment


@pytest.fixture(scope="module")
def sides(sample_csv) -> tuple[bytes, list[dict[str, str]]]:
    """Return days to train on, and the days after them."""
    rows = list(csv.DictReader(io.StringIO(sample_csv.decode())))
    return written(rows[:-TO_SCORE]), rows[-TO_SCORE:]


@pytest.fixture(scope="module")
def trained(lagged, sides):
    execution = lagged.run("raw/training/until-november.csv", sides[0])
    assert execution.status == "Succeeded", execution.explanation
    lagged.command("model", "approve", "1")
    return lagged


def written(rows: list[dict[str, str]], *, without: tuple[str, ...] = ()) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name in rows[0] if name not in without], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def published(deployed, name: str) -> tuple[list[dict[str, str]], dict[str, object]]:
    """Return the predictions of a file and their manifest."""
    ((key, body),) = [(key, body) for key, body in deployed.predictions().items() if f"/{name}-" in key]
    manifest = key.replace("predictions/", "manifests/", 1).removesuffix(".csv") + ".json"
    table = list(csv.DictReader(io.StringIO(body.decode())))
    return table, json.loads(deployed.read(deployed.settings.predictions_bucket, manifest))


def widths_by_gap(deployed) -> list[tuple[int, float]]:
    """Return what model.json of the first version says of gaps and half-widths."""
    url = deployed.model_packages()[0]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = url.removeprefix("s3://").partition("/")
    with tarfile.open(fileobj=io.BytesIO(deployed.read(bucket, key))) as archive:
        member = archive.extractfile("model.json")
        assert member is not None
        return [tuple(pair) for pair in json.load(member)["interval"]["calibration"]["by_gap"]]


def test_all_training_days_but_the_first_are_predicted(trained, sides):
    rows, manifest = published(trained, "until-november")
    assert len(rows) == sides[0].count(b"\n") - 2
    assert {row["history_gap"] for row in rows} == {"0"}
    assert manifest["history_gap"] == {"rows": 0, "largest": 0}


def test_report_and_card_speak_of_the_days_before(trained):
    settings = trained.settings
    (key,) = [key for key in trained.keys(settings.artifacts_bucket) if key.endswith("report.html")]
    report = trained.read(settings.artifacts_bucket, key).decode()
    assert "rentals of the day before" in report
    assert "mean daily rentals of the seven days before" in report
    (package,) = trained.model_packages()
    assert "history gap" in package["ModelCard"]["ModelCardContent"]


def test_the_feature_store_knows_the_days_before_a_file(trained, sides):
    known = trained.history(sides[0].count(b"\n") - 1)
    unknown = written(sides[1], without=("casual", "registered", "cnt"))
    execution = trained.run("raw/scoring/no-counts.csv", unknown, "scoring")
    assert execution.status == "Succeeded", execution.explanation
    rows, manifest = published(trained, "no-counts")
    assert [int(row["history_gap"]) for row in rows] == list(range(TO_SCORE))
    assert manifest["history_gap"] == {"rows": TO_SCORE - 1, "largest": TO_SCORE - 1}
    half_widths = [round(float(row["upper_95"]) - float(row["prediction"]), 6) for row in rows]
    assert half_widths == sorted(half_widths)
    # A file without counts erases none.
    again = trained.history(len(known))
    assert again.set_index("dteday")["cnt"].loc[known["dteday"]].tolist() == known["cnt"].tolist()


def test_each_row_that_is_asked_for_is_read_as_of_its_own_moment(trained, sides):
    known = trained.history(sides[0].count(b"\n") - 1)
    # Later files have been scored since.
    uploaded = datetime.fromisoformat(known["event_time"].min())
    days = known["dteday"].tolist()
    asked = pd.DataFrame(
        [
            (days[5], uploaded),
            (days[2], uploaded - timedelta(milliseconds=1)),
            ("no such day", uploaded),
            (days[5], datetime.now(UTC)),
        ],
        columns=["identifier", "moment"],
        index=[7, 3, 9, 1],
    )
    found = read_features(trained.aws, asked)
    counts = dict(zip(days, known["cnt"], strict=True))
    assert found.index.tolist() == [7, 3, 9, 1]
    assert found["cnt"].isna().tolist() == [False, True, True, False]
    assert found["cnt"].dropna().tolist() == [counts[days[5]]] * 2
    # What was asked for is nowhere afterwards.
    tables = trained.aws.glue.get_tables(DatabaseName=trained.settings.database_name)["TableList"]
    assert {table["Name"].partition("_")[0] for table in tables} == {"predictions", "realised"}
    assert len(read_features(trained.aws, as_of=uploaded - timedelta(seconds=1))) == 0
    assert wrangler.config.s3_endpoint_url is None


def test_a_file_of_one_day_is_trained_on_together_with_the_history(trained, sides):
    count = sides[0].count(b"\n") - 1
    trained.history(count)
    # No rule knows this folder.
    trained.put("by-hand/one-day.csv", written(sides[1][:1]))
    started = trained.command("start", "by-hand/one-day.csv", "--parameter", "TrainOn=history", "--json")
    execution = trained.finished(json.loads(started.stdout)["PipelineExecutionArn"])
    assert execution.status == "Succeeded", execution.explanation
    rows, _ = published(trained, "one-day")
    assert len(rows) == count  # of count + 1, the first has no day before
    newest = trained.model_packages()[-1]
    assert newest["CustomerMetadataProperties"]["train-on"] == "history"


def test_the_counts_that_a_file_knows_are_used_and_older_ones_make_the_interval_wider(trained, sides):
    counted = [row if number < KNOWN else row | {"cnt": ""} for number, row in enumerate(sides[1])]
    execution = trained.run("raw/scoring/counted.csv", written(counted, without=("casual", "registered")), "scoring")
    assert execution.status == "Succeeded", execution.explanation
    rows, manifest = published(trained, "counted")
    # The first day's is known from the training.
    assert [int(row["history_gap"]) for row in rows] == [*[0] * (KNOWN + 1), *range(1, TO_SCORE - KNOWN)]
    assert manifest["history_gap"] == {"rows": TO_SCORE - KNOWN - 1, "largest": TO_SCORE - KNOWN - 1}
    half_widths = [round(float(row["upper_95"]) - float(row["prediction"]), 6) for row in rows]
    # Each as wide as the model has measured it for the row's gap; how much wider depends on the table.
    measured, widths = zip(*widths_by_gap(trained), strict=True)
    gaps = [int(row["history_gap"]) for row in rows]
    assert half_widths == pytest.approx(np.interp(gaps, measured, widths).tolist(), abs=1e-5)
    assert half_widths[-1] > half_widths[0]
