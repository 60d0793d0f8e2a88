"""ingest_features.py against the local endpoint's Feature Store, by way of a proxy that fails as AWS does."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analysis.features.stored import EVENT_TIME, stored_groups
from analysis.runtime.names import INPUTS_FILE, OUTCOMES_FILE
from analysis.runtime.tables import write_parquet
from analysis.runtime.upload import claim_of, claim_text
from benchmarks.feature_ingestion import Answering, answering_server, prepare, run
from localmaker.daemon import running_endpoint
from pipeline.datasets.shipped import declared
from tests.steps.feature_store_proxy import Faults, proxy_to

STORED = stored_groups(declared("bike_sharing"))
IDENTIFIER = STORED.inputs.identifier
FEATURES = [name for name in STORED.inputs.types if name != EVENT_TIME]
TYPES = STORED.inputs.types | STORED.outcomes.types
OUTCOMES = [name for name in STORED.outcomes.types if name != EVENT_TIME]
RAW, KEY = "raw", "raw/training/days.csv"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[Any]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket=RAW)
        s3.put_bucket_versioning(Bucket=RAW, VersioningConfiguration={"Status": "Enabled"})
        yield running


@dataclass
class Job:
    """An ingestion: its feature groups, its folders, and the faults on its way to the service."""

    endpoint: Any
    group: str
    folder: Path
    faults: Faults
    version: str

    def write(self, rows: list[dict[str, str]], name: str = INPUTS_FILE, columns: list[str] = FEATURES) -> None:
        """Write the values with the types that they are stored as, and no value for empty ones."""
        types = {"String": (str, pa.string()), "Integral": (int, pa.int64()), "Fractional": (float, pa.float64())}
        table = {}
        for column in columns:
            of, kind = types[TYPES[column]]
            table[column] = pa.array([of(row[column]) if row.get(column) else None for row in rows], kind)
        write_parquet(pa.table(table), self.folder / "features" / name)

    @property
    def arguments(self) -> list[str]:
        return [
            *("--input-dir", str(self.folder / "features"), "--claim-dir", str(self.folder / "claim")),
            *("--output-dir", str(self.folder / "output"), "--inputs-group-name", self.group),
            *("--outcomes-group-name", self.outcomes_group),
        ]

    @property
    def outcomes_group(self) -> str:
        return f"{self.group}-outcomes"

    @property
    def store(self) -> Any:
        return self.endpoint.client("sagemaker-featurestore-runtime")

    def identifiers(self, group: str | None = None) -> list[str]:
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            answer = self.store.list_records(FeatureGroupName=group or self.group, MaxResults=100, **more)
            found += answer["RecordIdentifiers"]
            if "NextToken" not in answer:
                return found
            more = {"NextToken": answer["NextToken"]}

    def records(self, group: str | None = None) -> dict[str, dict[str, str]]:
        """Return all records of a group, each with its features."""
        group, names, found = group or self.group, self.identifiers(group), {}
        store = self.store
        for start in range(0, len(names), 100):
            wanted = [{"FeatureGroupName": group, "RecordIdentifiersValueAsString": names[start : start + 100]}]
            for one in store.batch_get_record(Identifiers=wanted)["Records"]:
                values = {value["FeatureName"]: value["ValueAsString"] for value in one["Record"]}
                found[one["RecordIdentifierValueAsString"]] = values
        return found

    def left_out(self) -> list[dict[str, str]]:
        path = self.folder / "output" / "left_out.csv"
        return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def create(endpoint, name: str, features: list[str], offline: dict[str, Any] | None = None) -> str:
    client = endpoint.client("sagemaker")
    client.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName=IDENTIFIER,
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[
            {"FeatureName": feature, "FeatureType": TYPES[feature]} for feature in [*features, EVENT_TIME]
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        **(offline or {}),
    )
    while client.describe_feature_group(FeatureGroupName=name)["FeatureGroupStatus"] == "Creating":
        time.sleep(0.02)
    return name


@pytest.fixture
def job(endpoint, tmp_path, point_at, request) -> Iterator[Job]:
    version = endpoint.client("s3").put_object(Bucket=RAW, Key=KEY, Body=request.node.name.encode())["VersionId"]
    for name in ("features", "claim"):
        (tmp_path / name).mkdir()
    claim = claim_of(RAW, KEY, version, "2026-03-04T05:06:07.000Z")
    (tmp_path / "claim" / "claim.json").write_text(claim_text(claim), encoding="utf-8")
    faults = Faults()
    with proxy_to(endpoint.url, faults) as url:
        point_at(url)
        yield Job(endpoint, create(endpoint, f"days-{version[:20].lower()}", FEATURES), tmp_path, faults, version)


def days(count: int) -> list[dict[str, str]]:
    """Return rows with values of their own; some have an empty cell."""
    return [
        {
            **{name: str(float(number % 2) if TYPES[name] == "Fractional" else number % 2) for name in FEATURES},
            IDENTIFIER: f"day-{number:06}",
            "temp": repr(number / 7),
            "hum": "" if number % 3 else repr(float(number)),
        }
        for number in range(count)
    ]


def expected(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {
        row[IDENTIFIER]: {**{k: v for k, v in row.items() if v}, EVENT_TIME: "2026-03-04T05:06:07.000Z"} for row in rows
    }


def test_rows_become_records(job, call_script) -> None:
    rows = days(28)
    job.write(rows)
    done = call_script("ingest_features.py", *job.arguments)
    assert done.code == 0, done.err
    assert f"ingest:records=28; 28 of 28 records are written: 28 from inputs.parquet in {job.group}" in done.out
    assert job.records() == expected(rows)
    assert job.left_out() == []
    assert call_script("ingest_features.py", *job.arguments, "--workers", "1").code == 0
    assert job.records() == expected(rows)


@pytest.mark.parametrize("count", [1, 25, 26, 1010])
def test_without_faults_no_call_has_room_left(job, call_script, count) -> None:
    job.write(days(count))
    assert call_script("ingest_features.py", *job.arguments).code == 0
    assert len(job.faults.sizes) == math.ceil(count / 25)
    assert sum(job.faults.sizes) == count


def test_outcomes_go_into_a_group_of_their_own(job, call_script, endpoint) -> None:
    rows = days(30)
    known = [dict.fromkeys(OUTCOMES, str(number)) | {IDENTIFIER: rows[number][IDENTIFIER]} for number in range(10)]
    job.write(rows)
    job.write(known, OUTCOMES_FILE, OUTCOMES)
    done = call_script("ingest_features.py", *job.arguments[:-2])
    assert (done.code, "required: --outcomes-group-name" in done.message) == (1, True)
    assert job.identifiers() == []
    create(endpoint, job.outcomes_group, OUTCOMES)
    done = call_script("ingest_features.py", *job.arguments)
    assert done.code == 0, done.err
    written = f"30 from inputs.parquet in {job.group}, 10 from outcomes.parquet in {job.outcomes_group}"
    assert f"40 of 40 records are written: {written}" in done.out
    assert job.records() == expected(rows)
    assert job.records(job.outcomes_group) == expected(known)


def test_only_the_stores_that_are_asked_for_are_written_to(job, call_script, endpoint) -> None:
    offline = {
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{RAW}/offline"}},
        "RoleArn": "arn:aws:iam::123456789012:role/any",
    }
    both = create(endpoint, f"{job.group}-both", FEATURES, offline)
    job.write(days(3))
    arguments = [*job.arguments, "--inputs-group-name", both, "--target-stores"]
    assert call_script("ingest_features.py", *arguments, "OfflineStore").code == 0
    assert job.identifiers(both) == []
    assert call_script("ingest_features.py", *arguments, "OnlineStore", "OfflineStore").code == 0
    assert len(job.identifiers(both)) == 3


@pytest.mark.parametrize("hosts", [2, 3])
def test_each_instance_writes_its_share(job, call_script, hosts) -> None:
    rows = days(107)
    job.write(rows)
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    for position, name in enumerate(names):
        resources = job.folder / "resourceconfig.json"
        resources.write_text(json.dumps({"current_host": name, "hosts": [*reversed(names)]}))
        before = set(job.identifiers())
        done = call_script("ingest_features.py", *job.arguments, "--resources-file", resources)
        assert done.code == 0, done.err
        mine = {row[IDENTIFIER] for row in rows[position::hosts]}
        assert set(job.identifiers()) - before == mine
        assert f"ingest:records={len(mine)};" in done.out
    assert job.records() == expected(rows)


@pytest.mark.slow
@pytest.mark.randomised("seeds")
@pytest.mark.parametrize("kind", ["mixed", "throttled"])
def test_whatever_fails_nothing_is_lost(job, call_script, seed, kind, request) -> None:
    rows = days(20_000 if request.config.getoption("seeds") > 2 else 1_000)
    job.write(rows)
    shares = {"mixed": (0.3, 0.05, 0.02), "throttled": (0.5, 0.0, 0.0)}[kind]
    job.faults.random.seed(seed)
    job.faults.throttled, job.faults.dropped, job.faults.unprocessed = shares
    done = call_script("ingest_features.py", *job.arguments, "--workers", "8")
    assert done.code == 0, done.err
    assert job.records() == expected(rows)
    assert job.left_out() == []
    assert job.faults.seen
    batches = len(rows) / 25
    sent_again = sum(job.faults.seen.values()) + len(rows) * shares[2] / 25
    assert len(job.faults.sizes) <= 1.1 * (batches + sent_again) + 20


def test_what_hangs_ends_at_the_deadline_with_the_true_count(job, call_script) -> None:
    rows = days(1000)
    job.write(rows)
    job.faults.hangs_after = 6
    started = time.monotonic()
    done = call_script("ingest_features.py", *job.arguments, "--deadline-seconds", "3")
    assert time.monotonic() - started < 6
    assert done.code == 1
    written = set(job.identifiers())
    assert len(written) == 150
    assert "The deadline has passed. 150 of 1,000 records are written" in done.message
    assert "850 are left out (left_out.csv has them all)" in done.message
    assert "Writing again is safe (same event time, same content)" in done.message
    assert "Traceback" not in done.err
    missing = job.left_out()
    assert {row["record_identifier"] for row in missing} == {row[IDENTIFIER] for row in rows} - written
    assert len(missing) == 850
    assert {int(row["row"]) - 1 for row in missing} == {int(row["record_identifier"][4:]) for row in missing}
    assert {row["feature_group"] for row in missing} == {job.group}
    assert {row["reason"] for row in missing} == {
        "the deadline has passed; sent, and not answered, so it may be written",
        "the deadline has passed; not sent",
    }
    job.faults.hangs_after = None
    assert call_script("ingest_features.py", *job.arguments).code == 0
    assert job.records() == expected(rows)


def test_nobody_listening_ends_at_the_deadline(job, call_script, point_at, endpoint, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME", "http://127.0.0.1:9")
    job.write(days(60))
    done = call_script("ingest_features.py", *job.arguments, "--deadline-seconds", "1")
    assert done.code == 1
    assert "0 of 60 records are written" in done.message
    assert "Could not connect to the endpoint URL" in job.left_out()[0]["reason"]


@pytest.mark.parametrize("code", ["ResourceNotFound", "AccessDeniedException", "UnrecognizedClientException"])
def test_a_refusal_that_holds_for_all_ends_at_once(job, call_script, code) -> None:
    job.write(days(1000))
    job.faults.answers += [(400, code)] * 100
    done = call_script("ingest_features.py", *job.arguments, "--workers", "1", "--most-left-out", "1000")
    assert done.code == 1
    assert f"BatchWriteRecord answered {code}: not now. 0 of 1,000 records are written" in done.message
    assert len(job.faults.sizes) <= 2
    assert len(job.left_out()) == 1000


def test_a_group_that_is_not_there_is_named_at_once(job, call_script) -> None:
    job.write(days(1000))
    done = call_script("ingest_features.py", *job.arguments, "--inputs-group-name", "absent", "--workers", "1")
    assert done.code == 1
    assert "answered ResourceNotFound: Resource Not Found: FeatureGroup with name absent does not exist" in done.message
    assert len(job.faults.sizes) <= 2


@pytest.mark.parametrize("by", ["its entry", "the call"])
def test_an_invalid_record_is_lost_alone(job, call_script, by) -> None:
    rows = days(60)
    job.write(rows)
    bad = rows[7][IDENTIFIER]
    if by == "the call":
        job.faults.invalid.add(bad)
    else:
        job.faults.refused[bad] = ("ValidationError", 99)
    done = call_script("ingest_features.py", *job.arguments)
    assert done.code == 1
    assert "59 of 60 records are written" in done.message
    assert f"inputs.parquet, row 8 ({bad}): Validation" in done.message
    assert job.records() == expected(rows[:7] + rows[8:])
    (missing,) = job.left_out()
    assert (missing["row"], missing["record_identifier"], missing["feature_group"]) == ("8", bad, job.group)
    done = call_script("ingest_features.py", *job.arguments, "--most-left-out", "1")
    assert done.code == 0
    assert "59 of 60 records are written" in done.out


def test_transient_errors_of_entries_are_sent_again_with_other_records(job, call_script) -> None:
    rows = days(250)
    job.write(rows)
    job.faults.left.update({row[IDENTIFIER]: 1 for row in rows[:100:10]})
    job.faults.refused.update({row[IDENTIFIER]: ("ServiceUnavailable", 2) for row in rows[5:100:20]})
    assert call_script("ingest_features.py", *job.arguments).code == 0
    assert job.records() == expected(rows)
    assert sum(job.faults.sizes) == 250 + 10 + 2 * 5


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path) -> None:
    found = []
    with answering_server() as environment:
        Answering.calls = 0
        for count in (70_000, 210_000):
            prepare(tmp_path, count, claim_of(RAW, KEY, "v1", "2026-03-04T05:06:07.000Z"), [IDENTIFIER, "temp", "hum"])
            found.append(run("step", tmp_path, environment).mib)
    assert Answering.calls == 280_000 / 25
    # Arrow's allocator takes some MiB more until it has seen a few groups of rows; records would take hundreds.
    assert found[1] - found[0] < 10


def test_cells_of_the_list_start_no_formula(job, call_script) -> None:
    rows = [{**days(1)[0], IDENTIFIER: "=1+1"}]
    job.write(rows)
    job.faults.refused["=1+1"] = ("ValidationError", 1)
    assert call_script("ingest_features.py", *job.arguments).code == 1
    assert job.left_out()[0]["record_identifier"] == "'=1+1"


def test_a_row_without_an_identifier_is_left_out(job, call_script) -> None:
    job.write([*days(3), {"temp": "1.5"}])
    done = call_script("ingest_features.py", *job.arguments)
    assert done.code == 1
    assert "3 of 4 records are written" in done.message
    assert [(row["row"], row["reason"]) for row in job.left_out()] == [("4", f"the row has no {IDENTIFIER}")]


def test_a_file_without_rows_is_refused(job, call_script) -> None:
    job.write([])
    done = call_script("ingest_features.py", *job.arguments)
    assert (done.code, "inputs.parquet: no rows" in done.message) == (1, True)


@pytest.mark.parametrize("option", ["--workers", "--deadline-seconds", "--most-left-out"])
def test_impossible_arguments_are_refused(job, call_script, option) -> None:
    job.write(days(1))
    done = call_script("ingest_features.py", *job.arguments, option, "-1")
    assert (done.code, f"{option} -1: at least" in done.message) == (1, True)


@pytest.mark.parametrize("newest", ["replaced", "deleted"])
def test_a_version_that_is_not_the_newest_any_more_is_not_written(job, call_script, endpoint, newest) -> None:
    job.write(days(1))
    s3 = endpoint.client("s3")
    if newest == "replaced":
        s3.put_object(Bucket=RAW, Key=KEY, Body=b"newer")
    else:
        s3.delete_object(Bucket=RAW, Key=KEY)
    done = call_script("ingest_features.py", *job.arguments)
    assert done.code == 0
    assert f"ingest:records=0; (superseded: s3://raw/raw/training/days.csv was {newest}" in done.out
    assert not job.faults.sizes
