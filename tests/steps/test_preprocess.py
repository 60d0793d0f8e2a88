from __future__ import annotations

import gzip
import json
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from analysis.features.prepared import split_rows
from analysis.features.profiles import profile_of
from analysis.runtime.errors import SettingsError
from analysis.runtime.names import INPUTS_FILE, OUTCOMES_FILE
from analysis.runtime.tables import read_table
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


LAGGED = "forecast-lagged"


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
        "feature_store/inputs.parquet",
        "feature_store/outcomes.parquet",
        "quality/quality.json",
        "rows/rows.csv",
        "scoring/features.csv",
        "test/labels.parquet",
        "test/sources.parquet",
        "test/test.parquet",
        "train/labels.parquet",
        "train/source.json",
        "train/train.parquet",
    ]
    train, test = pd.read_parquet(out / "train" / "train.parquet"), pd.read_parquet(out / "test" / "test.parquet")
    assert (len(train), len(test)) == (510, 219)
    assert list(train.columns) == list(test.columns) == [*FORECAST.names, "cnt"]
    assert lines(out / "scoring" / "features.csv") == 730
    assert lines(out / "rows" / "rows.csv") == 731
    assert [len(read_table(out / "feature_store" / name)) for name in (INPUTS_FILE, OUTCOMES_FILE)] == [730, 730]
    first = (out / "scoring" / "features.csv").read_text().split("\n")[0].split(",")
    assert len(first) == 29
    assert (out / "rows" / "rows.csv").read_text().startswith("date,actual,row_role\n2018-01-01,")
    source = json.loads((out / "train" / "source.json").read_text())
    quality = json.loads((out / "quality" / "quality.json").read_text())
    assert source["sha256"] == quality["sha256"]
    assert quality["rows"] == {"read": 730, "used": 730}
    assert (quality["first"], quality["last"]) == ("2018-01-01", "2019-12-31")
    assert source["dataset"] == quality["dataset"] == "bikeshare"
    assert (source["profile"], source["variant"]) == ("forecast", {"first_levels": None, "binned": None})
    for side, rows in (("train", 510), ("test", 219)):
        labels = pd.read_parquet(out / side / "labels.parquet")
        assert (list(labels.columns), len(labels)) == (["date"], rows)
    assert quality["split"] == {"all": 730, "train": 510, "test": 219}
    assert quality["words"] == {
        "title": BIKES.title,
        "limits": BIKES.words.limits,
        "target": "daily rentals",
        "row": "day",
        "rows": "days",
        "unit": "rental",
        "units": "rentals",
        "time": "date",
        "gaps_in": "rows",
    }
    roles = pd.read_csv(out / "rows" / "rows.csv").set_index("date")["row_role"]
    for side in ("train", "test"):
        assert set(roles[roles == side].index) == set(pd.read_parquet(out / side / "labels.parquet")["date"])
    # scikit-learn rounds 0.7 of 730 rows down to 510, as 0.7 is a little less than that: one row is in neither part.
    assert roles.value_counts().to_dict() == {"train": 510, "test": 219, "new": 1}


def test_scoring_rows_stand_in_the_order_of_their_days(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows[::-1]), "raw/days.csv")
    assert run("--purpose", "scoring").code == 0
    out = tmp_path / "out"
    dates = pd.read_csv(out / "rows" / "rows.csv")
    scoring = pd.read_csv(out / "scoring" / "features.csv", header=None)
    assert dates["date"].is_monotonic_increasing
    assert set(dates["row_role"]) == {"new"}
    assert dates["actual"].tolist() == [int(row["cnt"]) for row in rows]
    assert scoring[FORECAST.names.index("temp")].tolist() == [float(row["temp"]) for row in rows]


def test_a_file_without_counts_is_for_scoring_only(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows, INPUT_COLUMNS), "raw/days.csv")
    refused = run()
    assert refused.code == 1
    assert "raw/training/days.csv: line 1, column cnt: the column is missing" in refused.message
    scored = run("--purpose", "scoring")
    assert scored.code == 0, scored.err
    assert (tmp_path / "out" / "rows" / "rows.csv").read_text().startswith("date,actual,row_role\n2018-01-01,,new\n")
    assert not (tmp_path / "out" / "train" / "train.parquet").exists()
    assert [path.name for path in (tmp_path / "out" / "feature_store").iterdir()] == [INPUTS_FILE]


def test_only_rows_with_a_count_have_an_outcome(run, tmp_path, write, csv_of, rows) -> None:
    for row in rows[2:]:
        row.update(dict.fromkeys(("casual", "registered", "cnt"), ""))
    write(csv_of(rows), "raw/days.csv")
    assert run("--purpose", "scoring").code == 0
    stored = tmp_path / "out" / "feature_store"
    assert len(read_table(stored / INPUTS_FILE)) == len(rows)
    answers = ("casual", "registered", "cnt")
    known = [
        {"dteday": day, **{name: int(row[name]) for name in answers}}
        for day, row in zip(("2018-01-01", "2018-01-02"), rows, strict=False)
    ]
    assert read_table(stored / OUTCOMES_FILE).to_pylist() == known


def test_one_row_is_scored(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows[:1], INPUT_COLUMNS), "raw/days.csv")
    assert run("--purpose", "scoring").code == 0
    assert lines(tmp_path / "out" / "scoring" / "features.csv") == 1


def test_parity_needs_the_parts_of_the_count(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows), "raw/days.csv")
    assert run("--profile", "parity").code == 0
    assert list(pd.read_parquet(tmp_path / "out" / "train" / "train.parquet").columns) == [*PARITY.names, "cnt"]
    write(csv_of(rows, (*INPUT_COLUMNS, "cnt")), "raw/days.csv")
    refused = run("--profile", "parity")
    assert refused.code == 1
    assert "column casual: the column is missing" in refused.message


def test_a_named_model_of_parts_of_the_count_blames_no_uploader(run, write, csv_of, rows, sample_runs) -> None:
    archive = ("--model-dir", sample_runs["parity"].root / "archive")
    write(csv_of(rows[:5], INPUT_COLUMNS), "raw/days.csv")
    refused = run("--purpose", "scoring", *archive)
    assert refused.code == 1
    assert "it takes casual and registered as inputs, which are only known when cnt is" in refused.message
    assert "Nothing is wrong with the file." in refused.message
    assert "bikeshare model approve VERSION" in refused.message
    # Whoever has them can have such rows predicted.
    write(csv_of(rows[:5]), "raw/days.csv")
    assert run("--purpose", "scoring", *archive).code == 0


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
    first, again, other = (split_rows(730, 0.7, seed)[0].tolist() for seed in (333, 333, 334))
    assert first == again != other


@given(st.integers(2, 3000), st.integers(1, 999), st.integers(0, 2**32 - 1))
@example(730, 700, 333)
@example(1599, 700, 333)
def test_the_split_is_scikit_learns(count: int, thousandths: int, seed: int) -> None:
    fraction = thousandths / 1000
    try:
        train, test = train_test_split(
            range(count), train_size=fraction, test_size=round(1 - fraction, 12), random_state=seed
        )
    except ValueError:  # it is of no row on one side
        with pytest.raises(SettingsError, match="leaves"):
            split_rows(count, fraction, seed)
    else:
        assert [side.tolist() for side in split_rows(count, fraction, seed)] == [train, test]


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


def scoring_files(out) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a model with a past gets, its last column the history gap, and what names the rows."""
    names = [*profile_of(BIKES, LAGGED).names, "history_gap"]
    features = pd.read_csv(out / "scoring" / "features.csv", header=None, names=names)
    return features, pd.read_csv(out / "rows" / "rows.csv")


def test_features_of_the_past_are_those_of_the_days_before(run, tmp_path) -> None:
    days = pd.read_csv(write_sample(tmp_path / "raw" / "days.csv"))
    done = run("--profile", LAGGED)
    assert done.code == 0, done.err
    assert "features of the past: 1 rows without any earlier value left out" in done.out
    out = tmp_path / "out"
    features, rows = scoring_files(out)
    assert list(rows.columns) == ["date", "actual", "history_gap", "row_role"]
    # The first day has no day before: it is stored, and nothing is learned of it or predicted.
    assert len(read_table(out / "feature_store" / INPUTS_FILE)) == 730
    assert len(features) == len(rows) == 729
    before = days["cnt"].shift(1)
    assert features["cnt_1"].tolist() == before[1:].tolist()
    assert features["cnt_mean_7"].tolist() == pytest.approx(before.rolling(7, min_periods=1).mean()[1:].tolist())
    assert not features["history_gap"].any()
    assert rows["actual"].tolist() == days["cnt"][1:].tolist()
    train, labels = pd.read_parquet(out / "train" / "train.parquet"), pd.read_parquet(out / "train" / "labels.parquet")
    assert list(train.columns) == [*FORECAST.names, "cnt_1", "cnt_mean_7", "cnt"]
    assert list(labels.columns) == ["date", "history_gap"]
    quality = json.loads((out / "quality" / "quality.json").read_text())
    assert quality["split"] == {"all": 729, "train": 510, "test": 219}
    assert quality["past"] == {
        "features": [
            {"name": "cnt_1", "column": "cnt", "description": "rentals of the day before", "days_ago": 1},
            {
                "name": "cnt_mean_7",
                "column": "cnt",
                "description": "mean daily rentals of the seven days before",
                "mean_of_days": 7,
            },
        ],
        "history_rows": 0,
        "without_earlier_values": {"rows": 1, "lines": [2]},
        "gaps": {"rows": 0, "largest": 0},
    }
    # For each larger gap, the training rows in their order, with values so much older.
    older = pd.read_parquet(out / "train" / "gaps.parquet")
    assert list(older.columns) == ["history_gap", "cnt_1", "cnt_mean_7"]
    assert older["history_gap"].unique().tolist() == [1, 2, 6, 13, 29, 59, 119, 239]
    dates = ["20{2}-{1}-{0}".format(*day.split("-")) for day in days["dteday"]]
    count_on = dict(zip(dates, days["cnt"], strict=True))
    for gap, part in older.groupby("history_gap"):
        needed = [str(date.fromisoformat(day) - timedelta(days=int(gap) + 1)) for day in labels["date"]]
        assert part["cnt_1"].fillna(-1).tolist() == [count_on.get(day, -1) for day in needed]


def test_without_a_past_the_history_is_not_looked_at(run, tmp_path, table, write) -> None:
    write(table, "raw/days.csv")
    write("no parquet", "history/20261130_query")
    write('{"as_of": "2026-11-30T00:00:00.000Z"}', "history/history.json")
    assert run("--history-dir", str(tmp_path / "history")).code == 0
    assert "past" not in json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())


def score(run, tmp_path, write, text: str, *more: str):
    write(text, "raw/days.csv")
    return run("--purpose", "scoring", "--profile", LAGGED, *more, key="raw/scoring/days.csv")


def test_days_to_score_without_any_earlier_value_are_refused(run, tmp_path, write, csv_of, rows) -> None:
    done = score(run, tmp_path, write, csv_of(rows[:9], INPUT_COLUMNS))
    assert (done.code, done.message.count("\n")) == (1, 0)
    assert done.message.startswith(
        "raw/scoring/days.csv: no earlier value of cnt is known for any day, neither from this"
    )


def test_what_a_file_to_score_knows_of_its_first_days_is_used(run, tmp_path, write, csv_of, rows) -> None:
    header = (*INPUT_COLUMNS, "cnt")
    known = [row if number < 3 else row | {"cnt": ""} for number, row in enumerate(rows[:8])]
    done = score(run, tmp_path, write, csv_of(known, header))
    assert done.code == 0, done.err
    assert "1 rows without any earlier value left out, 4 rows with a history gap, of at most 4" in done.out
    features, named = scoring_files(tmp_path / "out")
    counts = [float(row["cnt"]) for row in rows[:3]]
    assert features["cnt_1"].tolist() == [*counts, *[counts[2]] * 4]
    assert features["cnt_mean_7"][2:].tolist() == pytest.approx([sum(counts) / 3] * 5)
    assert features["history_gap"].tolist() == named["history_gap"].tolist() == [0, 0, 0, 1, 2, 3, 4]
    quality = json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())
    assert quality["past"]["gaps"] == {"rows": 4, "largest": 4}
    assert quality["words"]["gaps_in"] == "days"


def history_of(rows, tmp_path, **changes: object) -> str:
    days = pd.to_datetime([row["dteday"] for row in rows], format="%d-%m-%y")
    table = pd.DataFrame({"dteday": days.date, "cnt": [float(row["cnt"]) for row in rows], "other": "x"})
    (tmp_path / "history").mkdir(exist_ok=True)
    table.assign(**changes).to_parquet(tmp_path / "history" / "20261130_query", index=False)
    (tmp_path / "history" / "history.json").write_text('{"as_of": "2026-11-30T00:00:00.000Z"}')
    return str(tmp_path / "history")


def test_the_history_is_used_and_the_file_counts_before_it(run, tmp_path, write, csv_of, rows) -> None:
    header = (*INPUT_COLUMNS, "cnt")
    new = [rows[8] | {"cnt": "77"}, *(row | {"cnt": ""} for row in rows[9:12])]
    # The history knows the file's first two days, too, one of them with another count.
    history = history_of(rows[:10], tmp_path)
    done = score(run, tmp_path, write, csv_of(new, header), "--history-dir", history)
    assert done.code == 0, done.err
    features, _ = scoring_files(tmp_path / "out")
    counts = [float(row["cnt"]) for row in rows[:10]]
    assert features["cnt_1"].tolist() == [counts[7], 77.0, counts[9], counts[9]]
    assert features["cnt_mean_7"].tolist() == pytest.approx(
        [sum(counts[1:8]) / 7, (sum(counts[2:8]) + 77.0) / 7, *[(sum(counts[3:8]) + 77.0 + counts[9]) / 7] * 2]
    )
    assert features["history_gap"].tolist() == [0, 0, 0, 1]
    assert json.loads((tmp_path / "out" / "quality" / "quality.json").read_text())["past"]["history_rows"] == 10


def test_dates_of_the_history_may_be_text(run, tmp_path, write, csv_of, rows) -> None:
    table = csv_of(rows[8:10], INPUT_COLUMNS)
    dates = pd.to_datetime([row["dteday"] for row in rows[:8]], format="%d-%m-%y").strftime("%Y-%m-%d")
    done = score(run, tmp_path, write, table, "--history-dir", history_of(rows[:8], tmp_path, dteday=dates))
    assert done.code == 0, done.err
    assert scoring_files(tmp_path / "out")[0]["history_gap"].tolist() == [0, 1]


def test_a_history_that_does_not_fit_is_named(run, tmp_path, write, csv_of, rows) -> None:
    table = csv_of(rows[8:10], INPUT_COLUMNS)
    for changes, says in (
        ({"cnt": "many"}, "column cnt is no count"),
        ({"dteday": "soon"}, "column dteday is no date"),
    ):
        done = score(run, tmp_path, write, table, "--history-dir", history_of(rows[:8], tmp_path, **changes))
        assert done.code == 1
        assert says in done.message
    write("day,cnt", "history/20261130_query")
    done = score(run, tmp_path, write, table, "--history-dir", str(tmp_path / "history"))
    assert "the history can't be read" in done.message


def test_too_few_days_with_a_past_are_not_trained_on(run, tmp_path, write, csv_of, rows) -> None:
    write(csv_of(rows[:60]), "raw/days.csv")
    assert run().code == 0
    done = run("--profile", LAGGED)
    assert done.code == 1
    assert "59 rows with an earlier cnt are too few to train on; 60 are needed" in done.message
