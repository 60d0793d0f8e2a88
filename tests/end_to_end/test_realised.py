"""Outcomes that arrive after their predictions: joined, shown, measured, corrected; with an alarm on their coverage.

What is expected is computed by pandas from the published CSVs and the uploaded outcomes alone.
"""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from tests.end_to_end.conftest import PATIENCE_SECONDS, Deployed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("realised")]

ALARM = {"BIKESHARE_QUALITY__COVERAGE_ALARM": "0.99", "BIKESHARE_QUALITY__COVERAGE_ALARM_ROWS": "10"}
SCORED_ROWS = 40


@dataclass(frozen=True)
class Case:
    """A deployed table with two versions that have predicted the same rows. outcomes: these rows, with their target."""

    deployed: Deployed
    target: str
    answers: list[str]
    joined_by: str
    outcomes: pd.DataFrame

    def score(self) -> dict[str, Any]:
        """Return what the command says."""
        return dict(json.loads(self.deployed.command("predictions", "score", "--json").stdout))

    def score_text(self) -> str:
        """Return what people read in a terminal of 80 columns."""
        return self.deployed.command("predictions", "score", variables={"COLUMNS": "80"}).stdout

    def versions(self) -> dict[str, dict[str, Any]]:
        (profile,) = self.score()["profiles"]
        return {one["version"]: one for one in profile["versions"]}

    def predicted(self, word: str) -> pd.DataFrame:
        """Return the published predictions of a file."""
        (body,) = [body for key, body in self.deployed.predictions().items() if f"/{word}-" in key]
        return pd.read_csv(io.BytesIO(body), dtype={"record": str, "model_version": str})

    def realised(self) -> pd.DataFrame:
        """Return all realised results, as an analyst reads them."""
        bucket = self.deployed.settings.predictions_bucket
        keys = [key for key in self.deployed.keys(bucket, "realised/") if key.endswith(".csv")]
        return pd.concat(
            [pd.read_csv(io.BytesIO(self.deployed.read(bucket, key)), dtype={"model_version": str}) for key in keys]
        )

    def expected(self, word: str, actual: pd.Series) -> dict[str, float]:
        """Return the figures of a file's predictions; actual: outcomes in the order of the file that was scored."""
        table = self.predicted(word)
        order = table["line"] - 2 if "line" in table else range(len(table))
        known = actual.to_numpy()[order]
        error = known - table["prediction"]
        return {
            "rows": len(table),
            "coverage": float(((known >= table["lower_95"]) & (known <= table["upper_95"])).mean()),
            "mae": float(error.abs().mean()),
            "rmse": float((error**2).mean() ** 0.5),
            "mean_error": float(error.mean()),
        }


def as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def run(deployed: Deployed, key: str, table: pd.DataFrame) -> None:
    execution = deployed.run(f"raw/{key}.csv", as_csv(table), "scoring" if key.startswith("scoring") else "training")
    assert execution.status == "Succeeded", execution.explanation


@pytest.fixture(scope="module", params=["bike_sharing", "red_wine"])
def case(request: pytest.FixtureRequest) -> Case:
    bikes = request.param == "bike_sharing"
    deployed = request.getfixturevalue("deployed" if bikes else "deployed_wine")
    content = request.getfixturevalue("sample_csv" if bikes else "wine_csv").decode()
    # As it is written: another text of the same number is the same row.
    table = pd.read_csv(io.StringIO(content), sep=None, engine="python", dtype=str)
    deployed.command("deploy", variables=ALARM)
    declared = deployed.settings.declared
    answers = list(declared.answers)
    inputs = [name for name in table if name not in answers]
    # Of rows with equal inputs it is left open which is which.
    known, outcomes = table[:-SCORED_ROWS], table[-SCORED_ROWS:].drop_duplicates(inputs)
    found = Case(deployed, declared.target, answers, "date" if bikes else "record", outcomes.reset_index(drop=True))
    for number, training in enumerate((known, known[: len(known) * 3 // 4]), start=1):
        run(deployed, f"training/first-{number}", training)
        deployed.command("model", "approve", str(number))
        run(deployed, f"scoring/by-{number}", found.outcomes.drop(columns=answers))
    return found


def test_before_any_outcome_the_command_says_what_is_needed(case):
    assert case.score()["profiles"] == []
    text = case.score_text()
    assert "Nothing to compare yet" in text
    assert f"the column {case.target}" in " ".join(text.split())
    assert ("A change in any input makes another row" in " ".join(text.split())) is (case.joined_by == "record")
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.fixture(scope="module")
def arrived(case: Case) -> Case:
    run(case.deployed, "scoring/outcomes", case.outcomes)
    return case


def test_figures_are_those_that_pandas_computes(arrived):
    found = arrived.versions()
    actual = arrived.outcomes[arrived.target].astype(float)
    assert sorted(found) == ["1", "2"]
    for number, one in found.items():
        assert one["figures"] == pytest.approx(arrived.expected(f"by-{number}", actual))
        assert sum(figures["rows"] for figures in one["over_time"].values()) == len(actual)
        assert one["promised"]["figure"] == ("chronological" if arrived.joined_by == "date" else "random")
        assert 0.5 < one["promised"]["coverage"] <= 1
    table = arrived.realised()
    assert len(table) == 2 * len(actual)
    assert (table["predicted_at"] <= table["known_at"]).all()
    text = " ".join(arrived.score_text().split())
    assert f"joined by {arrived.joined_by}" in text or "joined by the identifiers of their rows" in text


def test_the_text_fits_a_narrow_terminal(arrived):
    lines = arrived.score_text().splitlines()
    assert all(len(line) <= 80 for line in lines), lines
    assert any(line.startswith("  promised") for line in lines)


def test_cloudwatch_has_the_figures(arrived):
    settings, cloudwatch = arrived.deployed.settings, arrived.deployed.endpoint.client("cloudwatch")
    names = {
        (metric["MetricName"], *(one["Value"] for one in metric["Dimensions"]))
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=settings.prefix)
        for metric in page["Metrics"]
        if metric["MetricName"].startswith("Realised")
    }
    pipeline = settings.scoring_pipeline_name
    for name in ("RealisedCoverage", "RealisedMae", "RealisedRmse", "RealisedRows"):
        assert {(name, pipeline), (name, pipeline, "1"), (name, pipeline, "2")} <= names


def test_a_corrected_outcome_replaces_the_older_figure_and_a_repeated_event_changes_nothing(arrived):
    corrected = arrived.outcomes.copy()
    # Far from anything that is predicted: 30,000 more rentals a day, or the most points that there are.
    first = corrected.loc[:9, arrived.answers].astype(int)
    if arrived.joined_by == "date":
        first[["casual", "cnt"]] += 30_000
    else:
        first[arrived.target] = 10
    corrected.loc[:9, arrived.answers] = first.astype(str)
    key = "raw/scoring/corrected.csv"
    run(arrived.deployed, "scoring/corrected", corrected)
    actual = corrected[arrived.target].astype(float)
    once = arrived.versions()
    for number, one in once.items():
        assert one["figures"] == pytest.approx(arrived.expected(f"by-{number}", actual))
    # Only what is new is in the new file.
    assert len(arrived.realised()) == 2 * (len(actual) + len(first))
    version = arrived.deployed.aws.s3.head_object(Bucket=arrived.deployed.settings.raw_bucket, Key=key)["VersionId"]
    arrived.deployed.send_event(key, version)
    started = arrived.deployed.aws.sagemaker.list_pipeline_executions
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(
        one["PipelineExecutionStatus"] == "Executing"
        for one in started(PipelineName=arrived.deployed.settings.scoring_pipeline_name)["PipelineExecutionSummaries"]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert arrived.versions() == once


def test_the_alarm_tells_of_a_coverage_below_the_setting(arrived):
    """After the correction a quarter of the newest outcomes is outside."""
    cloudwatch = arrived.deployed.endpoint.client("cloudwatch")
    alarm = arrived.deployed.settings.coverage_alarm_name("scoring")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (state := cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"]) != "ALARM":
        assert time.monotonic() < deadline, state
        time.sleep(0.5)


def test_a_prediction_after_the_outcome_counts_for_nothing(arrived):
    before = arrived.versions()
    run(arrived.deployed, "scoring/too-late", arrived.outcomes.drop(columns=arrived.answers))
    run(arrived.deployed, "scoring/again", arrived.outcomes)
    after = arrived.versions()
    assert {version: one["figures"]["rows"] for version, one in after.items()} == {
        version: one["figures"]["rows"] for version, one in before.items()
    }
    # The newest outcomes are the first ones again.
    actual = arrived.outcomes[arrived.target].astype(float)
    for number, one in after.items():
        assert one["figures"] == pytest.approx(arrived.expected(f"by-{number}", actual))
