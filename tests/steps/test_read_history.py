"""Reading the Feature Store back: what was written as features comes back as rows of the table."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import read_history
from analysis.checking.earlier_rows import joined
from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.features.labels import texts_of
from analysis.features.read_back import read_history as rows_of_history
from analysis.features.stored import EVENT_TIME, stored_groups, stored_rows
from analysis.runtime.errors import AwsCallError
from analysis.runtime.tables import write_table
from localmaker.daemon import EndpointHandle, running_endpoint
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import write_sample

BUCKET = "artifacts"
EARLY, LATE = "2026-03-04T05:06:07.000Z", "2026-03-05T00:00:00.001Z"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def aws(endpoint: EndpointHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)


class Store:
    """The feature groups of a data set, under names of a test's own."""

    def __init__(self, dataset: Dataset, name: str) -> None:
        self.dataset, groups = dataset, stored_groups(dataset)
        self.groups = {f"{name}-inputs": groups.inputs, f"{name}-outcomes": groups.outcomes}
        self.runtime, self.s3 = boto3.client("sagemaker-featurestore-runtime"), boto3.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        sagemaker = boto3.client("sagemaker")
        for group, stored in self.groups.items():
            sagemaker.create_feature_group(
                FeatureGroupName=group,
                RecordIdentifierFeatureName=stored.identifier,
                EventTimeFeatureName=EVENT_TIME,
                FeatureDefinitions=[{"FeatureName": n, "FeatureType": kind} for n, kind in stored.types.items()],
                OnlineStoreConfig={"EnableOnlineStore": True},
                OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/feature-store"}},
                RoleArn="arn:aws:iam::000000000000:role/store",
            )
            while sagemaker.describe_feature_group(FeatureGroupName=group)["FeatureGroupStatus"] != "Created":
                time.sleep(0.05)

    def write(self, rows: pa.Table, event_time: str, folder: Path) -> None:
        """Write inputs and outcomes, with the digits that the pipeline gives them."""
        stored = stored_rows(rows, self.dataset, row_identities(rows, self.dataset), texts_of(rows, self.dataset))
        for (group, _), table in zip(self.groups.items(), (stored.inputs, stored.outcomes), strict=True):
            write_table(table, folder / "features.csv")
            with (folder / "features.csv").open(newline="") as stream:
                records = [{EVENT_TIME: event_time, **row} for row in csv.DictReader(stream)]
            for start in range(0, len(records), 25):
                entries = [
                    {
                        "FeatureGroupName": group,
                        "Record": [{"FeatureName": n, "ValueAsString": v} for n, v in record.items() if v != ""],
                    }
                    for record in records[start : start + 25]
                ]
                answer = self.runtime.batch_write_record(Entries=entries)
                assert not answer["Errors"]

    def await_offline(self, records: int, folder: Path) -> None:
        """Wait until the offline store has so many rows; it lags behind the online one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            rows = 0
            for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix="feature-store/").get("Contents", []):
                if f"/{next(iter(self.groups))}-" in item["Key"]:
                    self.s3.download_file(BUCKET, item["Key"], str(folder / "part"))
                    rows += pq.read_metadata(folder / "part").num_rows
            if rows == records:
                return
            time.sleep(0.2)
        pytest.fail(f"the offline store has {rows} of {records} rows")

    def read(self, as_of: str, folder: Path, **options: str) -> Any:
        """Read the history as the function does, and its files as Preprocess does."""
        inputs, outcomes = self.groups
        given = {
            "inputs-group-name": inputs,
            "outcomes-group-name": outcomes,
            "as-of": as_of,
            "train-on": "history",
            "profile": "forecast",
            "history-uri": f"s3://{BUCKET}/runs/x/history",
            "nothing-uri": f"s3://{BUCKET}/inputs/no-history",
            **options,
        }
        answer = read_history.read_step([f"--{name}={value}" for name, value in given.items()])
        prefix = answer["history_uri"].removeprefix(f"s3://{BUCKET}/")
        folder.mkdir()
        for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]:
            self.s3.download_file(BUCKET, item["Key"], str(folder / item["Key"].rpartition("/")[2]))
        return rows_of_history(folder, self.dataset)


def checked_rows(dataset: Dataset, folder: Path, rows: int) -> pa.Table:
    path = folder / "sample.csv"
    write_sample(path, rows=rows, dataset=dataset)
    return checked_file(path, dataset, Purpose.SCORING).rows


def by_identity(rows: pa.Table, identities: list[str]) -> dict[str, dict[str, Any]]:
    return dict(zip(identities, rows.drop_columns(["line"]).to_pylist(), strict=True))


@pytest.mark.parametrize("name", ["bike_sharing", "red_wine"])
def test_rows_come_back_as_they_were_checked(aws, name: str, tmp_path: Path) -> None:
    dataset = declared(name)
    store, rows = Store(dataset, name.replace("_", "-")), checked_rows(dataset, tmp_path, 60)
    store.write(rows, EARLY, tmp_path)
    store.await_offline(60, tmp_path)
    history = store.read(EARLY, tmp_path / "history")
    stored = [column for column in history.rows.column_names if column != "line"]
    assert {*dataset.inputs, *dataset.answers, *dataset.key} <= set(stored)
    expected = by_identity(rows.select(["line", *stored]), row_identities(rows, dataset))
    assert by_identity(history.rows, history.identities.to_pylist()) == expected
    assert history.rows.schema == rows.select(history.rows.column_names).schema


def test_a_later_upload_counts_from_its_moment_on_and_erases_no_outcome(aws, tmp_path: Path) -> None:
    dataset = declared("bike_sharing")
    store, rows = Store(dataset, "later"), checked_rows(dataset, tmp_path, 40)
    store.write(rows, EARLY, tmp_path)
    place = rows.column_names.index("temp")
    warmer = rows.set_column(place, "temp", pc.multiply(rows["temp"], 0.5)).drop_columns([*dataset.answers])
    store.write(warmer, LATE, tmp_path)
    store.await_offline(80, tmp_path)
    before, after = (store.read(moment, tmp_path / moment[8:10]) for moment in (EARLY, LATE))
    temperatures = {
        name: dict(zip(history.identities.to_pylist(), history.rows["temp"].to_pylist(), strict=True))
        for name, history in (("before", before), ("after", after))
    }
    days = row_identities(rows, dataset)
    assert temperatures["before"] == dict(zip(days, rows["temp"].to_pylist(), strict=True))
    assert temperatures["after"] == dict(zip(days, warmer["temp"].to_pylist(), strict=True))
    counts = dict(zip(days, rows["cnt"].to_pylist(), strict=True))
    assert dict(zip(after.identities.to_pylist(), after.rows["cnt"].to_pylist(), strict=True)) == counts


def test_what_landed_wins(aws, tmp_path: Path) -> None:
    dataset = declared("bike_sharing")
    store, rows = Store(dataset, "wins"), checked_rows(dataset, tmp_path, 40)
    store.write(rows, EARLY, tmp_path)
    store.await_offline(40, tmp_path)
    history = store.read(EARLY, tmp_path / "history")
    place = rows.column_names.index("temp")
    landed = rows.slice(30).set_column(place, "temp", pa.array([1.5] * 10))
    both = joined(landed, pa.array(row_identities(landed, dataset)), history, dataset)
    assert (both.from_history, both.incomplete, len(both.rows)) == (30, 0, 40)
    assert sorted(both.identities.to_pylist()) == sorted(row_identities(rows, dataset))
    temperatures = dict(zip(both.identities.to_pylist(), both.rows["temp"].to_pylist(), strict=True))
    assert all(temperatures[day] == 1.5 for day in row_identities(landed, dataset))


def test_nothing_is_read_where_nothing_is_asked_for(aws, tmp_path: Path) -> None:
    store = Store(declared("bike_sharing"), "unread")
    options = {"train-on": "file", "profiles-with-past": "forecast-lagged"}
    assert store.read(EARLY, tmp_path / "none", **options) is None
    asked = store.read(EARLY, tmp_path / "asked", **options, profile="forecast-lagged")
    assert asked is not None
    assert len(asked.rows) == 0  # nothing was written yet


def test_a_group_that_does_not_exist_is_named(aws, tmp_path: Path) -> None:
    store = Store(declared("bike_sharing"), "named")
    with pytest.raises(AwsCallError, match="nobody"):
        store.read(EARLY, tmp_path / "x", **{"outcomes-group-name": "nobody"})
