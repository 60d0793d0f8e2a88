"""ingest_features.py against a small HTTP server that answers as the Feature Store runtime does.

moto has no Feature Store runtime; this server holds just what the step needs, and can throttle, leave entries
unprocessed and refuse records, which no real store does on request.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
import pandas as pd
import pytest

from analysis.features.feature_store import (
    Record,
    backoff,
    batch_writer,
    record_of,
    records_of,
    single_writer,
    write_all,
)
from analysis.features.stored import stored_features
from analysis.runtime.aws import client_settings
from analysis.runtime.errors import AwsCallError, IngestError, SettingsError
from analysis.runtime.upload import claim_of, claim_text
from pipeline.datasets.shipped import declared

STORED = stored_features(declared("bike_sharing"))
GROUP = "bike-days"
CLAIM = claim_of("raw", "raw/training/days.csv", "v1", "2026-03-04T05:06:07.000Z")


@dataclass
class Store:
    """State of the server. Each of the script lists says how the next requests are answered."""

    url: str = ""
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)
    fail_whole_calls: list[tuple[int, str]] = field(default_factory=list)
    unprocessed: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, tuple[str, int]] = field(default_factory=dict)
    newest_version: str | None = "v1"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, record: list[dict[str, str]]) -> str:
        values = {entry["FeatureName"]: entry["ValueAsString"] for entry in record}
        self.records[values["dteday"]] = values
        return values["dteday"]


class Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Answer as S3 does for the uploaded object."""
        self.send_response(200 if self.store.newest_version else 404)
        if self.store.newest_version:
            self.send_header("x-amz-version-id", self.store.newest_version)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self._answer("BatchWriteRecord", self._batch)

    def do_PUT(self) -> None:
        self._answer("PutRecord", self._put)

    def _answer(self, name: str, handle: Any) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.store.lock:
            self.store.calls[name] += 1
            if self.store.fail_whole_calls:
                status, code = self.store.fail_whole_calls.pop(0)
                self._send(status, {"Message": f"{code} now"}, code)
            else:
                handle(body)

    def _batch(self, body: dict[str, Any]) -> None:
        assert self.path == "/BatchWriteRecord"
        entries = body["Entries"]
        self.store.sizes.append(len(entries))
        errors, unprocessed = [], []
        for entry in entries:
            day = next(v["ValueAsString"] for v in entry["Record"] if v["FeatureName"] == "dteday")
            if self.store.unprocessed[day] > 0:
                self.store.unprocessed[day] -= 1
                unprocessed.append(entry)
            elif self.store.refuse.get(day, ("", 0))[1] > 0:
                code, times = self.store.refuse[day]
                self.store.refuse[day] = (code, times - 1)
                errors.append({"Entry": entry, "ErrorCode": code, "ErrorMessage": f"{day} is bad"})
            else:
                self.store.keep(entry["Record"])
        self._send(200, {"Errors": errors, "UnprocessedEntries": unprocessed})

    def _put(self, body: dict[str, Any]) -> None:
        assert unquote(self.path) == f"/FeatureGroup/{GROUP}"
        day = next(v["ValueAsString"] for v in body["Record"] if v["FeatureName"] == "dteday")
        if self.store.refuse.get(day, ("", 0))[1] > 0:
            code, times = self.store.refuse[day]
            self.store.refuse[day] = (code, times - 1)
            self._send(400, {"Message": f"{day} is bad"}, code)
        else:
            self.store.keep(body["Record"])
            self._send(200, {})

    def _send(self, status: int, body: dict[str, Any], code: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture
def store(point_at) -> Iterator[Store]:
    state = Store()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("StoreHandler", (Handler,), {"store": state}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    point_at(state.url)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(store):
    return boto3.client("sagemaker-featurestore-runtime")


def days(count: int) -> list[Record]:
    return [
        record_of(
            name := f"day-{number:03d}", {"dteday": name, "temp": "1.5", "cnt": "" if number % 2 else "7"}, number + 2
        )
        for number in range(count)
    ]


def batch(client, pauses: list[float]):
    return batch_writer(client, GROUP, "dteday", pauses.append)


def test_batches_hold_25_records(client, store) -> None:
    assert write_all(days(60), batch(client, []), workers=2) == 60
    assert sorted(store.sizes) == [10, 25, 25]
    assert len(store.records) == 60


def test_missing_values_are_left_out_of_the_record(client, store) -> None:
    write_all(days(2), batch(client, []), workers=1)
    assert store.records["day-000"] == {"dteday": "day-000", "temp": "1.5", "cnt": "7"}
    assert store.records["day-001"] == {"dteday": "day-001", "temp": "1.5"}


def test_unprocessed_entries_are_sent_again_with_back_off(client, store) -> None:
    store.unprocessed.update({"day-003": 2, "day-007": 1})
    pauses: list[float] = []
    assert write_all(days(10), batch(client, pauses), workers=1) == 10
    assert store.sizes == [10, 2, 1]
    assert len(store.records) == 10
    assert len(pauses) == 2


def test_entries_that_are_never_processed_are_named(client, store) -> None:
    store.unprocessed["day-001"] = 99
    with pytest.raises(IngestError, match=r"refused 1 of 3 records: row 3 \(day-001\): not processed in 8 attempts"):
        write_all(days(3), batch(client, []), workers=1)


def test_refused_records_are_named_and_the_others_written(client, store) -> None:
    store.refuse["day-001"] = ("ValidationError", 99)
    with pytest.raises(IngestError, match=r"row 3 \(day-001\): ValidationError: day-001 is bad"):
        write_all(days(3), batch(client, []), workers=1)
    assert set(store.records) == {"day-000", "day-002"}


def test_a_long_list_of_refusals_is_cut(client, store) -> None:
    store.refuse.update({record.identifier: ("ValidationError", 99) for record in days(30)})
    with pytest.raises(IngestError, match=r"refused 30 of 30 records.*; and 25 more"):
        write_all(days(30), batch(client, []), workers=2)


def test_a_transient_error_of_one_entry_is_tried_again(client, store) -> None:
    store.refuse["day-001"] = ("InternalFailure", 2)
    assert write_all(days(3), batch(client, []), workers=1) == 3
    assert store.sizes == [3, 1, 1]


@pytest.mark.parametrize("status_and_code", [(429, "ThrottlingException"), (503, "ServiceUnavailable")])
def test_throttled_calls_are_tried_again(store, status_and_code: tuple[int, str]) -> None:
    store.fail_whole_calls.append(status_and_code)
    client = boto3.client("sagemaker-featurestore-runtime", **client_settings(2))
    assert write_all(days(3), batch(client, []), workers=1) == 3
    assert store.calls["BatchWriteRecord"] == 2


def test_a_missing_feature_group_ends_at_once(client, store) -> None:
    store.fail_whole_calls.append((404, "ResourceNotFound"))
    with pytest.raises(
        AwsCallError, match="feature group 'bike-days' failed: BatchWriteRecord answered ResourceNotFound"
    ):
        write_all(days(3), batch(client, []), workers=1)


def test_without_batch_calls_records_are_put_one_by_one(client, store) -> None:
    write = single_writer(client, GROUP)
    assert write_all(days(30), write, workers=4) == 30
    assert store.calls == {"PutRecord": 30}
    assert store.records["day-001"] == {"dteday": "day-001", "temp": "1.5"}


def test_put_one_by_one_names_refused_rows(client, store) -> None:
    store.refuse["day-001"] = ("ValidationError", 99)
    with pytest.raises(IngestError, match=r"row 3 \(day-001\): .*day-001 is bad"):
        write_all(days(3), single_writer(client, GROUP), workers=1)
    assert len(store.records) == 2


def test_put_one_by_one_ends_at_once_where_no_record_can_pass(client, store) -> None:
    store.fail_whole_calls.append((403, "AccessForbidden"))
    with pytest.raises(AwsCallError, match="PutRecord answered AccessForbidden"):
        write_all(days(3), single_writer(client, GROUP), workers=1)
    assert store.calls["PutRecord"] == 1


def test_back_off_grows_and_is_capped() -> None:
    assert all(0 <= backoff(attempt) <= 5.0 for attempt in range(50))
    assert max(backoff(0) for _ in range(100)) <= 0.1


def frame(count: int) -> pd.DataFrame:
    columns = [name for name in STORED.types if name != "event_time"]
    rows = [dict.fromkeys(columns, "1") | {"dteday": f"2026-01-{number:02d}"} for number in range(1, count + 1)]
    return pd.DataFrame(rows)


def test_records_carry_the_upload_moment_as_event_time() -> None:
    (record,) = records_of(frame(1), CLAIM.uploaded_at, STORED)
    values = {entry["FeatureName"]: entry["ValueAsString"] for entry in record.features}
    assert set(values) == set(STORED.types)
    assert values["event_time"] == "2026-03-04T05:06:07.000Z"
    assert (record.line, record.identifier) == (2, "2026-01-01")


def test_a_file_of_another_schema_is_refused() -> None:
    with pytest.raises(SettingsError, match="the feature group has"):
        records_of(frame(1).drop(columns="temp"), CLAIM.uploaded_at, STORED)


def test_records_of_a_table_without_a_key_go_by_what_is_in_their_rows() -> None:
    wine = stored_features(declared("red_wine"))
    columns = [name for name in wine.types if name != "event_time"]
    rows = pd.DataFrame([dict.fromkeys(columns, "1") | {"record_id": f"ab-{number}"} for number in range(2)])
    records = records_of(rows, CLAIM.uploaded_at, wine)
    assert [record.identifier for record in records] == ["ab-0", "ab-1"]
    assert [entry["FeatureName"] for entry in records[0].features] == [*columns, "event_time"]


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "features").mkdir()
    frame(28).to_csv(tmp_path / "features" / "features.csv", index=False)
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "claim.json").write_text(claim_text(CLAIM), encoding="utf-8")
    return tmp_path


def run(call_script, directory, *more: str):
    return call_script(
        "ingest_features.py", "--input-dir", directory / "features", "--claim-dir", directory / "claim",
        "--feature-group-name", GROUP, *more,
    )  # fmt: skip


def test_as_a_job(store, call_script, inputs) -> None:
    done = run(call_script, inputs)
    assert done.code == 0, done.err
    assert "ingest:records=28;" in done.out
    assert len(store.records) == 28
    before = dict(store.records)
    assert run(call_script, inputs, "--workers", "1").code == 0
    assert store.records == before


def test_as_a_job_that_fails(store, call_script, inputs) -> None:
    store.refuse["2026-01-03"] = ("ValidationError", 99)
    done = run(call_script, inputs)
    assert done.code == 1
    assert "row 4 (2026-01-03)" in done.message
    assert "Traceback" not in done.err


def test_a_day_twice_is_refused(store, call_script, inputs) -> None:
    pd.concat([frame(2), frame(1)]).to_csv(inputs / "features" / "features.csv", index=False)
    done = run(call_script, inputs)
    assert done.code == 1
    assert "features.csv has a dteday twice" in done.message


@pytest.mark.parametrize("newest", ["v2", None])
def test_a_version_that_is_not_the_newest_any_more_is_not_written(store, call_script, inputs, newest) -> None:
    store.newest_version = newest
    done = run(call_script, inputs)
    assert done.code == 0
    assert "ingest:records=0; (superseded: s3://raw/raw/training/days.csv was" in done.out
    assert not store.calls
