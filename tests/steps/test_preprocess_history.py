"""preprocess.py on a file and what the Feature Store knew before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.features.labels import texts_of
from analysis.features.stored import stored_rows
from analysis.runtime.upload import claim_of, claim_text, scheduled_claim
from pipeline.datasets.shipped import declaration_file, declared
from pipeline.demo.sample import write_sample

BIKES, WINE = declared("bike_sharing"), declared("red_wine")
AS_OF = "2026-11-30T00:00:00.000Z"


def keep_history(rows: Path, dataset: Dataset, folder: Path) -> Path:
    """Write the rows of a file as read_history.py leaves them: inputs with their outcomes, whatever the order."""
    checked = checked_file(rows, dataset, Purpose.SCORING).rows
    stored = stored_rows(checked, dataset, row_identities(checked, dataset), texts_of(checked, dataset))
    outcomes = [name for name in stored.outcomes.column_names if name not in stored.inputs.column_names]
    both = stored.inputs
    for name in outcomes:
        both = both.append_column(name, stored.outcomes[name])
    folder.mkdir(exist_ok=True)
    half = len(both) // 2
    for number, part in enumerate((both.slice(half), both.slice(0, half))):
        pq.write_table(part.rename_columns([name.lower() for name in part.column_names]), folder / f"part_{number}")
    (folder / "history.json").write_text(json.dumps({"as_of": AS_OF}))
    return folder


@pytest.fixture
def preprocess(call_script, tmp_path) -> Callable[..., Path]:
    def run(csv: Path | str, output: str, *more: object, dataset: str = "bike_sharing", claim=None) -> Path:
        path, folder = tmp_path / "landed.csv", tmp_path / f"claim-{output}"
        path.write_text(csv if isinstance(csv, str) else csv.read_text())
        folder.mkdir()
        made = claim or claim_of("raw", "raw/training/landed.csv", "v1", AS_OF)
        (folder / "claim.json").write_text(claim_text(made))
        place = ["--input-file", path, "--claim-dir", folder, "--output-dir", tmp_path / output]
        done = call_script("preprocess.py", "--dataset", declaration_file(dataset), *place, *more)
        assert done.code == 0, done.message
        return tmp_path / output

    return run


def parts(tmp_path: Path, dataset: Dataset, *, first: int) -> tuple[Path, str, str]:
    """Return a sample of 100 rows, its first rows alone, and the others alone."""
    whole = write_sample(tmp_path / "whole.csv", rows=100, dataset=dataset)
    header, *lines = whole.read_text().splitlines(keepends=True)
    return whole, header + "".join(lines[:first]), header + "".join(lines[first:])


@pytest.mark.parametrize("profile", ["forecast", "forecast-lagged"])
@pytest.mark.parametrize("first", [1, 70, 99])
def test_a_file_and_the_history_before_it_are_as_one_file(preprocess, tmp_path, profile: str, first: int) -> None:
    whole, before, landed = parts(tmp_path, BIKES, first=first)
    (tmp_path / "before.csv").write_text(before)
    history = keep_history(tmp_path / "before.csv", BIKES, tmp_path / "history")
    given = ["--train-on", "history", "--history-dir", history, "--profile", profile]
    together, alone = preprocess(landed, "together", *given), preprocess(whole, "alone", "--profile", profile)
    for name in (
        "train/train.parquet",
        "test/test.parquet",
        "train/labels.parquet",
        "scoring/features.csv",
        "rows/rows.csv",
    ):
        assert (together / name).read_bytes() == (alone / name).read_bytes(), name
    report = json.loads((together / "quality" / "quality.json").read_text())
    assert report["history"] == {"as_of": AS_OF, "rows": first, "incomplete": 0}
    assert report["rows"] == {"read": 100 - first, "used": 100}
    # What is in the store already is not written again.
    assert len(pd.read_parquet(together / "feature_store" / "inputs.parquet")) == 100 - first


def test_a_table_without_a_key_keeps_the_identifiers_of_its_rows(preprocess, tmp_path) -> None:
    whole, before, landed = parts(tmp_path, WINE, first=60)
    (tmp_path / "before.csv").write_text(before)
    history = keep_history(tmp_path / "before.csv", WINE, tmp_path / "history")
    given = ["--train-on", "history", "--history-dir", history]
    together = preprocess(landed, "together", *given, dataset="red_wine")
    rows = pd.read_csv(together / "rows" / "rows.csv")
    expected = row_identities(checked_file(whole, WINE, Purpose.SCORING).rows, WINE)
    assert sorted(rows["record"]) == sorted(expected)
    # The history's rows are not lines of the file.
    assert rows["line"].isna().sum() == 60
    assert rows["line"].dropna().tolist() == list(range(2, 42))


def test_what_landed_wins_for_the_days_that_it_has(preprocess, tmp_path) -> None:
    whole, _, _ = parts(tmp_path, BIKES, first=70)
    history = keep_history(whole, BIKES, tmp_path / "history")
    days = pd.read_csv(whole, dtype=str)
    days.loc[90:, "windspeed"] = "9.25"
    landed = days.iloc[90:].to_csv(index=False)
    out = preprocess(landed, "out", "--train-on", "history", "--history-dir", history)
    features = pd.read_csv(out / "scoring" / "features.csv", header=None)
    place = list(pd.read_parquet(out / "train" / "train.parquet").columns).index("windspeed")
    assert (features[place] == 9.25).tolist() == [False] * 90 + [True] * 10


def test_a_schedule_trains_on_the_history_alone(preprocess, tmp_path) -> None:
    whole, _, _ = parts(tmp_path, BIKES, first=70)
    history = keep_history(whole, BIKES, tmp_path / "history")
    claim = scheduled_claim("raw", "schedule/bikes-retrain/2026-12-01T03:00:00Z")
    out = preprocess("", "out", "--train-on", "history", "--history-dir", history, claim=claim)
    alone = preprocess(whole, "alone")
    for name in ("train/train.parquet", "test/test.parquet", "scoring/features.csv", "rows/rows.csv"):
        assert (out / name).read_bytes() == (alone / name).read_bytes(), name
    assert json.loads((out / "quality" / "quality.json").read_text())["file"] == claim.key


def test_an_upload_without_rows_is_refused_though_there_is_a_history(call_script, tmp_path) -> None:
    whole, _, _ = parts(tmp_path, BIKES, first=70)
    history = keep_history(whole, BIKES, tmp_path / "history")
    (tmp_path / "empty.csv").write_text("")
    given = ["--input-file", tmp_path / "empty.csv", "--output-dir", tmp_path / "out", "--claim-dir", tmp_path]
    done = call_script("preprocess.py", *given, "--train-on", "history", "--history-dir", history)
    assert (done.code, "empty" in done.message) == (1, True)


def test_without_a_history_there_is_nothing_to_train_on(call_script, tmp_path) -> None:
    whole, _, _ = parts(tmp_path, BIKES, first=70)
    given = ["--input-file", whole, "--output-dir", tmp_path / "out", "--claim-dir", tmp_path]
    done = call_script("preprocess.py", *given, "--train-on", "history", "--history-dir", tmp_path / "none")
    assert done.code == 1
    assert "holds no history to train on" in done.message


def test_rows_that_lack_what_every_row_has_by_now_are_left_out_and_counted(preprocess, tmp_path) -> None:
    _, before, landed = parts(tmp_path, BIKES, first=30)
    (tmp_path / "before.csv").write_text(before)
    history = keep_history(tmp_path / "before.csv", BIKES, tmp_path / "history")
    for path in history.glob("part_*"):
        table = pq.read_table(path)
        odd = pc.if_else(pc.equal(table["hum"], table["hum"][0]), None, table["hum"])
        pq.write_table(table.set_column(table.column_names.index("hum"), "hum", odd), path)
    out = preprocess(landed, "out", "--train-on", "history", "--history-dir", history)
    assert json.loads((out / "quality" / "quality.json").read_text())["history"]["incomplete"] == 2
