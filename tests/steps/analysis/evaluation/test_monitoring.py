"""Baselines in the files of Model Monitor, and the sample payload, against the rows that they are of."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest

import inference
from analysis.model.artefact import read_model


@pytest.fixture(params=["forecast", "lagged"])
def run(request, sample_runs, lagged_run):
    return lagged_run if request.param == "lagged" else sample_runs["forecast"]


def test_statistics_are_those_of_the_training_rows(run) -> None:
    model, table = read_model(run.root / "model"), pd.read_parquet(run.root / "prepared" / "train" / "train.parquet")
    statistics = run.document("evaluation/data-statistics.json")
    assert statistics["dataset"] == {"item_count": len(table)}
    assert [one["name"] for one in statistics["features"]] == list(model.input_columns)
    for one in statistics["features"]:
        values, found = table[one["name"]], one["numerical_statistics"]
        assert found["mean"] == pytest.approx(values.mean())
        assert found["std_dev"] == pytest.approx(values.std(ddof=0))
        assert (found["min"], found["max"]) == (values.min(), values.max())
        buckets = found["distribution"]["kll"]["buckets"]
        assert len(buckets) == 10
        assert sum(bucket["count"] for bucket in buckets) == len(table)
        assert found["common"] == {"num_present": len(table), "num_missing": 0}


def test_constraints_hold_on_the_training_rows(run) -> None:
    table = pd.read_parquet(run.root / "prepared" / "train" / "train.parquet")
    constraints = run.document("evaluation/data-constraints.json")
    for one in constraints["features"]:
        values = table[one["name"]]
        assert one["completeness"] == 1.0
        assert one["num_constraints"]["is_non_negative"] == bool((values >= 0).all())
        assert (one["inferred_type"] == "Integral") == bool((values % 1 == 0).all())
    assert constraints["monitoring_config"]["distribution_constraints"]["perform_comparison"] == "Enabled"


def test_model_quality_is_that_of_the_test_rows(run) -> None:
    metrics = run.evaluation["regression_metrics"]
    assert run.document("evaluation/model-statistics.json")["regression_metrics"] == metrics
    found = run.document("evaluation/model-constraints.json")["regression_constraints"]
    assert found["r2"] == {"threshold": metrics["r2"]["value"], "comparison_operator": "LessThanThreshold"}
    assert found["rmse"] == {"threshold": metrics["rmse"]["value"], "comparison_operator": "GreaterThanThreshold"}
    assert json.dumps(found, allow_nan=False)


def test_the_sample_payload_is_what_the_model_serves(run) -> None:
    packed = (run.root / "evaluation" / "sample-payload.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        (member,) = archive.getmembers()
        stream = archive.extractfile(member)
        assert stream is not None
        content = stream.read()
    model = inference.model_fn(str(run.root / "model"))
    served = inference.output_fn(inference.predict_fn(inference.input_fn(content, "text/csv"), model), "text/csv")[0]
    predicted = [float(line.split(",")[0]) for line in served.splitlines()]
    test = pd.read_parquet(run.root / "prepared" / "test" / "test.parquet")[list(model.input_columns)].to_numpy(float)
    np.testing.assert_allclose(predicted, np.maximum(model.fitted(test[:10]), 0.0), rtol=1e-9)
