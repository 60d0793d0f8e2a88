"""Drift, from the training rows of an approved model to the manifest, the metrics and a run that fails."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass

import pytest

from tests.end_to_end.conftest import Deployed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("drift")]


@dataclass(frozen=True)
class Case:
    """A deployed table with an approved model. ordinary, shifted: files to score; feature: what the latter shifts."""

    deployed: Deployed
    feature: str
    ordinary: bytes
    shifted: bytes

    def manifest(self, word: str) -> dict[str, object]:
        bucket = self.deployed.settings.predictions_bucket
        (key,) = [key for key in self.deployed.keys(bucket, "manifests/") if f"/{word}-" in key]
        return dict(json.loads(self.deployed.read(bucket, key)))

    def metrics(self, flow: str) -> set[tuple[str, str]]:
        """Return (metric, feature) of all that a pipeline has put, "" for those of a run."""
        client, settings = self.deployed.endpoint.client("cloudwatch"), self.deployed.settings
        found = set()
        for page in client.get_paginator("list_metrics").paginate(Namespace=settings.prefix):
            for metric in page["Metrics"]:
                of = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
                if of["Pipeline"] == settings.pipeline_name(flow):
                    found.add((metric["MetricName"], of.get("Feature", "")))
        return found


def shifted(text: str, feature: str, by: float, most: float, seed: int) -> tuple[bytes, bytes]:
    """Return 150 rows drawn from a table without its target, and the same with a higher feature."""
    rows = random.Random(seed).sample([*csv.DictReader(io.StringIO(text))], 150)
    moved = [{**row, feature: f"{min(float(row[feature]) + by, most):.4f}"} for row in rows]
    return tuple(_csv(table) for table in (rows, moved))


def _csv(rows: list[dict[str, str]]) -> bytes:
    columns = [name for name in rows[0] if name not in {"cnt", "casual", "registered", "quality"}]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


@pytest.fixture(scope="module", params=["bike_sharing", "red_wine"])
def case(request: pytest.FixtureRequest) -> Case:
    bikes = request.param == "bike_sharing"
    deployed = request.getfixturevalue("deployed" if bikes else "deployed_wine")
    table = request.getfixturevalue("sample_csv" if bikes else "wine_csv")
    trained = deployed.run("raw/training/first.csv", table)
    assert trained.status == "Succeeded", trained.explanation
    deployed.command("model", "approve", "1")
    feature, by, most = ("temp", 12.0, 41.0) if bikes else ("alcohol", 2.0, 20.0)
    return Case(deployed, feature, *shifted(table.decode(), feature, by, most, seed=7))


def test_an_ordinary_file_has_not_drifted(case):
    execution = case.deployed.run("raw/scoring/ordinary.csv", case.ordinary, "scoring")
    assert execution.status == "Succeeded", execution.explanation
    drift = case.manifest("ordinary")["drift"]
    assert (drift["status"], drift["drifted"]) == ("compared", [])
    assert drift["largest_psi"]["psi"] < 0.25


def test_a_shifted_file_is_published_with_a_warning_in_manifest_and_metrics(case):
    execution = case.deployed.run("raw/scoring/shifted.csv", case.shifted, "scoring")
    assert execution.status == "Succeeded", execution.explanation
    drift = case.manifest("shifted")["drift"]
    assert drift["drifted"] == [case.feature]
    assert drift["largest_psi"]["feature"] == case.feature
    found = case.metrics("scoring")
    assert {("MaximumPsi", ""), ("DriftedFeatures", "")} < found
    assert {(name, case.feature) for name in ("Psi", "MissingShare", "UnseenShare")} < found


def test_a_training_is_compared_with_the_approved_model_and_never_refused(case):
    deployed = case.deployed
    header, *lines = deployed.read(deployed.settings.raw_bucket, "raw/training/first.csv").decode().splitlines()
    execution = deployed.run("raw/training/second.csv", "\n".join([header, *lines[: len(lines) // 2]]).encode())
    assert execution.status == "Succeeded", execution.explanation
    bucket = deployed.settings.artifacts_bucket
    blocks = [
        json.loads(deployed.read(bucket, key))["drift"]
        for key in deployed.keys(bucket, "models/")
        if key.endswith("/evaluation.json")
    ]
    assert sorted(block["status"] for block in blocks) == ["compared", "not compared"]
    assert case.manifest("second")["drift"]["status"] == "compared"
    assert case.manifest("first")["drift"]["reason"].endswith("is in use yet")
    assert ("Psi", case.feature) in case.metrics("training")


def test_where_the_setting_says_so_the_run_fails_with_what_to_do(case):
    deployed = case.deployed
    fail = {"BIKESHARE_QUALITY__DRIFT_ACTION": "fail"}
    deployed.command("deploy", variables=fail)
    ordinary = deployed.run("raw/scoring/again.csv", case.ordinary, "scoring")
    assert ordinary.status == "Succeeded", ordinary.explanation
    refused = deployed.run("raw/scoring/refused.csv", case.shifted, "scoring")
    assert refused.status == "Failed"
    assert f"raw/scoring/refused.csv: {case.feature} has drifted from the training rows: its PSI is " in (
        refused.explanation
    )
    assert "or raise quality.drift_threshold, or set quality.drift_action to warn" in refused.explanation
    bucket = deployed.settings.predictions_bucket
    assert not [key for key in deployed.keys(bucket) if "refused" in key]
