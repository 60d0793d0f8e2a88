"""What analysts read: each profile's own files and tables; every recipe of docs/for-analysts.md as it stands there."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import boto3
import pytest

from tests.end_to_end.conftest import ROOT, Deployed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trigger")]

DAYS = 30
KEY = 'raw/scoring/next "mon\\th", 1.csv'
"""As CSV writes it, with quotes and a backslash."""
DOCUMENT = (ROOT / "docs" / "for-analysts.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Uploaded:
    """A file that was scored, corrected and scored again, after a training; then a training of another profile.

    before, after: all objects of the predictions bucket, before that training and after it.
    """

    deployed: Deployed
    before: dict[str, bytes]
    after: dict[str, bytes]
    parity: str
    corrected: str

    def table(self, folder: str) -> list[list[dict[str, str]]]:
        """Return the rows of each CSV below a folder."""
        files = [body for key, body in self.after.items() if key.startswith(folder) and key.endswith(".csv")]
        return [list(csv.DictReader(io.StringIO(body.decode()))) for body in files]

    def query(self, sql: str) -> list[dict[str, str | None]]:
        """Return what Athena answers, every value as text."""
        athena, bucket = self.deployed.endpoint.client("athena"), self.deployed.settings.predictions_bucket
        place = {"OutputLocation": f"s3://{bucket}/athena/"}
        identifier = athena.start_query_execution(QueryString=sql, ResultConfiguration=place)["QueryExecutionId"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]
            if status["State"] not in {"QUEUED", "RUNNING"}:
                break
            time.sleep(0.05)
        assert status["State"] == "SUCCEEDED", status
        pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=identifier)
        rows = [
            [cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]
        ]
        return [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]

    def here(self, recipe: str) -> str:
        """Return a recipe for this environment instead of the document's."""
        settings = self.deployed.settings
        (day,) = {key.partition("dt=")[2][:10] for key in self.after if "/dt=" in key}
        for theirs, ours in (
            ("bikeshare-dev-predictions-111122223333", settings.predictions_bucket),
            ("bikeshare_dev", settings.database_name),
            ("2026-11-23", day),
        ):
            recipe = recipe.replace(theirs, ours)
        return recipe


def recipes(heading: str, language: str) -> list[str]:
    """Return the code blocks below a heading of the document."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found


@pytest.fixture(scope="module")
def uploaded(deployed, sample_csv, tmp_path_factory) -> Uploaded:
    from pipeline.demo.sample import write_sample

    to_score = write_sample(tmp_path_factory.mktemp("days"), rows=DAYS, target=False).read_bytes()
    trained = deployed.run("raw/training/sample.csv", sample_csv)
    assert trained.status == "Succeeded", trained.explanation
    deployed.command("model", "approve", "1")
    lines = to_score.decode().splitlines(keepends=True)
    for body in (to_score, "".join(lines[:-1]).encode()):
        scored = deployed.run(KEY, body, "scoring")
        assert scored.status == "Succeeded", scored.explanation
    bucket = deployed.settings.predictions_bucket
    before = {key: deployed.read(bucket, key) for key in deployed.keys(bucket)}
    started = deployed.command("start", "raw/training/sample.csv", "--parameter", "Profile=parity", "--json")
    parity = deployed.finished(json.loads(started.stdout)["PipelineExecutionArn"])
    assert parity.status == "Succeeded", parity.explanation
    after = {key: deployed.read(bucket, key) for key in deployed.keys(bucket)}
    return Uploaded(deployed, before, after, parity.identifier, scored.arn)


def test_a_parity_run_of_the_same_file_leaves_the_forecasts_files_as_they_are(uploaded):
    assert {key: uploaded.after[key] for key in uploaded.before} == uploaded.before
    new = uploaded.after.keys() - uploaded.before.keys()
    assert len(new) == 5  # table, manifest, page and two pointers
    assert {key.split("/")[1] for key in new} == {"parity"}
    assert [len(rows) for rows in uploaded.table("predictions/parity/")] == [730]


def test_each_profiles_table_answers_its_own_rows(uploaded):
    database = uploaded.deployed.settings.database_name
    counted = "SELECT execution_id, count(*) AS rows FROM {}.predictions_{} GROUP BY execution_id"
    found = {
        profile: uploaded.query(counted.format(database, profile))
        for profile in ("parity", "forecast", "forecast_lagged")
    }
    assert found["parity"] == [{"execution_id": uploaded.parity, "rows": "730"}]
    assert sorted(row["rows"] or "" for row in found["forecast"]) == ["29", "30", "730"]
    assert uploaded.parity not in {row["execution_id"] for row in found["forecast"]}
    assert found["forecast_lagged"] == []


def test_the_view_has_the_rows_of_the_newest_upload_of_each_file_with_numbers(uploaded):
    database = uploaded.deployed.settings.database_name
    rows = uploaded.query(f"SELECT * FROM {database}.predictions_forecast_latest")  # noqa: S608 (our own name)
    by_file = {key: [row for row in rows if row["source_key"] == key] for key in {row["source_key"] for row in rows}}
    assert {key: len(found) for key, found in by_file.items()} == {KEY: DAYS - 1, "raw/training/sample.csv": 730}
    assert {row["execution_id"] for row in by_file[KEY]} == {uploaded.corrected.rpartition("/")[2]}
    assert {row["actual"] for row in by_file[KEY]} == {None}
    assert {row["history_gap"] for row in rows} == {None}
    assert {row["extrapolated"] for row in rows} <= {"0", "1"}
    header = uploaded.table("predictions/forecast/")[0][0].keys()
    assert list(rows[0]) == [*header, "dt"]


def test_the_page_of_a_scoring_is_found_by_its_execution(uploaded, tmp_path):
    path = tmp_path / "page.html"
    uploaded.deployed.command("report", uploaded.corrected, "-o", str(path))
    html = path.read_text(encoding="utf-8")
    assert f"{DAYS - 1} days, predicted by version" in html
    assert "Somebody has approved version 1 for use." in html
    assert "the typical error (MAE) was" in html
    assert html.encode() in uploaded.after.values()


def test_the_newest_of_each_profile_is_shown(uploaded):
    shown = uploaded.deployed.command("predictions", "latest", "--rows", "2").stdout
    assert shown.index("/predictions/forecast/") < shown.index("/predictions/parity/")
    assert shown.count("report: s3://") == shown.count("drift: ") == 2
    found = json.loads(uploaded.deployed.command("predictions", "latest", "--json", "--rows", "2").stdout)
    assert [(one["manifest"]["profile"], one["manifest"]["rows"]) for one in found] == [
        ("forecast", DAYS - 1), ("parity", 730),
    ]  # fmt: skip
    assert [len(one["rows"]) for one in found] == [2, 2]
    assert "predictions/parity/" in uploaded.deployed.command("predictions").stdout


def run_python(uploaded: Uploaded, heading: str, folder: Path) -> dict[str, Any]:
    """Run the only block of Python below a heading; what its names mean afterwards."""
    (recipe,) = recipes(heading, "python")
    path = folder / "recipe.py"
    path.write_text(uploaded.here(recipe), encoding="utf-8")
    # The session that boto3 keeps for whoever has none knows the endpoint of an earlier module.
    with mock.patch.object(boto3, "DEFAULT_SESSION", None):
        return runpy.run_path(str(path))


def run_shell(uploaded: Uploaded, heading: str, folder: Path) -> None:
    """Run the only block of commands below a heading, with the programs of this environment."""
    (recipe,) = recipes(heading, "sh")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, **uploaded.deployed.endpoint.environment(), "PATH": path}
    subprocess.run(["bash", "-euc", uploaded.here(recipe)], cwd=folder, env=variables, check=True, capture_output=True)


def test_pandas(uploaded, tmp_path, capsys):
    frame = run_python(uploaded, "pandas", tmp_path)["frame"]
    assert len(frame) == DAYS - 1
    assert frame["prediction"].gt(0).all()
    assert str(frame["uploaded_at"].dtype).startswith("datetime64")
    assert frame["actual"].isna().all()
    assert "lower_95" in capsys.readouterr().out


def test_awswrangler(uploaded, tmp_path):
    found = run_python(uploaded, "awswrangler", tmp_path)
    assert len(found["every"]) == 730 + DAYS + DAYS - 1
    assert found["every"]["dt"].notna().all()
    planned = found["planned"]
    # One row of the training file is in neither part of the split.
    assert len(planned) == DAYS - 1 + 1
    assert str(planned["prediction"].dtype) in {"float64", "Float64"}
    assert (planned["lower_95"] < planned["upper_95"]).all()


def test_athena(uploaded):
    each, once, one_day, changed = (uploaded.query(uploaded.here(recipe)) for recipe in recipes("Athena", "sql"))
    assert len(each) == DAYS - 1 + 219 + 1
    assert {row["actual"] is None for row in each} == {True, False}
    # The sample and the file to score begin with the same days.
    assert len({row["date"] for row in once}) == len(once) == 730
    assert [row["source_key"] for row in once].count(KEY) == DAYS - 1
    assert {row["source_key"]: (row["days"], row["known"]) for row in one_day} == {
        KEY: (str(DAYS + DAYS - 1), "0"), "raw/training/sample.csv": ("730", "730"),
    }  # fmt: skip
    assert {row["source_key"]: row["mean_absolute_error"] is None for row in one_day} == {
        KEY: True, "raw/training/sample.csv": False,
    }  # fmt: skip
    assert len(changed) == DAYS - 1
    assert {row["source_key"] for row in changed} == {KEY}
    assert all(abs(float(row["changed_by"] or "nan")) < 1e-6 for row in changed)


def test_duckdb(uploaded, tmp_path, monkeypatch):
    run_shell(uploaded, "DuckDB", tmp_path)
    monkeypatch.chdir(tmp_path)
    inside = run_python(uploaded, "DuckDB", tmp_path)["inside"]
    assert len(inside) == 730 + DAYS - 1
    assert inside["inside"].sum() > 600
    assert inside["inside"].isna().sum() == DAYS - 1


@pytest.mark.skipif(
    not shutil.which("ssconvert"), reason="Gnumeric is not installed (Debian: apt-get install gnumeric)"
)
def test_a_spreadsheet(uploaded, tmp_path):
    (tmp_path / "next-month.csv").write_bytes(
        next(body for key, body in uploaded.after.items() if "/forecast/" in key and key.endswith(".csv"))
        + b"2026-01-01,1.5,1,2,,1,a,'=1+1,0,,new,Approved,2026-01-01T00:00:00.000Z\n"
    )
    run_shell(uploaded, "A spreadsheet", tmp_path)
    space = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(tmp_path / "next-month.xlsx") as workbook:
        sheet, shared = (
            ElementTree.fromstring(workbook.read(f"xl/{name}.xml"))  # noqa: S314 (made here)
            for name in ("worksheets/sheet1", "sharedStrings")
        )
    assert sheet.findall(".//s:f", space) == []
    assert "=1+1" in {text.text for part in (sheet, shared) for text in part.findall(".//s:t", space)}
    numbers = [cell for cell in sheet.findall(".//s:c", space) if cell.get("r", "").startswith("B")][1:]
    assert len(numbers) > 1
    assert {cell.get("t", "n") for cell in numbers} == {"n"}
