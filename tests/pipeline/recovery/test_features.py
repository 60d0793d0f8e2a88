"""Records of an offline store in another group: the same answer to every `as of`, deletions included."""

from __future__ import annotations

import io
import itertools
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.features.stored import EVENT_TIME
from pipeline.aws.clients import Aws
from pipeline.errors import RecoveryError
from pipeline.recovery import features
from pipeline.recovery.backup import Backup
from pipeline.recovery.features import ASKED, WRITTEN, newest, restore_features
from pipeline.recovery.manifest import StoredGroup
from pipeline.recovery.places import Folder

ROLE = "arn:aws:iam::123456789012:role/features"
MOMENTS = ("2026-11-01T10:00:00.000Z", "2026-11-01T10:30:00.000Z", "2026-11-02T10:00:00.000Z")
GROUPS = (f"inputs-{number}" for number in itertools.count())


def create(aws: Aws, name: str, *more: str) -> None:
    names = {"date": "String", EVENT_TIME: "String", "Warmth": "Fractional", "count": "Integral"}
    aws.sagemaker.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="date",
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[
            {"FeatureName": one, "FeatureType": kind} for one, kind in names.items() if one not in more
        ],  # type: ignore[misc]
        RoleArn=ROLE,
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{aws.settings.artifacts_bucket}/feature-store"}},
    )
    while aws.sagemaker.describe_feature_group(FeatureGroupName=name)["FeatureGroupStatus"] != "Created":
        time.sleep(0.05)


def put(aws: Aws, group: str, date: str, moment: str, **values: Any) -> None:
    named = {"date": date, EVENT_TIME: moment, **values}
    record = [{"FeatureName": name, "ValueAsString": str(value)} for name, value in named.items()]
    aws.feature_store.put_record(FeatureGroupName=group, Record=record)  # type: ignore[arg-type]


def offline(aws: Aws, group: str) -> list[dict[str, Any]]:
    """Return all rows of the offline store, without when they were written."""
    bucket, rows = aws.settings.artifacts_bucket, []
    place = aws.sagemaker.describe_feature_group(FeatureGroupName=group)["OfflineStoreConfig"]["S3StorageConfig"]
    prefix = place["ResolvedOutputS3Uri"].partition(f"{bucket}/")[2]
    for one in aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        body = aws.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        rows += pq.read_table(io.BytesIO(body)).to_pylist()
    rows.sort(key=lambda row: (row[ASKED], row[WRITTEN]))
    return [{name: value for name, value in row.items() if name not in {ASKED, WRITTEN}} for row in rows]


def settled(aws: Aws, group: str, rows: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while len(found := offline(aws, group)) < rows:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def as_of(rows: list[dict[str, Any]], moment: str) -> dict[str, Any]:
    """Return what the rows say of each date at a moment; of one moment the last one counts."""
    at: dict[str, dict[str, Any]] = {}
    for row in sorted((row for row in rows if row[EVENT_TIME] <= moment), key=lambda row: str(row[EVENT_TIME])):
        at[row["date"]] = row
    return {date: row for date, row in at.items() if not row["is_deleted"]}


def online(aws: Aws, group: str, date: str) -> dict[str, Any]:
    answer = aws.feature_store.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=date)
    values = {one["FeatureName"]: one["ValueAsString"] for one in answer.get("Record", [])}
    return {name: float(value) if name == "Warmth" else value for name, value in values.items()}


@pytest.fixture
def stored(aws, tmp_path) -> StoredGroup:
    """The backup of a group with a row written twice, one of two moments, and one that is deleted."""
    group = aws.settings.inputs_group_name
    create(aws, group)
    put(aws, group, "a", MOMENTS[0], Warmth=0.1, count=1)
    settled(aws, group, 1)
    put(aws, group, "a", MOMENTS[0], Warmth=1 / 3, count=2)  # again, with another value, in another file
    put(aws, group, "b", MOMENTS[0], count=3)
    put(aws, group, "a", MOMENTS[1], Warmth=-1e-9, count=4)
    put(aws, group, "b", MOMENTS[2], Warmth=5, count=5)
    put(aws, group, "c", MOMENTS[1], count=6)
    aws.feature_store.delete_record(FeatureGroupName=group, RecordIdentifierValueAsString="c", EventTime=MOMENTS[2])
    settled(aws, group, 7)
    return Backup(aws, Folder(tmp_path), lambda _: None).records_of("inputs", group, [])


def test_every_moment_has_the_same_answer(aws, elsewhere, stored, *, tmp_path, monkeypatch, eventually) -> None:
    group, place = stored.name, Folder(tmp_path)
    create(elsewhere, group)
    # Killed once a partition is written, and before it is marked.
    write = features._Writer.write

    def killed(*arguments: Any) -> None:
        write(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(features._Writer, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            restore_features(elsewhere, place, stored, group, lambda _: None)
    assert restore_features(elsewhere, place, stored, group, lambda _: None) == 5
    assert restore_features(elsewhere, place, stored, group, lambda _: None) == 0
    before = [as_of(offline(aws, group), moment) for moment in MOMENTS]
    eventually(lambda: [as_of(offline(elsewhere, group), moment) for moment in MOMENTS] == before)
    for date in "abc":
        answers = [online(clients, group, date) for clients in (aws, elsewhere)]
        assert answers[0] == answers[1]
    # Where nothing was lost, nothing is written.
    assert restore_features(aws, place, stored, group, lambda _: None) is None


def test_a_group_that_lacks_a_feature_is_refused(elsewhere, stored, tmp_path) -> None:
    create(elsewhere, stored.name, "count")
    with pytest.raises(RecoveryError, match="lacks count, which records of the backup have"):
        restore_features(elsewhere, Folder(tmp_path), stored, stored.name, lambda _: None)


ROW = st.tuples(st.sampled_from("ab"), st.sampled_from(MOMENTS), st.integers(0, 3), st.integers(0, 3))


@given(st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=3))
def test_of_one_row_and_moment_the_last_request_counts(tables: list[list[tuple[str, str, int, int]]]) -> None:
    names = ("date", EVENT_TIME, ASKED, WRITTEN)
    types = (pa.string(), pa.string(), pa.int64(), pa.int64())
    made = [
        pa.table({name: pa.array([row[i] for row in rows], types[i]) for i, name in enumerate(names)})
        for rows in tables
    ]
    expected: dict[tuple[str, str], tuple[Any, ...]] = {}
    for file, rows in enumerate(tables):
        for position, (date, moment, asked, written) in enumerate(rows):
            rank = (asked, written, file, position)
            expected[date, moment] = max(rank, expected.get((date, moment), rank))
    found = {(file, row) for file, rows in newest(made, "date").items() for row in rows}
    assert found == {(rank[2], rank[3]) for rank in expected.values()}


def test_what_is_no_file_of_the_store_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PAR1 and nothing else"):
        with pytest.raises(RecoveryError, match="holds no records of the Feature Store"):
            features._read(io.BytesIO(content), ["date"])


def test_a_page_that_is_broken_is_no_traceback(aws: Aws) -> None:
    columns = {"date": ["2026-11-01"], EVENT_TIME: [MOMENTS[0]], ASKED: [1], WRITTEN: [1], "warmth": [20.5]}
    whole = io.BytesIO()
    pq.write_table(pa.table(columns), whole, compression="zstd")
    place = pq.ParquetFile(whole).metadata.row_group(0).column(4)
    start = place.dictionary_page_offset or place.data_page_offset
    broken = bytearray(whole.getvalue())
    broken[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    writer = features._Writer(aws, "inputs", "date", ["date", EVENT_TIME, "Warmth"])
    with pytest.raises(RecoveryError, match="holds no records of the Feature Store"):
        writer.write([io.BytesIO(broken)])
