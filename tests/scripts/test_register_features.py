"""register_features.py against the local endpoint's Feature Store."""

from __future__ import annotations

import re
import time

import pytest

from analysis.features.stored import EVENT_TIME, stored_features
from localmaker.daemon import running_endpoint
from pipeline.datasets.shipped import declared

BIKES, WINE = (stored_features(declared(name)) for name in ("bike_sharing", "red_wine"))
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("state")) as handle:
        yield handle


@pytest.fixture
def group(running, request, monkeypatch) -> str:
    """Create the feature group of bike sharing as deployed, on the endpoint that the environment points at."""
    return create(running, BIKES, request, monkeypatch)


@pytest.fixture
def wine_group(running, request, monkeypatch) -> str:
    """Create that of red wine likewise."""
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    return create(running, WINE, request, monkeypatch)


def create(running, stored, request, monkeypatch) -> str:
    name = "t-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60].strip("-")
    for variable, value in {**running.environment(), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(variable, value)
    running.client("sagemaker").create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName=stored.identifier,
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[{"FeatureName": key, "FeatureType": kind} for key, kind in stored.types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    return name


def record(running, group: str, day: str) -> dict[str, str]:
    answer = running.client("sagemaker-featurestore-runtime").get_record(
        FeatureGroupName=group, RecordIdentifierValueAsString=day
    )
    return {value["FeatureName"]: value["ValueAsString"] for value in answer.get("Record", [])}


def ready(running, group: str) -> None:
    """Wait for a group that is Creating for a moment, as in AWS."""
    client = running.client("sagemaker")
    while client.describe_feature_group(FeatureGroupName=group)["FeatureGroupStatus"] == "Creating":
        time.sleep(0.02)


def test_a_raw_file_and_the_steps_own_give_the_same_records(running, group, trained, call_program) -> None:
    ready(running, group)
    done = call_program("register_features.py", trained.raw, "--feature-group", group, "--event-time", EARLY)
    assert done.code == 0, done.err
    assert done.out == f"730 records in feature group {group}, event time {EARLY}\n"
    first = record(running, group, "2018-01-01")
    assert first["event_time"] == EARLY
    assert set(first) == set(BIKES.types)
    features = trained.prepared / "feature_store" / "features.csv"
    done = call_program("register_features.py", features, "--feature-group", group, "--event-time", LATE)
    assert done.code == 0, done.err
    assert record(running, group, "2018-01-01") == {**first, "event_time": LATE}


def test_records_of_a_table_without_a_key_are_found_by_their_content(
    running, wine_group, trained_on_wine, call_program
) -> None:
    ready(running, wine_group)
    features = trained_on_wine.prepared / "feature_store" / "features.csv"
    for path, moment in ((trained_on_wine.raw, EARLY), (features, LATE)):
        done = call_program("register_features.py", path, "--feature-group", wine_group, "--event-time", moment)
        assert done.code == 0, done.err
        assert done.out == f"730 records in feature group {wine_group}, event time {moment}\n"
    row = dict(zip(*(line.split(",") for line in features.read_text().splitlines()[:2]), strict=True))
    assert set(row) == set(WINE.types) - {EVENT_TIME}
    assert record(running, wine_group, row["record_id"]) == {**row, "event_time": LATE}


def test_an_older_file_replaces_nothing(running, group, trained, call_program) -> None:
    ready(running, group)
    for moment in (LATE, EARLY):
        call_program("register_features.py", trained.raw, "--feature-group", group, "--event-time", moment)
    assert record(running, group, "2018-01-01")["event_time"] == LATE


def test_errors_name_what_is_wrong(running, group, trained, call_program, tmp_path) -> None:
    ready(running, group)
    raw = trained.raw
    (tmp_path / "bad.csv").write_text(raw.read_text().replace(",2,", ",9,", 1))
    features = (trained.prepared / "feature_store" / "features.csv").read_text().splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*features[:2], features[1]]) + "\n")
    for arguments, code, says in (
        ((raw, "--feature-group", "absent"), 11, "Looking at feature group absent: AWS answered ResourceNotFound"),
        (("absent.csv",), 1, "The data file absent.csv is not there"),
        (("bad.csv",), 1, "bad.csv: line"),
        (("twice.csv",), 1, "names a row twice"),
        ((raw, "--event-time", "yesterday"), 1, "'yesterday' is not a valid time"),
        ((raw, "--event-time", "2026-13-01T00:00:00Z"), 1, "is not a valid time"),
        ((raw, "--workers", "0"), 2, "at least 1"),
    ):
        done = call_program("register_features.py", *arguments)
        assert done.code == code, done
        assert says in done.err
        assert "Traceback" not in done.err
    assert record(running, group, "2018-01-01") == {}
