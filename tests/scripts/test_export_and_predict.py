"""The two programs one after the other, as a user runs them, and all ways to predict against each other."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest

import inference
from analysis.model.artefact import read_model
from pipeline.datasets.shipped import declaration_file
from scripts.lib.program import ScriptError
from scripts.predict_from_export import dataset_of

ROOT = Path(__file__).resolve().parents[2]
METRICS = ("rmse", "mae", "r2", "coverage")


def numbers(path: Path) -> list[tuple[float, float, float]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            (float(row["prediction"]), float(row["lower_95"]), float(row["upper_95"])) for row in csv.DictReader(stream)
        ]


def served(model_dir: Path, features: Path) -> list[tuple[float, float, float]]:
    """Answer the transform input as the serving container does, through its text forms."""
    rows = inference.input_fn(features.read_bytes())
    body, _ = inference.output_fn(inference.predict_fn(rows, inference.model_fn(str(model_dir))))
    answers = []
    for line in body.splitlines():
        prediction, lower, upper, _extrapolated = map(float, line.split(","))
        answers.append((prediction, lower, upper))
    return answers


def by_hand(model_dir: Path, features: Path) -> list[float]:
    """Predictions computed from the text of model.json with nothing of the project's code."""
    document = json.loads((model_dir / "model.json").read_text(encoding="utf-8"))
    predictions = []
    for line in features.read_text(encoding="utf-8").splitlines():
        values = dict(zip(document["input_columns"], map(float, line.split(",")), strict=True))
        for name, bounds in document["scaler"].items():
            values[name] = (values[name] - bounds["minimum"]) / ((bounds["maximum"] - bounds["minimum"]) or 1.0)
        terms = [coefficient * values[name] for name, coefficient in document["coefficients"].items()]
        predictions.append(max(document["intercept"] + sum(terms), document["lower_bound"]))
    return predictions


def check_that_all_agree(trained, run, directory: Path) -> None:
    done = run("export_model.py", trained.archive, "--output-dir", directory, "--name", "m")
    assert done.code == 0, done.err
    features = trained.prepared / "scoring" / "features.csv"
    expected = served(trained.model_dir, features)
    hand = by_hand(trained.model_dir, features)
    for suffix in (".pickle", ".joblib"):
        output = directory / f"predicted{suffix}.csv"
        done = run("predict_from_export.py", directory / f"m{suffix}", trained.raw, "--output", output)
        assert done.code == 0, done.err
        found = numbers(output)
        assert len(found) == len(expected) == len(hand)
        for row, wanted, computed in zip(found, expected, hand, strict=True):
            assert row == pytest.approx(wanted, rel=1e-12, abs=0)
            assert row[0] == pytest.approx(computed, rel=1e-12, abs=1e-9)


def test_pickle_joblib_and_served_predictions_agree_on_the_sample(trained, run_program, tmp_path) -> None:
    check_that_all_agree(trained, run_program, tmp_path)


@pytest.mark.parametrize("profile", ["forecast", "parity"])
def test_they_agree_on_the_real_table(real_csv, train_on, call_program, tmp_path, profile: str) -> None:
    check_that_all_agree(train_on(real_csv, profile), call_program, tmp_path)


@pytest.mark.parametrize("profile", ["forecast", "complete"])
def test_they_agree_on_the_real_wines(real_wine, train_on, call_program, tmp_path, profile: str) -> None:
    check_that_all_agree(train_on(real_wine, profile, "red_wine"), call_program, tmp_path)


def test_repeated_rows_are_predicted_by_a_model_of_distinct_ones(real_wine, train_on, call_program) -> None:
    archive = train_on(real_wine, "distinct", "red_wine").archive
    assert call_program("export_model.py", archive).code == 0
    done = call_program("predict_from_export.py", "exports/model.pickle", real_wine)
    assert done.code == 0, done.err
    assert "1599 wines predicted" in done.out


def test_what_the_user_sees_of_a_table_without_dates(trained_on_wine, call_program, tmp_path) -> None:
    assert call_program("export_model.py", trained_on_wine.archive).code == 0
    done = call_program("predict_from_export.py", "exports/model.joblib", trained_on_wine.raw)
    assert done.code == 0, done.err
    assert "730 wines predicted, 730 of them compared with the actual value" in done.out
    assert re.search(r"  MAE +[0-9.]+ points\n", done.out)
    assert re.search(r"  Within the 95 % interval +9[0-9]\.[0-9] % of the wines\n", done.out)
    assert re.search(r"  Largest error +[+-][0-9.]+ for line [0-9]+ \(actual [0-9]+\)\n", done.out)
    assert "so new wines will not fit as well" in done.out
    assert not re.search(r"\b(day|rental|record)s?\b", done.out)
    with (tmp_path / "wines-predictions.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == [
        "record", "line", "prediction", "lower_95", "upper_95", "actual", "error", "within", "model", "source_file",
    ]  # fmt: skip
    assert [row["line"] for row in table] == [str(line) for line in range(2, 732)]


def test_a_declaration_of_ones_own_can_be_given(trained_on_wine, call_program, tmp_path) -> None:
    call_program("export_model.py", trained_on_wine.archive)
    text = declaration_file("red_wine").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(text.replace('many = "wines"', 'many = "bottles"'))
    predict = ("predict_from_export.py", "exports/model.joblib", trained_on_wine.raw)
    done = call_program(*predict, "--dataset", "own.toml")
    assert done.code == 0, done.err
    assert "730 bottles predicted" in done.out
    refused = call_program(*predict, "--dataset", "own.toml", "--output", "own.toml")
    assert (refused.code, refused.out) == (1, "")
    assert "own.toml would be overwritten" in refused.err
    absent = call_program(*predict, "--dataset", "absent.toml")
    assert (absent.code, absent.out) == (1, "")
    assert "The declaration absent.toml is not there" in absent.err


def test_a_model_of_a_table_that_is_not_declared_here_asks_for_its_declaration(trained, monkeypatch) -> None:
    monkeypatch.setattr("scripts.predict_from_export.dataset_names", lambda: ["red_wine"])
    with pytest.raises(ScriptError, match="the data set 'bikeshare', which is not declared here") as caught:
        dataset_of(read_model(trained.model_dir), None)
    assert caught.value.hint == "Give --dataset FILE."


def test_what_the_user_sees(trained, call_program, tmp_path) -> None:
    done = call_program("export_model.py", trained.archive)
    assert done.code == 0, done.err
    assert "model.tar.gz: profile forecast, 15 coefficients and an intercept" in done.out
    assert "exports/model.pickle  (model.pickle.sha256 beside it)" in done.out
    done = call_program("predict_from_export.py", "exports/model.joblib", trained.raw, "--summary", "summary.json")
    assert done.code == 0, done.err
    assert done.err == ""
    assert "730 days predicted, 730 of them compared with the actual value" in done.out
    for label in ("RMSE", "MAE", "R-squared", "Within the 95 % interval", "Largest error", "trained on part of this"):
        assert label in done.out
    assert "Predictions: days-predictions.csv" in done.out
    result = json.loads((tmp_path / "summary.json").read_text())
    assert all(isinstance(result[name], float) for name in METRICS)
    with (tmp_path / "days-predictions.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 730
    assert list(table[0]) == [
        "date", "prediction", "lower_95", "upper_95", "actual", "error", "within", "model", "source_file",
    ]  # fmt: skip
    first = table[0]
    assert float(first["error"]) == pytest.approx(float(first["actual"]) - float(first["prediction"]), abs=1e-9)
    assert "." not in first["actual"]


def test_the_version_in_use_of_the_environments_group(aws_url, trained, call_program, tmp_path) -> None:
    boto3.client("s3").create_bucket(Bucket="artifacts")
    boto3.client("s3").put_object(Bucket="artifacts", Key="model.tar.gz", Body=trained.archive.read_bytes())
    sagemaker = boto3.client("sagemaker")
    group = "bikeshare-local-regression"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": "i", "ModelDataUrl": "s3://artifacts/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    done = call_program("export_model.py", "--in-use")
    assert done.code == 0, done.err
    assert f":model-package/{group}/1: profile forecast" in done.out
    assert (tmp_path / "exports" / f"{group}-1.joblib.sha256").is_file()


PROGRAMS = sorted(path.name for path in (ROOT / "scripts").glob("*.py") if "run_program(main)" in path.read_text())


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_examples_and_exit_codes(call_program, program: str) -> None:
    done = call_program(program, "--help")
    assert done.code == 0
    assert "examples:" in done.out
    assert "exit codes: 0 " in done.out


def test_the_code_in_the_documentation_runs(trained, call_program, tmp_path, monkeypatch) -> None:
    call_program("export_model.py", trained.archive)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "exports.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)  # noqa: S102
    model = read_model(trained.model_dir)
    assert names["coefficients"].to_dict() == dict(zip(model.selected, model.coefficients, strict=True))
    summary = json.loads((trained.summary_dir / "summary.json").read_text(encoding="utf-8"))
    errors = [row["standard_error"] for row in summary["coefficients"]]
    assert names["standard_errors"].tolist() == pytest.approx(errors, rel=1e-12)
    rows = inference.input_fn((trained.prepared / "scoring" / "features.csv").read_bytes())
    scaled = pd.DataFrame(dict(zip(model.selected, model.scaled(rows), strict=True)))
    assert names["estimator"].predict(scaled) == pytest.approx(model.fitted(rows), rel=1e-12)


def test_errors_have_a_code_a_reason_and_a_next_step(trained, call_program, tmp_path) -> None:
    call_program("export_model.py", trained.archive, "--name", "m")
    raw = trained.raw
    (tmp_path / "lone.pickle").write_bytes(b"\x80\x04cos\nsystem\n.")
    (tmp_path / "bad.csv").write_text("dteday,season\n01-01-18,1\n")
    calls: list[tuple[tuple[str | Path, ...], int, str]] = [
        (("export_model.py",), 2, "give either a model or --in-use"),
        (("export_model.py", "a.tar.gz", "--in-use"), 2, "give either a model or --in-use"),
        (("export_model.py", "absent.tar.gz"), 9, "There is no model archive at absent.tar.gz"),
        (("export_model.py", ""), 9, "The model's name is empty"),
        (("export_model.py", "--in-use", "--env", "nowhere"), 3, "There is no environment 'nowhere'"),
        (("predict_from_export.py", "lone.pickle", raw), 10, "lone.pickle has no checksum"),
        (("predict_from_export.py", "exports/m.pickle", "absent.csv"), 1, "The data file absent.csv is not there"),
        (("predict_from_export.py", "exports/m.pickle", "bad.csv"), 1, "bad.csv: line 1, column"),
        (("predict_from_export.py", "exports/m.pickle", trained.raw, "--output", trained.raw), 1, "overwritten"),
        (
            ("predict_from_export.py", "exports/m.pickle", trained.raw, "--output", "exports/m.pickle"),
            1,
            "overwritten",
        ),
    ]
    for arguments, code, says in calls:
        done = call_program(*arguments)
        assert (done.code, done.out) == (code, ""), done
        assert says in done.err
        assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*-predictions.csv"))
