"""Scoring: a file without counts, the model in use, and what is said when there is none."""

from __future__ import annotations

import csv
import gzip
import io

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trigger")]

KEY = "raw/scoring/next-month.csv"


@pytest.fixture(scope="module")
def to_score(tmp_path_factory):
    """30 generated days without cnt, casual and registered."""
    from pipeline.demo.sample import write_sample

    return write_sample(tmp_path_factory.mktemp("scoring"), rows=30, target=False).read_bytes()


@pytest.fixture(scope="module")
def without_model(deployed, to_score):
    """Run a scoring execution while nothing is approved."""
    return deployed.run("raw/scoring/too-early.csv", to_score, "scoring")


@pytest.fixture(scope="module")
def approved(deployed, without_model, sample_csv):
    """Approve a trained model by the command."""
    execution = deployed.run("raw/training/sample.csv", sample_csv)
    assert execution.status == "Succeeded", execution.explanation
    assert "pending" in deployed.command("model", "list").stdout
    assert "Version 1 is Approved and in use." in deployed.command("model", "approve", "1").stdout
    return execution


@pytest.fixture(scope="module")
def execution(deployed, approved, to_score):
    return deployed.run(KEY, to_score, "scoring")


def test_without_an_approved_model_the_reason_says_how_to_approve_one(without_model):
    assert without_model.status == "Failed"
    assert "no approved version to score with" in without_model.explanation
    assert "bikeshare model approve" in without_model.explanation


def test_every_day_is_predicted_without_an_actual_value(deployed, execution):
    assert execution.status == "Succeeded", execution.explanation
    (content,) = [body for key, body in deployed.predictions().items() if "next-month" in key]
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(rows) == 30
    assert {row["actual"] for row in rows} == {""}
    assert {row["model_version"] for row in rows} == {"1"}


@pytest.mark.parametrize("name", ["spreadsheet.CSV", "packed.csv.gz"])
def test_other_dialects_and_endings_are_predicted_alike(deployed, execution, to_score, name):
    text = to_score.decode().replace(",", ";").replace(".", ",").upper().replace("\n", "\r\n")
    written = ("\ufeff" + text).encode("utf-16-le")
    key = f"raw/scoring/{name}"
    other = deployed.run(key, gzip.compress(written) if name.endswith(".gz") else written, "scoring")
    assert other.status == "Succeeded", other.explanation
    found = {
        source: [row[:5] for row in csv.reader(io.StringIO(body.decode()))]
        for source, body in deployed.predictions().items()
    }
    (wanted,) = [rows for source, rows in found.items() if "/next-month-" in source]
    assert [rows for source, rows in found.items() if f"/{name.partition('.')[0]}-" in source] == [wanted]


def test_counts_that_are_known_are_still_in_the_store(deployed, execution, sample_csv, to_score):
    known = list(csv.DictReader(io.StringIO(sample_csv.decode())))
    scored = list(csv.DictReader(io.StringIO(to_score.decode())))
    assert [row["dteday"] for row in scored] == [row["dteday"] for row in known[:30]]
    (content,) = [body for key, body in deployed.predictions().items() if "next-month" in key]
    days = [row["date"] for row in csv.DictReader(io.StringIO(content.decode()))]
    for day, row in zip(days, known, strict=False):
        stored = deployed.stored(day)
        assert [stored[name] for name in ("casual", "registered", "cnt")] == [
            row[name] for name in ("casual", "registered", "cnt")
        ]
        assert float(stored["temp"]) == float(row["temp"])
    identity = {"FeatureGroupName": deployed.settings.outcomes_group_name, "RecordIdentifierValueAsString": days[0]}
    record = deployed.aws.feature_store.get_record(**identity)["Record"]
    written = {item["FeatureName"]: item["ValueAsString"] for item in record}["event_time"]
    newer = deployed.aws.feature_store.get_record(
        **{**identity, "FeatureGroupName": deployed.settings.inputs_group_name}, FeatureNames=["event_time"]
    )["Record"][0]["ValueAsString"]
    assert written < newer


def test_scoring_registers_and_trains_nothing(deployed, execution):
    assert len(deployed.model_packages()) == 1
    assert "Train" not in {step.name for step in execution.steps}


def test_a_day_scored_is_predicted_as_the_training_run_predicted_it(deployed, execution, sample_csv):
    """Nothing is fitted again on the file that is scored: the same day has the same prediction, to the last digit."""
    files = deployed.predictions()
    trained, new = (
        {row["date"]: row["prediction"] for row in csv.DictReader(io.StringIO(body.decode()))}
        for name in ("sample", "next-month")
        for body in [next(body for key, body in files.items() if name in key)]
    )
    assert len(new) == 30
    assert all(trained[day] == prediction for day, prediction in new.items())


def test_commands_find_executions_of_both_pipelines(deployed, execution):
    runs = deployed.command("runs").stdout
    assert deployed.settings.training_pipeline_name in runs
    assert deployed.settings.scoring_pipeline_name in runs
    watched = deployed.command("watch", execution.identifier).stdout
    assert "SelectModel" in watched


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.randomised("burst")
def test_of_a_burst_of_files_none_is_lost_and_each_has_an_outcome_of_its_own(
    deployed, execution, tmp_path, pytestconfig
):
    """Every tenth is good, since a good one takes seconds; ``python -m benchmarks.burst`` shows it with a hundred."""
    from pipeline.demo.sample import write_sample

    keys = [f"raw/scoring/burst/{number:03}.csv" for number in range(pytestconfig.getoption("burst"))]
    good = set(keys[::10])
    versions = {}
    for number, key in enumerate(keys):
        body = write_sample(tmp_path / str(number), seed=number, rows=3, target=False).read_text()
        header, first, *others = body.splitlines()
        season = header.split(",").index("season")
        values = first.split(",")
        values[season] = values[season] if key in good else "7"
        versions[key] = deployed.put(key, "\n".join([header, ",".join(values), *others]).encode())
    ended = {key: deployed.finished(deployed.started(key, version, "scoring")) for key, version in versions.items()}
    assert len({execution.arn for execution in ended.values()}) == len(keys)
    files = [list(csv.DictReader(io.StringIO(content.decode()))) for content in deployed.predictions().values()]
    for key, end in ended.items():
        mine = [len(rows) for rows in files if {row["source_key"] for row in rows} == {key}]
        assert (end.status, mine) == (("Succeeded", [3]) if key in good else ("Failed", [])), key
        if key not in good:
            assert f"{key}: line 2, column season" in end.explanation


def test_the_card_is_shown(deployed, approved):
    assert '"intended_uses"' in deployed.command("model", "card", "1", "--json").stdout
    assert "Intended uses" in deployed.command("model", "card", "1").stdout


def test_a_rejected_version_is_not_scored_with(deployed, execution, to_score):
    deployed.command("model", "reject", "1", "--reason", "superseded", "--yes")
    late = deployed.run("raw/scoring/late.csv", to_score, "scoring")
    assert late.status == "Failed"
    assert "no approved version" in late.explanation


def test_an_unknown_version_is_named(deployed, execution):
    done = deployed.command("model", "approve", "77", check=False)
    assert done.returncode == 9
    assert "no version 77; there are: 1" in done.stderr
