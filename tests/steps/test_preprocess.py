from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest

from analysis.features.prepared import split_rows
from analysis.features.profiles import profile_of
from analysis.runtime.errors import SettingsError
from analysis.runtime.upload import claim_of, claim_text
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import sample_rows, write_sample

BIKES = declared("bike_sharing")
INPUT_COLUMNS = BIKES.known_before
FORECAST, PARITY = profile_of(BIKES, "forecast"), profile_of(BIKES, "parity")


@pytest.fixture
def run(call_script, tmp_path):
    def run_on(*more: str, key: str = "raw/training/days.csv", name: str = "days.csv"):
        claim = claim_of("raw", key, "v1", "2026-03-04T05:06:07.000Z")
        (tmp_path / "claim").mkdir(exist_ok=True)
        (tmp_path / "claim" / "claim.json").write_text(claim_text(claim), encoding="utf-8")
        return call_script(
            "preprocess.py",
            "--input-file",
            tmp_path / "raw" / name,
            "--claim-dir",
            tmp_path / "claim",
            "--output-dir",
            tmp_path / "out",
            *more,
        )

    return run_on


@pytest.fixture
def table(csv_of, rows) -> str:
    return csv_of(rows)


def lines(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_training_outputs(run, tmp_path) -> None:
    write_sample(tmp_path / "raw" / "days.csv")
    done = run()
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "feature_store/features.csv",
        "quality/quality.json",
        "rows/rows.csv",
        "scoring/features.csv",
        "test/labels.csv",
        "test/test.csv",
        "train/labels.csv",
        "train/source.json",
        "train/train.csv",
    ]
    train, test = pd.read_csv(out / "train" / "train.csv"), pd.read_csv(out / "test" / "test.csv")
    assert (len(train), len(test)) == (510, 219)
    assert list(train.columns) == list(test.columns) == [*FORECAST.names, "cnt"]
    assert lines(out / "scoring" / "features.csv") == 730
    assert lines(out / "rows" / "rows.csv") == lines(out / "feature_store" / "features.csv") == 731
    first = (out / "scoring" / "features.csv").read_text().split("\n")[0].split(",")
    assert len(first) == 29
    assert (out / "rows" / "rows.csv").read_text().startswith("date,actual\n2018-01-01,")
    source = json.loads((out / "train" / "source.json").read_text())
    quality = json.loads((out / "quality" / "quality.json").read_text())
    assert source["sha256"] == quality["sha256"]
    assert quality["rows"] == {"read": 730, "used": 730}
    assert (quality["first"], quality["last"]) == ("2018-01-01", "2019-12-31")
    assert source["dataset"] == quality["dataset"] == "bikeshare"
    assert (source["profile"], source["variant"]) == ("forecast", {"first_levels": None, "binned": None})
    for side, rows in (("train", 510), ("test", 219)):
        labels = pd.read_csv(out / side / "labels.csv")
        assert (list(labels.columns), len(labels)) == (["date"], rows)
    assert quality["split"] == {"all": 730, "train": 510, "test": 219}


def test_scoring_rows_stand_in_the_order_of_their_days(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows[::-1]), "raw/days.csv")
    assert run("--purpose", "scoring").code == 0
    out = tmp_path / "out"
    dates = pd.read_csv(out / "rows" / "rows.csv")
    scoring = pd.read_csv(out / "scoring" / "features.csv", header=None)
    assert dates["date"].is_monotonic_increasing
    assert dates["actual"].tolist() == [int(row["cnt"]) for row in rows]
    assert scoring[FORECAST.names.index("temp")].tolist() == [float(row["temp"]) for row in rows]


def test_a_file_without_counts_is_for_scoring_only(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows, INPUT_COLUMNS), "raw/days.csv")
    refused = run()
    assert refused.code == 1
    assert "raw/training/days.csv: line 1, column cnt: the column is missing" in refused.message
    scored = run("--purpose", "scoring")
    assert scored.code == 0, scored.err
    assert (tmp_path / "out" / "rows" / "rows.csv").read_text().startswith("date,actual\n2018-01-01,\n")
    assert not (tmp_path / "out" / "train" / "train.csv").exists()


def test_one_row_is_scored(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows[:1], INPUT_COLUMNS), "raw/days.csv")
    assert run("--purpose", "scoring").code == 0
    assert lines(tmp_path / "out" / "scoring" / "features.csv") == 1


def test_parity_needs_the_parts_of_the_count(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows), "raw/days.csv")
    assert run("--profile", "parity").code == 0
    assert list(pd.read_csv(tmp_path / "out" / "train" / "train.csv").columns) == [*PARITY.names, "cnt"]
    write(csv_of(rows, (*INPUT_COLUMNS, "cnt")), "raw/days.csv")
    refused = run("--profile", "parity")
    assert refused.code == 1
    assert "column casual: the column is missing" in refused.message


@pytest.mark.parametrize(
    "name",
    ["a b.csv", "a+b.csv", "100%.csv", "%20.csv", "Größe.csv", "日本語.csv", "it's.csv", "-x.csv", "no extension"],
)
def test_names_of_files(run, write, table, name: str) -> None:
    write(table, f"raw/{name}")
    done = run(key=f"raw/training/deep/er/{name}", name=name)
    assert done.code == 0, done.err


def test_a_file_that_is_not_there_is_named_with_what_is(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows), "raw/days.csv")
    write("something else", "raw/days.csv.bak")
    missing = run(name="input.csv")
    assert missing.code == 1
    assert "days.csv, days.csv.bak" in missing.message


def test_a_file_without_a_claim_goes_by_its_own_name(call_script, tmp_path, write, csv_of, rows) -> None:
    rows[5]["season"] = "7"
    path = write(csv_of(rows), "raw/days.csv")
    refused = call_script(
        "preprocess.py", "--input-file", path, "--claim-dir", tmp_path / "none", "--output-dir", tmp_path / "out"
    )
    assert refused.message.startswith("days.csv: line 7, column season")


def test_a_refused_file_leaves_nothing_behind(run, tmp_path, write, csv_of, rows) -> None:
    rows[5]["season"] = "7"
    path = write(csv_of(rows), "raw/days.csv")
    before = path.read_bytes()
    done = run()
    assert done.code == 1
    assert "raw/training/days.csv: line 7, column season: 7 is not one of" in done.message
    assert done.message.strip() in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()
    assert path.read_bytes() == before


def test_the_same_file_gives_the_same_bytes(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows), "raw/days.csv")
    out = tmp_path / "out"

    def contents() -> dict[str, bytes]:
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    run()
    first = contents()
    run()
    assert contents() == first


def test_the_split_depends_on_the_seed() -> None:
    assert split_rows(730, 0.7, 333) == split_rows(730, 0.7, 333)
    assert split_rows(730, 0.7, 333) != split_rows(730, 0.7, 334)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.99])
def test_no_row_is_on_both_sides(fraction: float) -> None:
    train, test = split_rows(730, fraction, 1)
    assert not set(train) & set(test)
    assert len(train) + len(test) in {729, 730}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, 2.0])
def test_impossible_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(SettingsError, match="--train-fraction"):
        split_rows(730, fraction, 1)


def test_repairs_are_settings(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of([*rows, rows[4]]), "raw/days.csv")
    assert run().code == 1
    assert run("--max-duplicate-rows", "1").code == 0
    quality = json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())
    assert quality["repairs"] == [{"what": "duplicate rows dropped", "rows": 1, "lines": [92]}]


def test_the_expansion_of_gzip_is_a_setting(run, write, csv_of) -> None:
    text = csv_of(sample_rows(rows=720)).encode() + b"\n" * 1_100_000
    write(gzip.compress(text), "raw/days.csv")
    assert run().code == 0
    refused = run("--largest-expanded-mib", "1")
    assert refused.code == 1
    assert "the gzip data expands to more than 1,048,576 bytes" in refused.message


def test_uci_form_end_to_end(run, tmp_path, write, csv_of, uci_of) -> None:
    write(csv_of(uci_of(sample_rows(rows=120))), "raw/days.csv")
    assert run().code == 0
    assert json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())["form"] == "original"
