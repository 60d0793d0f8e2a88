"""train.py and evaluate.py as jobs, one after the other, on the generated sample."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from analysis.model.archive import read_archive
from analysis.model.artefact import read_model
from analysis.runtime.errors import ModelError
from analysis.runtime.tables import write_parquet


def test_metric_lines_fit_the_metric_definitions(trained) -> None:
    training = read_model(trained.root / "model").training
    for name in ("r2", "adjusted_r2", "rmse", "mae", "rows", "features"):
        found = re.search(rf"^train:{name}=([-+0-9.eE]+);", trained.log, re.MULTILINE)
        assert found, name
        if name in training:
            assert float(found[1]) == pytest.approx(training[name], rel=1e-9)


def test_the_model_directory_holds_the_model_and_what_serves_it(trained) -> None:
    model_dir = trained.root / "model"
    assert sorted(str(path.relative_to(model_dir)) for path in model_dir.rglob("*") if path.is_file()) == [
        "code/analysis/__init__.py",
        "code/analysis/model/__init__.py",
        "code/analysis/model/artefact.py",
        "code/analysis/model/baseline.py",
        "code/analysis/runtime/__init__.py",
        "code/analysis/runtime/errors.py",
        "code/analysis/runtime/names.py",
        "code/inference.py",
        "model.json",
        "summary.json",
        "summary.txt",
    ]


def test_the_packed_code_serves_alone(trained, tmp_path) -> None:
    """In a process that has no other path to the package than the archive's code/."""
    root = trained.root
    script = (
        "import pathlib, sys; root = pathlib.Path(sys.argv[1]); sys.path.insert(0, str(root / 'model' / 'code'))\n"
        "import inference as i\n"
        "model = i.model_fn(str(root / 'model'))\n"
        "rows = i.input_fn((root / 'prepared' / 'scoring' / 'features.csv').read_bytes(), 'text/csv')\n"
        "print(i.output_fn(i.predict_fn(rows, model), 'text/csv')[0])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(root)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    served = np.array([[float(value) for value in line.split(",")] for line in done.stdout.splitlines()])
    document = json.loads((root / "model" / "model.json").read_text())
    frame = pd.read_csv(root / "prepared" / "scoring" / "features.csv", header=None, names=document["input_columns"])
    expected = np.full(len(frame), document["intercept"])
    for name, coefficient in document["coefficients"].items():
        values = frame[name].to_numpy(dtype=float)
        if name in document["scaler"]:
            low, high = document["scaler"][name]["minimum"], document["scaler"][name]["maximum"]
            values = (values - low) / (high - low)
        expected += coefficient * values
    assert served.shape == (730, 4)
    np.testing.assert_allclose(served[:, 0], np.maximum(expected, 0.0), rtol=1e-9)
    assert (served[:, 1] <= served[:, 0]).all()
    assert (served[:, 0] <= served[:, 2]).all()


def test_provenance(trained) -> None:
    provenance = read_model(trained.root / "model").provenance
    quality = json.loads((trained.root / "prepared" / "quality" / "quality.json").read_text())
    assert provenance["data_sha256"] == quality["sha256"]
    assert provenance["code_sha256"] == "ab" * 32
    assert set(provenance["libraries"]) == {"numpy", "pandas", "scipy", "scikit-learn"}


def test_the_summary_equals_the_model(trained) -> None:
    summary = json.loads((trained.root / "data" / "summary.json").read_text())
    model = read_model(trained.root / "model")
    assert [entry["name"] for entry in summary["coefficients"]] == ["const", *model.selected]
    assert [entry["coefficient"] for entry in summary["coefficients"]] == [model.intercept, *model.coefficients]
    assert "OLS Regression Results" in (trained.root / "data" / "summary.txt").read_text()


def test_evaluation_has_the_model_quality_shape(trained) -> None:
    metrics = trained.evaluation["regression_metrics"]
    assert set(metrics) == {"mae", "mse", "rmse", "r2"}
    for entry in metrics.values():
        assert set(entry) == {"value", "standard_deviation"}
        assert all(math.isfinite(value) for value in entry.values())


def test_evaluation_figures(trained) -> None:
    evaluation = trained.evaluation
    assert evaluation["test"]["rows"] == 219
    assert evaluation["train"]["rows"] == 510
    assert evaluation["regression_metrics"]["r2"]["value"] == evaluation["test"]["r2"]
    assert evaluation["baseline"]["r2"] < 0.01
    if trained.profile == "forecast":
        assert evaluation["leakage"]["verdict"] == "pass"
        assert evaluation["test"]["r2"] > 0.8
        assert 0.92 <= evaluation["validation"]["random"]["intervals"]["classical"]["coverage"] <= 0.98
    else:
        assert evaluation["leakage"]["verdict"] == "known"
        assert set(evaluation["leakage"]["columns"]) == {"casual", "registered"}
        assert evaluation["test"]["r2"] == pytest.approx(1.0, abs=1e-12)


def test_rows_of_another_profile_are_refused(sample_runs, call_script, tmp_path) -> None:
    (tmp_path / "train").mkdir()
    write_parquet(pa.table({"temp": [1], "cnt": [2]}), tmp_path / "train" / "train.parquet")
    prepared = sample_runs["forecast"].root / "prepared" / "train"
    (tmp_path / "train" / "source.json").write_bytes((prepared / "source.json").read_bytes())
    for directory, profile in ((tmp_path / "train", "forecast"), (prepared, "parity")):
        done = call_script(
            "train.py", "--train-dir", directory, "--model-dir", tmp_path / "model", "--profile", profile
        )
        assert done.code == 1
        assert f"not prepared for profile '{profile}'" in done.message
        assert "Traceback" not in done.err
        assert not (tmp_path / "model").exists()


def test_removed_columns_get_no_coefficient(call_script, write, csv_of, rows, tmp_path) -> None:
    for row in rows:
        row["atemp"] = row["temp"]
    write(csv_of(rows), "raw/days.csv")
    prepared = tmp_path / "prepared"
    for name, arguments in (
        ("preprocess.py", ["--input-file", tmp_path / "raw" / "days.csv", "--output-dir", prepared]),
        ("train.py", ["--train-dir", prepared / "train", "--model-dir", tmp_path / "m", "--output-data-dir", tmp_path]),
    ):
        done = call_script(name, *arguments)
        assert done.code == 0, done.err
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["excluded"]["atemp"] == "atemp is perfectly correlated with temp"
    assert summary["excluded"]["mnth_12"] == "it never changes in the training rows"
    assert not {"atemp", "mnth_12"} & set(read_model(tmp_path / "m").selected)
    assert "atemp" in read_model(tmp_path / "m").input_columns


def test_a_missing_channel_is_named(call_script, tmp_path) -> None:
    done = call_script("train.py", "--train-dir", tmp_path / "nowhere")
    assert done.code == 1
    assert f"{tmp_path}/nowhere/train.parquet (no such directory)" in done.message


def archive_of(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([], "no model.json"),
        ([(tarfile.TarInfo("other/model.json"), b"{}")], "no model.json"),
        ([(tarfile.TarInfo("../../etc/passwd"), b"x")], "outside the destination"),
        ([(link("model.json", "../../../etc/passwd"), b"")], "outside the destination"),
        ([(link("model.json", "code/inference.py"), b"")], "not an ordinary file"),
        ([(tarfile.TarInfo("model.json"), b"\xff")], "not UTF-8"),
        ([(tarfile.TarInfo("model.json"), b"{}")], "format is None"),
    ],
)
def test_archives_that_are_refused(tmp_path, members, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        read_archive(archive_of(tmp_path / "model.tar.gz", members))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00broken"])
def test_something_that_is_no_archive_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="can't be used"):
        read_archive(path)


def test_a_missing_archive_is_named(call_script, tmp_path) -> None:
    done = call_script("evaluate.py", "--model-dir", tmp_path)
    assert done.code == 1
    assert "The model archive is missing" in done.message


def test_the_code_digest_of_the_environment_comes_first(trained, call_script, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CODE_SHA256", "cd" * 32)
    done = call_script(
        "train.py", "--train-dir", trained.root / "prepared" / "train", "--model-dir", tmp_path / "model",
        "--output-data-dir", tmp_path / "data", "--profile", trained.profile,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert read_model(tmp_path / "model").provenance["code_sha256"] == "cd" * 32
