"""The template notebook runs from top to bottom, and is committed without outputs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.shipped import dataset_names, declared
from scripts.lib.exports.files import read_export

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REAL = Path(os.environ.get("BIKE_SHARING_CSV") or ROOT.parent / "shared" / "data" / "bike_sharing" / "day.csv")
WINE = ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv"

# Runs the code cells in order in one namespace, as a kernel does, and says which one failed.
RUNNER = """
import json, sys, traceback
from pathlib import Path
cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
namespace = {"__name__": "__main__"}
for cell in cells:
    if cell["cell_type"] == "code":
        try:
            exec(compile("".join(cell["source"]), f"cell {cell['id']}", "exec"), namespace)
        except Exception:
            traceback.print_exc()
            sys.exit(f"cell {cell['id']} failed")
"""


def run(notebook: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER, str(notebook)],
        cwd=notebook.parent,
        env={**os.environ, "MPLBACKEND": "agg", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def document(request) -> dict[str, Any]:
    return json.loads(request.param.read_text(encoding="utf-8"))


def test_there_is_a_template() -> None:
    assert [path.name for path in NOTEBOOKS] == ["regression.ipynb"]


def test_it_is_a_notebook_of_the_current_format(document) -> None:
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)


def test_outputs_are_cleared(document) -> None:
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]


@pytest.mark.slow
@pytest.mark.parametrize("name", dataset_names())
def test_it_runs_on_the_generated_sample(tmp_path, name: str) -> None:
    out = run(NOTEBOOKS[0], DATASET=name, OUTPUT_DIR=str(tmp_path))
    assert out.count("OLS Regression Results") == 2
    assert f"730 {declared(name).words.row.many}" in out
    assert out.count("predicts the same: True") == 2
    assert read_export(tmp_path / "notebook-model.pickle") == read_export(tmp_path / "notebook-model.joblib")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("forecast", "510 rows to train on, 219 to test on, 29 columns"),
        ("parity", "R-squared:                       1.000"),
    ],
)
def test_it_runs_on_the_real_table(tmp_path, profile: str, says: str) -> None:
    if not REAL.is_file():
        pytest.skip(f"the real bike-sharing table is not at {REAL}; set BIKE_SHARING_CSV to run this test")
    out = run(NOTEBOOKS[0], DATA=str(REAL), PROFILE=profile, OUTPUT_DIR=str(tmp_path))
    assert says in out
    assert read_export(tmp_path / "notebook-model.pickle").profile == profile


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("complete", "R-squared:                       0.358"),
        ("distinct", "951 rows to train on, 408 to test on, 11 columns"),
    ],
)
def test_it_runs_on_the_real_wines(tmp_path, profile: str, says: str) -> None:
    if not WINE.is_file():
        pytest.skip(f"the real table of red wines is not at {WINE}")
    out = run(NOTEBOOKS[0], DATASET="red_wine", DATA=str(WINE), PROFILE=profile, OUTPUT_DIR=str(tmp_path))
    assert says in out
    assert not re.search(r"\b(day|rental|bike)s?\b", out)
    assert read_export(tmp_path / "notebook-model.pickle").profile == profile
