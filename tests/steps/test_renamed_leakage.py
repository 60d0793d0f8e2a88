"""casual and registered under other names: nothing but the numbers can give them away.

Where they are not declared, preprocess.py keeps them from the model (tests/steps/analysis/checking/
test_unused_columns.py). Where somebody has declared them as ordinary inputs, evaluate.py finds them out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.shipped import declaration_file


@pytest.fixture
def renamed_declaration(tmp_path) -> Path:
    """Bike sharing as somebody may declare it who does not know what visitors and members are."""
    text = declaration_file("bike_sharing").read_text(encoding="utf-8")
    text = text.replace("[columns.casual]", "[columns.visitors]").replace("[columns.registered]", "[columns.members]")
    text = text.replace('parts = ["casual", "registered"]\n', "")
    text = re.sub(r"\[\[rules\]\]\ncolumn = \"cnt\"\n.*?\n\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\[profiles\.parity\]\n.*?\n\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\[\[published\]\]\n.*?\n\n", "", text, flags=re.DOTALL)
    path = tmp_path / "dataset.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("noise", [0, 1], ids=["exact", "nearly"])
def test_the_evaluation_names_renamed_parts_of_the_target(
    real_csv, run_steps, renamed_declaration, tmp_path, noise: int
) -> None:
    table = pd.read_csv(real_csv, dtype=str).rename(columns={"casual": "visitors", "registered": "members"})
    table["visitors"] = table["visitors"].astype(int) + noise * (table.index % 7)
    table["members"] = (table["members"].astype(int) - noise * (table.index % 3)).clip(lower=0)
    table.to_csv(tmp_path / "day.csv", index=False)
    run = run_steps(tmp_path / "day.csv", tmp_path / "run", "forecast", renamed_declaration)
    leakage = run.evaluation["leakage"]
    assert leakage["verdict"] == "fail"
    assert set(leakage["columns"]) == {"visitors", "members"}
    assert "A column gives the answer away" in run.report
    assert "members and visitors" in run.report or "visitors and members" in run.report


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
    assert not {"visitors", "members"} & set(pd.read_parquet(tmp_path / "out" / "train" / "train.parquet").columns)
