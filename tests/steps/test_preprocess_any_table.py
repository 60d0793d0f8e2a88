"""preprocess.py on a declaration of its own: levels that are words, empty cells of every meaning, learned bins.

What is learned is learned on training rows alone; a file to score is prepared with what the model brings.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.datasets.shipped import declaration_file

DECLARATION = """
name = "plots"
title = "Plots"
description = "Plots of a trial field."
source = "Made up."
target = "yield"
key = ["plot"]

[words]
row = { one = "plot", many = "plots" }
target = "yield"
unit = { one = "kilogram", many = "kilograms" }
use = "Guess yields."

[columns.plot]
kind = "identifier"

[columns.side]
kind = "category"
levels = { north = "towards the hill", "far south" = "towards the river", west = "towards the road" }
missing = "fill"

[columns.crop]
kind = "category"
levels = { oats = "oats", rye = "rye", unknown = "unknown" }
reference = "rye"
missing = "placeholder"
placeholder = "unknown"

[columns.heat]
kind = "measure"
missing = "fill"
indicator = true
bins = { quantiles = 4 }

[columns.wind]
kind = "measure"
missing = "placeholder"
placeholder = "-1"
indicator = true

[columns.worms]
kind = "count"
missing = "fill"

[columns.shade]
kind = "flag"
missing = "fill"

[columns.slope]
kind = "measure"
missing = "fill"
optional = true

[columns.yield]
kind = "measure"

[profiles.forecast]
description = "Numbers as they are."
inputs = ["side", "crop", "heat", "wind", "worms", "shade"]

[profiles.binned]
description = "Heat by its quarters."
inputs = ["side", "crop", "heat", "wind", "worms", "shade"]
binned = ["heat"]

[profiles.sloping]
description = "With a column that files may lack."
inputs = ["heat", "slope"]

[gate]
minimum_r_squared = 0.1
"""
COLUMNS = ("plot", "side", "crop", "heat", "wind", "worms", "shade", "yield")
NAMES = [
    "heat", "wind", "worms", "shade", "side_far_south", "side_west", "crop_oats", "crop_unknown", "heat_missing",
    "wind_missing",
]  # fmt: skip

Rows = list[dict[str, str]]


def plots(count: int = 120) -> Rows:
    random = np.random.Generator(np.random.PCG64(5))
    rows = []
    for number in range(count):
        heat, worms = random.uniform(5.0, 30.0), int(random.integers(0, 9))
        row = {
            "plot": f"p-{number:03d}",
            "side": str(random.choice(["north", "far south", "west"], p=[0.2, 0.5, 0.3])),
            "crop": str(random.choice(["oats", "rye"])),
            "heat": f"{heat:.3f}",
            "wind": f"{random.uniform(0.0, 9.0):.2f}",
            "worms": str(worms),
            "shade": str(int(random.integers(0, 2))),
            "yield": f"{heat + 2.0 * worms + random.normal():.3f}",
        }
        rows.append(row | {name: "" for name in COLUMNS[1:-1] if random.random() < 0.1})
    return rows


@pytest.fixture(scope="module")
def declaration(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plots") / "dataset.toml"
    path.write_text(DECLARATION, encoding="utf-8")
    return path


def write_csv(path: Path, rows: Rows, columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def prepare(call_script, declaration, tmp_path):
    """Run preprocess.py on rows; the directory that it wrote."""

    def prepared(rows: Rows, *more: object, name: str = "out", columns: tuple[str, ...] = COLUMNS) -> Path:
        file = write_csv(tmp_path / f"{name}.csv", rows, columns)
        out = tmp_path / name
        done = call_script(
            "preprocess.py", "--input-file", file, "--output-dir", out, "--dataset", declaration, *map(str, more)
        )
        assert done.code == 0, done.err
        return out

    return prepared


@pytest.fixture
def model_of(call_script, declaration, pack_model, tmp_path):
    """Train on prepared rows; the directory of the packed model."""

    def trained(prepared: Path) -> Path:
        done = call_script(
            "train.py", "--train-dir", prepared / "train", "--model-dir", tmp_path / "m", "--output-data-dir",
            tmp_path / "data", "--dataset", declaration,
        )  # fmt: skip
        assert done.code == 0, done.err
        pack_model(tmp_path / "m", tmp_path / "archive" / "model.tar.gz")
        return tmp_path / "archive"

    return trained


def source_of(prepared: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((prepared / "train" / "source.json").read_text(encoding="utf-8"))
    return found


def scoring_features(prepared: Path) -> list[list[float]]:
    return (
        pd.read_csv(prepared / "scoring" / "features.csv", header=None, float_precision="round_trip")
        .to_numpy()
        .tolist()
    )


def training_rows(prepared: Path, rows: Rows) -> Rows:
    known = {row["plot"]: row for row in rows}
    return [known[plot] for plot in pd.read_parquet(prepared / "train" / "labels.parquet")["plot"]]


def values(rows: Rows, name: str) -> list[float]:
    return [float(row[name]) for row in rows if row[name]]


def test_what_is_learned_is_of_the_training_rows(prepare) -> None:
    rows = plots()
    out = prepare(rows)
    training, learned = training_rows(out, rows), source_of(out)["preparation"]
    assert len(training) == 84
    sides = [row["side"] for row in training if row["side"]]
    assert learned["fills"] == {
        "side": max(sorted(set(sides)), key=sides.count),
        "crop": "unknown",
        "heat": float(np.median(values(training, "heat"))),
        "wind": -1.0,
        "worms": float(np.floor(np.median(values(training, "worms")))),
        "shade": float(np.floor(np.median(values(training, "shade")))),
    }
    assert learned["edges"] == {"heat": np.quantile(values(training, "heat"), (0.25, 0.5, 0.75)).tolist()}
    for name in ("heat", "wind", "worms", "shade"):
        assert learned["ranges"][name] == [min(values(training, name)), max(values(training, name))]


def test_other_test_rows_change_nothing_that_is_learned(prepare) -> None:
    rows = plots()
    before = prepare(rows)
    training = {row["plot"] for row in training_rows(before, rows)}
    other = [
        row if row["plot"] in training else {**row, "side": "north", "heat": "99", "wind": "", "worms": "1000"}
        for row in rows
    ]
    after = prepare(other, name="other")
    assert source_of(after)["preparation"] == source_of(before)["preparation"]
    assert (after / "train" / "train.parquet").read_bytes() == (before / "train" / "train.parquet").read_bytes()
    assert (after / "test" / "test.parquet").read_bytes() != (before / "test" / "test.parquet").read_bytes()


def test_every_cell_of_the_training_rows(prepare) -> None:
    rows = plots()
    out = prepare(rows)
    fills = source_of(out)["preparation"]["fills"]
    table = pd.read_parquet(out / "train" / "train.parquet")
    assert list(table.columns) == [*NAMES, "yield"]
    expected = []
    for row in training_rows(out, rows):
        full = {name: row[name] or fills[name] for name in COLUMNS[1:-1]}
        expected.append(
            [
                *(float(full[name]) for name in ("heat", "wind", "worms", "shade")),
                *(float(full["side"] == level) for level in ("far south", "west")),
                *(float(full["crop"] == level) for level in ("oats", "unknown")),
                *(float(not row[name]) for name in ("heat", "wind")),
                float(row["yield"]),
            ]
        )
    assert table.to_numpy(dtype=float).tolist() == expected


def test_quarters_are_those_of_the_training_rows(prepare) -> None:
    rows = plots()
    out = prepare(rows, "--profile", "binned")
    learned = source_of(out)["preparation"]
    table = pd.read_parquet(out / "train" / "train.parquet")
    names = ["heat_second_quarter", "heat_third_quarter", "heat_highest_quarter"]
    heat = [float(row["heat"] or learned["fills"]["heat"]) for row in training_rows(out, rows)]
    quarters = np.searchsorted(learned["edges"]["heat"], heat, side="right")
    for position, name in enumerate(names, 1):
        assert table[name].tolist() == (quarters == position).astype(int).tolist()
    # Without the filled cells, each quarter has as many training rows as the others.
    known = [quarter for quarter, row in zip(quarters, training_rows(out, rows), strict=True) if row["heat"]]
    counts = np.bincount(known, minlength=4)
    assert counts.max() - counts.min() <= 1
    (report,) = json.loads((out / "quality" / "quality.json").read_text())["bins"]
    assert (report["column"], report["learned"]) == ("heat", True)
    assert [interval["to"] for interval in report["intervals"]][:-1] == learned["edges"]["heat"]
    assert sum(interval["rows"] for interval in report["intervals"]) == len(rows)


@pytest.mark.parametrize("profile", ["forecast", "binned"])
def test_a_file_to_score_is_prepared_with_what_the_model_brings(prepare, model_of, profile: str) -> None:
    out = prepare(plots(), "--profile", profile)
    learned, archive = source_of(out)["preparation"], model_of(out)
    empty = {"plot": "new", **dict.fromkeys(COLUMNS[1:-1], "")}
    hot = {
        **empty,
        "plot": "newer",
        "side": "west",
        "crop": "rye",
        "heat": "29.9",
        "wind": "3",
        "worms": "2",
        "shade": "1",
    }
    scored = prepare([empty, hot], "--purpose", "scoring", "--model-dir", archive, name="new", columns=COLUMNS[:-1])
    fills = learned["fills"]
    heats = np.array([fills["heat"], 29.9])
    quarters = np.searchsorted(learned["edges"]["heat"], heats, side="right")
    by_quarter = [[float(quarter == position) for position in (1, 2, 3)] for quarter in quarters]
    first = [fills["wind"], fills["worms"], fills["shade"]]
    second = [3.0, 2.0, 1.0]
    expected = [
        [*first, *([float(heats[0])] if profile == "forecast" else [])],
        [*second, *([29.9] if profile == "forecast" else [])],
    ]
    sides = [[float(fills["side"] == "far south"), float(fills["side"] == "west")], [0.0, 1.0]]
    crops, empties = [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]
    found = scoring_features(scored)
    for row in range(2):
        numbers, heat = expected[row][:3], expected[row][3:]
        bins = [] if profile == "forecast" else by_quarter[row]
        assert found[row] == [*heat, *numbers, *bins, *sides[row], *crops[row], *empties[row]]
    quality = json.loads((scored / "quality" / "quality.json").read_text())
    edges = [interval["to"] for interval in quality["bins"][0]["intervals"]][:-1]
    assert edges == learned["edges"]["heat"]
    assert (scored / "rows" / "rows.csv").read_text() == "plot,actual,row_role\nnew,,new\nnewer,,new\n"


def test_rows_are_prepared_alone_as_they_were_together(prepare, model_of) -> None:
    rows = plots()
    out = prepare(rows, "--profile", "binned")
    archive, together = model_of(out), scoring_features(out)

    @settings(deadline=None, max_examples=12)
    @given(st.integers(0, len(rows) - 1))
    def alone(number: int) -> None:
        one = prepare([rows[number]], "--purpose", "scoring", "--model-dir", archive, name="one")
        assert scoring_features(one) == [together[number]]

    alone()


@pytest.mark.parametrize("table", ["red_wine", "bike_sharing"])
def test_rows_of_real_tables_are_prepared_alone_as_they_were_together(
    table: str, request: pytest.FixtureRequest, call_script, tmp_path
) -> None:
    runs, file = ("wine_runs", "wine_csv") if table == "red_wine" else ("real_runs", "real_csv")
    root = request.getfixturevalue(runs)["forecast"].root
    header, *lines = request.getfixturevalue(file).read_text().splitlines()
    together = (root / "prepared" / "scoring" / "features.csv").read_text().splitlines()

    @settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(lines) - 1))
    def alone(number: int) -> None:
        (tmp_path / "one.csv").write_text(f"{header}\n{lines[number]}\n")
        done = call_script(
            "preprocess.py", "--purpose", "scoring", "--input-file", tmp_path / "one.csv", "--model-dir",
            root / "archive", "--output-dir", tmp_path / "one", "--dataset", declaration_file(table),
        )  # fmt: skip
        assert done.code == 0, done.err
        assert (tmp_path / "one" / "scoring" / "features.csv").read_text().splitlines() == [together[number]]

    alone()


def test_a_column_that_files_may_lack_is_filled_like_an_empty_one(prepare, model_of) -> None:
    rows = [{**row, "slope": str(number % 7)} for number, row in enumerate(plots())]
    out = prepare(rows, "--profile", "sloping", columns=(*COLUMNS, "slope"))
    slope = source_of(out)["preparation"]["fills"]["slope"]
    new = [{"plot": "new", "heat": "20"}]
    scored = prepare(new, "--purpose", "scoring", "--model-dir", model_of(out), name="new", columns=COLUMNS[:-1])
    assert scoring_features(scored) == [[20.0, slope, 0.0]]


def test_empty_cells_that_nothing_can_fill_are_refused(call_script, declaration, tmp_path) -> None:
    for rows, columns, column in (
        (plots(), COLUMNS, "slope"),
        ([{**row, "slope": "1", "heat": ""} for row in plots()], (*COLUMNS, "slope"), "heat"),
    ):
        file = write_csv(tmp_path / "plots.csv", rows, columns)
        done = call_script(
            "preprocess.py", "--input-file", file, "--output-dir", tmp_path / "out", "--dataset", declaration,
            "--profile", "sloping",
        )  # fmt: skip
        assert done.code == 1
        assert f"plots.csv: column {column}: 120 empty cells, and no training row has a value" in done.message
        assert not (tmp_path / "out").exists()


def test_a_word_that_is_no_level_is_refused(call_script, declaration, tmp_path) -> None:
    rows = plots()
    rows[7]["side"] = "east"
    file = write_csv(tmp_path / "plots.csv", rows)
    done = call_script(
        "preprocess.py", "--input-file", file, "--output-dir", tmp_path / "out", "--dataset", declaration
    )
    assert done.code == 1
    assert "line 9, column side: east is not one of north (towards the hill), far south" in done.message


def test_what_training_rows_teach_is_not_made_up_of_the_rows_to_score(call_script, declaration, tmp_path) -> None:
    file = write_csv(tmp_path / "plots.csv", plots())
    done = call_script(
        "preprocess.py", "--purpose", "scoring", "--input-file", file, "--output-dir", tmp_path / "out",
        "--model-dir", tmp_path / "none", "--dataset", declaration,
    )  # fmt: skip
    assert done.code == 1
    assert "was learned on training rows. Give the model's folder with --model-dir." in done.message
    assert not (tmp_path / "out").exists()
