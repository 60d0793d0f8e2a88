"""register_features.py against the local endpoint's Feature Store."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from analysis.features.stored import EVENT_TIME, stored_groups
from analysis.runtime.names import INPUTS_FILE, OUTCOMES_FILE
from analysis.runtime.tables import read_table
from localmaker.daemon import running_endpoint
from pipeline.datasets.shipped import declared
from pipeline.deploy.resources.feature_groups import feature_groups
from pipeline.settings.environment import load_settings
from scripts.lib.program import RegistrationError, service_errors

BIKES, WINE = (stored_groups(declared(name)) for name in ("bike_sharing", "red_wine"))
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("state")) as handle:
        yield handle


@pytest.fixture
def groups(running, request, monkeypatch) -> tuple[str, ...]:
    """Create the feature groups of bike sharing, on the endpoint that the environment points at."""
    return create(running, BIKES, request, monkeypatch)


@pytest.fixture
def wine_groups(running, request, monkeypatch) -> tuple[str, ...]:
    """Create those of red wine likewise."""
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    return create(running, WINE, request, monkeypatch)


def create(running, stored, request, monkeypatch) -> tuple[str, ...]:
    name = "t-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    for variable, value in {**running.environment(), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(variable, value)
    client = running.client("sagemaker")
    for suffix, one in (("inputs", stored.inputs), ("outcomes", stored.outcomes)):
        client.create_feature_group(
            FeatureGroupName=f"{name}-{suffix}",
            RecordIdentifierFeatureName=one.identifier,
            EventTimeFeatureName=EVENT_TIME,
            FeatureDefinitions=[{"FeatureName": key, "FeatureType": kind} for key, kind in one.types.items()],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        while client.describe_feature_group(FeatureGroupName=f"{name}-{suffix}")["FeatureGroupStatus"] == "Creating":
            time.sleep(0.02)
    return f"{name}-inputs", f"{name}-outcomes"


def record(running, group: str, row: str) -> dict[str, str]:
    answer = running.client("sagemaker-featurestore-runtime").get_record(
        FeatureGroupName=group, RecordIdentifierValueAsString=row
    )
    return {value["FeatureName"]: value["ValueAsString"] for value in answer.get("Record", [])}


def options(groups, moment=EARLY):
    return ("--inputs-group", groups[0], "--outcomes-group", groups[1], "--event-time", moment)


def test_inputs_and_outcomes_are_written_apart(running, groups, trained, call_program) -> None:
    done = call_program("register_features.py", trained.raw, *options(groups))
    assert done.code == 0, done.err
    assert done.out == "".join(f"730 records in feature group {group}, event time {EARLY}\n" for group in groups)
    inputs, outcomes = (record(running, group, "2018-01-01") for group in groups)
    assert inputs["event_time"] == outcomes["event_time"] == EARLY
    assert (set(inputs), set(outcomes)) == (set(BIKES.inputs.types), set(BIKES.outcomes.types))


def test_records_of_a_table_without_a_key_are_found_by_their_content(
    running, wine_groups, trained_on_wine, call_program
) -> None:
    done = call_program("register_features.py", trained_on_wine.raw, *options(wine_groups))
    assert done.code == 0, done.err
    for group, file in zip(wine_groups, (INPUTS_FILE, OUTCOMES_FILE), strict=True):
        first = read_table(trained_on_wine.prepared / "feature_store" / file).slice(0, 1).to_pylist()[0]
        row = {name: str(value) for name, value in first.items() if value is not None}
        assert record(running, group, row["record_id"]) == {**row, "event_time": EARLY}


def test_an_older_file_replaces_nothing(running, groups, trained, call_program) -> None:
    for moment in (LATE, EARLY):
        call_program("register_features.py", trained.raw, *options(groups, moment))
    assert [record(running, group, "2018-01-01")["event_time"] for group in groups] == [LATE, LATE]


def described(running, group):
    return running.client("sagemaker").describe_feature_group(FeatureGroupName=group)


def test_groups_are_created_first_and_then_kept(running, groups, trained, call_program) -> None:
    names = tuple(f"new-{name}" for name in ("inputs", "outcomes"))
    done = call_program("register_features.py", trained.raw, *options(names))
    assert done.code == 0, done.err
    assert done.out == "".join(f"730 records in feature group {name}, event time {EARLY}\n" for name in names)
    for name, stored in zip(names, (BIKES.inputs, BIKES.outcomes), strict=True):
        assert f"{name}: Created\n{name}: created\n" in done.err
        found = described(running, name)
        assert {item["FeatureName"]: item["FeatureType"] for item in found["FeatureDefinitions"]} == stored.types
        assert found["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"].endswith("/feature-store")
    again = call_program("register_features.py", trained.raw, *options(names))
    assert again.code == 0, again.err
    assert again.err == "".join(f"{name}: kept as it is\n" for name in names)
    before = [described(running, name)["OfflineStoreConfig"] for name in names]
    anew = call_program("register_features.py", trained.raw, *options(names, LATE), "--recreate")
    assert anew.code == 0, anew.err
    for name, offline in zip(names, before, strict=True):
        uri, table = offline["S3StorageConfig"]["ResolvedOutputS3Uri"], offline["DataCatalogConfig"]["TableName"]
        assert f"{name}: offline data at {uri} and table sagemaker_featurestore.{table} stay\n" in anew.err
        assert f"{name}: Gone\n" in anew.err
        assert running.client("glue").get_table(DatabaseName="sagemaker_featurestore", Name=table)
    assert record(running, names[0], "2018-01-01")["event_time"] == LATE


def made_with(running, name, types):
    running.client("sagemaker").create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="dteday",
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[{"FeatureName": key, "FeatureType": kind} for key, kind in types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )


def test_a_group_that_lacks_features_gets_them(running, groups, trained, call_program) -> None:
    *kept, last, newest = BIKES.inputs.types
    made_with(running, "grown", {name: BIKES.inputs.types[name] for name in kept})
    done = call_program("register_features.py", trained.raw, *options(("grown", groups[1])))
    assert done.code == 0, done.err
    assert f"grown: got {last}, {newest}\n" in done.err
    assert set(record(running, "grown", "2018-01-01")) == set(BIKES.inputs.types)


def test_another_definition_is_refused_and_nothing_is_written(running, groups, trained, call_program) -> None:
    made_with(running, "other", {**BIKES.outcomes.types, "cnt": "String"})
    done = call_program("register_features.py", trained.raw, *options((groups[0], "other")))
    assert done.code == 11
    assert (
        "Feature group other has another definition: AWS can't change that it has feature 'cnt' of type String"
        in done.err
    )
    assert "--recreate deletes the group" in done.err
    assert record(running, groups[0], "2018-01-01") == {}


def test_a_group_that_is_not_ready_in_time(running, groups, trained, call_program) -> None:
    for attempt in range(10):  # a slow machine may look only when the group is ready
        names = (f"slow-{attempt}", groups[1])
        slow = call_program("register_features.py", trained.raw, *options(names), "--timeout-seconds", "0.001")
        if slow.code:
            break
    assert slow.code == 12
    assert re.search(r"Feature group slow-\d is still Creating after 0\.001 seconds\.", slow.err)
    assert "Traceback" not in slow.err


def test_a_service_that_does_not_answer(groups, trained, call_program, monkeypatch) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{one.getsockname()[1]}")
        silent = call_program("register_features.py", trained.raw)
    assert silent.code == 12
    assert "nothing answers at" in silent.err
    assert "Traceback" not in silent.err


def test_a_group_that_can_not_be_created_says_why() -> None:
    refused = {"FeatureGroupStatus": "CreateFailed", "FailureReason": "the role can't be assumed"}
    sagemaker = SimpleNamespace(create_feature_group=lambda **_: {}, describe_feature_group=lambda **_: refused)
    aws = SimpleNamespace(sagemaker=sagemaker, endpoint_url=None)
    group = replace(feature_groups(load_settings("local"))[0], tags={})
    with (
        pytest.raises(RegistrationError, match="is CreateFailed: the role can't be assumed") as caught,
        service_errors("Preparing", aws),
    ):
        group.create(aws)
    assert caught.value.exit_code == 11


def test_errors_name_what_is_wrong(running, groups, trained, call_program, tmp_path) -> None:
    raw = trained.raw
    (tmp_path / "bad.csv").write_text(raw.read_text().replace(",2,", ",9,", 1))
    for arguments, code, says in (
        ((raw, "--inputs-group", "not legal"), 11, "Preparing feature group not legal: "),
        ((raw, "--timeout-seconds", "0"), 2, "more than 0"),
        (("absent.csv",), 1, "The data file absent.csv is not there"),
        (("bad.csv",), 1, "bad.csv: line"),
        ((raw, "--event-time", "yesterday"), 1, "'yesterday' is not a valid time"),
        ((raw, "--event-time", "2026-13-01T00:00:00Z"), 1, "is not a valid time"),
        ((raw, "--workers", "0"), 2, "at least 1"),
    ):
        done = call_program("register_features.py", *arguments)
        assert done.code == code, done
        assert says in done.err
        assert "Traceback" not in done.err
    assert record(running, groups[0], "2018-01-01") == {}
