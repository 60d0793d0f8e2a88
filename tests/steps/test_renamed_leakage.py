"""casual and registered under other names: nothing but the numbers can give them away.

preprocess.py removes columns that the published table has not (tests/steps/analysis/test_redundancy.py), and train.py
takes the profile's columns only, so such columns can't reach a model through those two. evaluate.py checks whatever
model it is given: here one that was fitted, by the function that train.py calls, with the renamed columns.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from analysis.evaluation.diagnostics import check_leakage
from analysis.features.profiles import number_column, profile_of
from analysis.model.fitting import fit_linear_model
from pipeline.datasets.shipped import declared

TARGET = "cnt"
FORECAST = profile_of(declared("bike_sharing"), "forecast")


@pytest.fixture
def job_helpers(evaluate_run, pack_model):
    return evaluate_run, pack_model


@pytest.mark.parametrize("noise", [0, 1], ids=["exact", "nearly"])
def test_the_evaluation_names_renamed_parts_of_the_target(real_csv, real_runs, tmp_path, job_helpers, noise) -> None:
    evaluate_run, pack_model = job_helpers
    raw = pd.read_csv(real_csv)
    raw.index = pd.Index(pd.to_datetime(raw["dteday"], format="%d-%m-%y").dt.strftime("%Y-%m-%d"))
    prepared = real_runs["forecast"].root / "prepared"
    frames = {}
    for side in ("train", "test"):
        days = pd.read_csv(prepared / side / "days.csv")["date"]
        rows = pd.read_csv(prepared / side / f"{side}.csv", float_precision="round_trip")
        parts = raw.loc[days].reset_index(drop=True)
        rows.insert(3, "visitors", parts["casual"] + noise * (rows.index % 7))
        rows.insert(9, "members", parts["registered"] - noise * (rows.index % 3))
        frames[side] = rows
        folder = tmp_path / "prepared" / side
        folder.mkdir(parents=True)
        rows.to_csv(folder / f"{side}.csv", index=False)
        days.to_frame().to_csv(folder / "days.csv", index=False)
    everything = pd.concat([frames["train"], frames["test"]])
    for name in ("scoring", "rows", "quality"):
        (tmp_path / "prepared" / name).mkdir()
    everything.drop(columns=TARGET).to_csv(
        tmp_path / "prepared" / "scoring" / "features.csv", index=False, header=False
    )
    dates = [date for side in frames for date in pd.read_csv(prepared / side / "days.csv")["date"]]
    labels = pd.DataFrame({"date": dates, "actual": everything[TARGET].to_numpy()})
    labels.to_csv(tmp_path / "prepared" / "rows" / "rows.csv", index=False)
    (tmp_path / "prepared" / "quality" / "quality.json").write_bytes(
        (prepared / "quality" / "quality.json").read_bytes()
    )
    features = frames["train"].drop(columns=TARGET)
    profile = replace(FORECAST, columns=tuple(features.columns))
    fit = fit_linear_model(features, frames["train"][TARGET], profile, 15, {})
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(fit.model.to_json())
    pack_model(tmp_path / "model", tmp_path / "archive" / "model.tar.gz")
    evaluate_run(tmp_path, tmp_path / "out")
    leakage = json.loads((tmp_path / "out" / "evaluation.json").read_text())["leakage"]
    assert leakage["verdict"] == "fail"
    assert set(leakage["columns"]) == {"visitors", "members"}
    report = (tmp_path / "out" / "report.html").read_text()
    assert "A column gives the answer away" in report
    assert "members and visitors" in report or "visitors and members" in report


def test_preprocess_keeps_renamed_parts_from_the_model(real_csv, call_script, tmp_path) -> None:
    renamed = pd.read_csv(real_csv, dtype=str).rename(columns={"casual": "visitors", "registered": "members"})
    (tmp_path / "raw").mkdir()
    renamed.to_csv(tmp_path / "raw" / "day.csv", index=False)
    done = call_script("preprocess.py", "--input-file", tmp_path / "raw" / "day.csv", "--output-dir", tmp_path / "out")
    assert done.code == 0, done.err
    quality = json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())
    removed = {entry["column"]: entry for entry in quality["removed_columns"]}
    for name in ("visitors", "members"):
        assert removed[name]["action"] == "removed"
        assert "cnt = visitors + members" in removed[name]["reason"]
    assert not {"visitors", "members"} & set(pd.read_csv(tmp_path / "out" / "train" / "train.csv").columns)
