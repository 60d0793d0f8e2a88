"""Files that once went wrong, uploaded after a good run: refused ones change nothing that anybody reads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("case-inputs")]

INPUTS = Path(__file__).resolve().parents[3] / "shared" / "cases" / "inputs"
SAID = {
    "num_na_in_casual_hides_sum.csv": "line 11, column cnt: 9999 is not casual + registered",
    "msr_temps_scaled.csv": "column temp: its values are on another scale",
    "msr_only_hum_scaled.csv": "column hum: its values are on another scale",
    "lvl_workingday_contradicts.csv": "contradicts weekday and holiday",
    "str_hour_csv.csv": "this is the hourly table",
    "msr_constant_all.csv": "line ",
    "num_absurd_count.csv": "The quality gate refused the model",
}
TAKEN = ("eol_trailing_comma_row.csv", "del_semicolon_decimal_comma.csv", "hdr_upper.csv", "hdr_one_case.csv")
DAYS = ("2018-01-01", "2018-06-15", "2019-12-31")


def content(name: str) -> bytes:
    path = INPUTS / name
    if not path.is_file():
        pytest.skip(f"the input is not at {path}")
    return path.read_bytes()


@pytest.fixture(scope="module")
def ready(deployed, day_csv):
    """A trained and approved model of the published table."""
    execution = deployed.run("raw/training/day.csv", day_csv)
    assert execution.status == "Succeeded", execution.explanation
    deployed.command("model", "approve", "1")
    return deployed


def everything(deployed):
    """Return all that analysts, the registry and the Feature Store show."""
    records = [deployed.stored(day) for day in DAYS]
    versions = [package["ModelPackageArn"] for package in deployed.model_packages()]
    return records, versions, deployed.predictions()


@pytest.mark.parametrize("name", SAID)
def test_a_file_that_fails_changes_nothing(ready, name):
    before = everything(ready)
    execution = ready.run(f"raw/training/{name}", content(name))
    assert execution.status == "Failed"
    assert SAID[name] in execution.explanation
    assert everything(ready) == before


def test_a_scoring_file_on_another_scale_changes_nothing(ready):
    before = everything(ready)
    execution = ready.run("raw/scoring/scaled.csv", content("sc_temps_scaled.csv"), "scoring")
    assert execution.status == "Failed"
    assert "column temp" in execution.explanation
    assert "2.42" in execution.explanation  # where the training rows begin
    assert everything(ready) == before


def test_actual_values_that_are_known_are_shown(ready, day_csv):
    execution = ready.run("raw/scoring/partly.csv", content("sc_targets_partly.csv"), "scoring")
    assert execution.status == "Succeeded", execution.explanation
    (table,) = [body for key, body in ready.predictions().items() if "/partly-" in key]
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert (len(rows), sum(row["actual"] != "" for row in rows)) == (30, 20)
    # Ten rows have no count: their inputs are new, and the outcomes that are known stay.
    known = {row["instant"]: row["cnt"] for row in csv.DictReader(io.StringIO(day_csv.decode()))}
    scored = csv.DictReader(io.StringIO(content("sc_targets_partly.csv").decode()))
    assert [ready.stored(row["date"])["cnt"] for row in rows] == [known[row["instant"]] for row in scored]


@pytest.mark.parametrize("name", TAKEN)
def test_a_file_as_its_sender_meant_it_gives_the_same_model(ready, name):
    execution = ready.run(f"raw/training/{name}", content(name))
    assert execution.status == "Succeeded", execution.explanation
    first, *_, last = ready.model_packages()
    assert card_figures(last) == card_figures(first)


def card_figures(package) -> list[dict[str, object]]:
    """Return the figures of a card, and not those of the version that it was compared with."""
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    evaluations = [one for one in card["evaluation_details"] if one["name"] != "Champion and challenger"]
    return [metric for one in evaluations for group in one["metric_groups"] for metric in group["metric_data"]]
