"""Files to score against the training rows of their model: preprocess.py with a model that train.py has made."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pytest

from analysis.runtime.tables import read_table
from analysis.runtime.upload import claim_of, claim_text
from pipeline.datasets.shipped import declaration_file
from pipeline.demo.sample import sample_rows

KEY = "raw/scoring/next.csv"


@pytest.fixture
def score(call_script, tmp_path):
    """Preprocess a table for scoring with the model below `root`; how that ended, and the block `drift`."""

    def run(root: Path, table: str, *more: object, dataset: str = "bike_sharing"):
        (tmp_path / "next.csv").write_text(table, encoding="utf-8")
        (tmp_path / "claim").mkdir(exist_ok=True)
        claim = claim_of("raw", KEY, "v1", "2026-03-04T05:06:07.000Z")
        (tmp_path / "claim" / "claim.json").write_text(claim_text(claim), encoding="utf-8")
        outcome = call_script(
            "preprocess.py", "--purpose", "scoring", "--input-file", tmp_path / "next.csv",
            "--model-dir", root / "archive", "--claim-dir", tmp_path / "claim", "--output-dir", tmp_path / "out",
            "--dataset", declaration_file(dataset), *more,
        )  # fmt: skip
        report = tmp_path / "out" / "quality" / "quality.json"
        return outcome, json.loads(report.read_text())["drift"] if report.is_file() else None

    return run


@pytest.fixture
def days():
    """Return 120 of the days that the sample consists of, of all seasons."""
    return random.Random(7).sample(sample_rows(), 120)


@pytest.fixture
def wines(wine_csv):
    rows = list(csv.DictReader(io.StringIO(wine_csv.read_text())))
    return random.Random(7).sample(rows, 300)


def as_text(rows) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def warmer(days):
    return [{**day, "temp": f"{min(float(day['temp']) + 12, 41):.3f}"} for day in days]


def stronger(wines):
    return [{**wine, "alcohol": f"{float(wine['alcohol']) + 2:.2f}"} for wine in wines]


def test_an_ordinary_file_has_not_drifted(sample_runs, score, days) -> None:
    outcome, drift = score(sample_runs["forecast"].root, as_text(days), "--drift-action", "fail")
    assert outcome.code == 0, outcome.message
    assert (drift["status"], drift["drifted"]) == ("compared", [])
    assert drift["rows"]["file"] == 120
    assert "preprocess: drift: none beyond 0.25 and chance; the largest PSI is " in outcome.out


def test_days_that_are_warmer_are_told(sample_runs, score, days) -> None:
    outcome, drift = score(sample_runs["forecast"].root, as_text(warmer(days)))
    assert outcome.code == 0, outcome.message
    assert drift["drifted"] == ["temp"]
    temp = drift["features"][0]
    assert temp["feature"] == "temp"
    assert temp["psi"] > max(drift["threshold"], temp["chance"])
    assert 0.0 < temp["unseen"] < 1.0
    assert "drift: beyond 0.25 and chance, 120 rows against" in outcome.out


def test_they_fail_the_run_where_that_is_asked_for(sample_runs, score, days) -> None:
    outcome, _ = score(sample_runs["forecast"].root, as_text(warmer(days)), "--drift-action", "fail")
    assert outcome.code == 1
    assert f"{KEY}: temp has drifted from the training rows: its PSI is " in outcome.message
    assert "'very hot' has " in outcome.message
    assert "quality.drift_threshold" in outcome.message
    assert "Traceback" not in outcome.err


def test_the_threshold_is_an_argument(sample_runs, score, days) -> None:
    more = ("--drift-action", "fail", "--drift-threshold", "30")
    outcome, drift = score(sample_runs["forecast"].root, as_text(warmer(days)), *more)
    assert (outcome.code, drift["drifted"], drift["threshold"]) == (0, [], 30.0)


def test_a_handful_of_days_raises_no_alarm_by_chance(sample_runs, score, days) -> None:
    outcome, drift = score(sample_runs["forecast"].root, as_text(days[:5]), "--drift-action", "fail")
    assert (outcome.code, drift["drifted"]) == (0, [])


@pytest.mark.parametrize("change", [lambda wines: wines, stronger], ids=["as they are", "stronger"])
def test_wines(wine_runs, score, wines, change) -> None:
    root = next(iter(wine_runs.values())).root
    outcome, drift = score(root, as_text(change(wines)), dataset="red_wine")
    assert outcome.code == 0, outcome.message
    assert drift["drifted"] == ([] if change(wines) == wines else ["alcohol"])


def test_a_model_of_an_earlier_version_is_no_error(sample_runs, score, days, pack_model, tmp_path) -> None:
    document = json.loads((sample_runs["forecast"].root / "model" / "model.json").read_text())
    del document["baseline"]
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "model.json").write_text(json.dumps(document))
    pack_model(tmp_path / "older", tmp_path / "archive" / "model.tar.gz")
    outcome, drift = score(tmp_path, as_text(days), "--drift-action", "fail")
    assert outcome.code == 0, outcome.message
    assert drift["status"] == "not compared"
    assert "drift: not compared: the model was made before" in outcome.out


def test_the_baseline_is_of_the_training_rows_alone(sample_runs) -> None:
    run = sample_runs["forecast"]
    rows = read_table(run.root / "prepared" / "train" / "train.parquet").to_pylist()
    baseline = run.document("model/model.json")["baseline"]
    assert baseline["rows"] == len(rows)
    temperatures = [row["temp"] for row in rows]
    assert baseline["features"]["temp"]["limits"] == [min(temperatures), max(temperatures)]
    autumn = sum(row["season_4"] for row in rows)
    assert baseline["features"]["season"]["counts"][-1] == autumn
