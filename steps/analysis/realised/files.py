"""Prediction files and realised results in S3: what there is, its rows, and putting an upload's results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

from analysis.publishing.objects import put_json
from analysis.publishing.places import MANIFESTS, REALISED, SUMMARIES, Room
from analysis.realised.cells import RealisedTable, counted_in, predictions_in
from analysis.realised.join import Moment, Predicted, Realised, Source
from analysis.realised.settle import Counted, Summary, summary_from
from analysis.realised.sums import document_of
from analysis.runtime.aws import aws_call, unless
from analysis.runtime.errors import ScoreError
from analysis.runtime.spreadsheets import safe_text
from analysis.runtime.streams import GeneratedFile, lines_of, put_stream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_ONCE = 8
"""Small documents that are read at the same time: one a prediction file, and there may be thousands."""
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


def sources_in(s3: S3Client, room: Room, until: str) -> list[Source]:
    """Return every prediction file of an upload of that day or before, in all profiles."""
    keys = [key for key, day in _keys(s3, room, MANIFESTS) if day <= until]
    return [source for document in _documents(s3, room, keys) if (source := source_from(document)) is not None]


def source_from(manifest: dict[str, Any]) -> Source | None:
    """Return the prediction file of a manifest; None for one that does not say when it was published."""
    if "predicted_at" not in manifest:
        return None
    return Source(
        table=manifest["predictions"],
        profile=manifest["profile"],
        version=manifest["model_package_arn"].rpartition("/")[2],
        execution=safe_text(manifest["execution_arn"].rpartition("/")[2]),
        key=safe_text(manifest["source"]["key"]),
        moment=Moment(manifest["uploaded_at"], manifest["source"]["identity"]),
        predicted_at=manifest["predicted_at"],
        first=manifest["first_label"],
        last=manifest["last_label"],
        known=manifest["outcomes"]["known"],
        unknown=manifest["outcomes"]["awaited"],
    )


def predicted_rows(s3: S3Client, room: Room, source: Source, joined_by: Sequence[str]) -> Iterator[Predicted]:
    """Yield the rows of a prediction file; none where somebody has deleted it."""
    if unless(f"Looking at {source.table}", _GONE, lambda: s3.head_object(Bucket=room.bucket, Key=source.table)):
        yield from predictions_in(lines_of(s3, room.bucket, source.table), joined_by, source)
    else:
        print(f"score: warning: s3://{room.bucket}/{source.table} is gone, and what it predicted can't be measured.")


def newest_summaries(s3: S3Client, room: Room, rows: int) -> list[Summary]:
    """Return the newest results, whole days of them, that have so many rows together, of all profiles."""
    found: list[Summary] = []
    by_day: dict[str, list[str]] = {}
    for key, day in _keys(s3, room, SUMMARIES):
        by_day.setdefault(day, []).append(key)
    for day in sorted(by_day, reverse=True):
        if sum(one.rows for one in found) >= rows:
            break
        found += map(summary_from, _documents(s3, room, by_day[day]))
    return found


def summaries_of(s3: S3Client, room: Room, profile: str | None = None) -> list[Summary]:
    """Return all results, of one profile or of all."""
    keys = [key for key, _ in _keys(s3, room, SUMMARIES, profile)]
    return [summary_from(document) for document in _documents(s3, room, keys)]


def counted_rows(s3: S3Client, room: Room, summary: Summary) -> Iterator[Counted]:
    """Yield the rows of results."""
    lines = lines_of(s3, room.bucket, summary.table)
    yield from counted_in(lines, summary)


def put_realised(s3: S3Client, room: Room, table: RealisedTable, rows: Iterator[Realised]) -> None:
    """Put an upload's results and their summary, in place of those of before; nothing where there is none."""
    first = next(rows, None)
    if first is None:
        return
    about, claim = table.about, table.about.claim
    key = room.key(REALISED, about.profile, claim)
    file = GeneratedFile(table.pieces(chain([first], rows)))
    put_stream(s3, room.bucket, key, file, "text/csv; charset=utf-8")
    summary = {
        "realised": key,
        "profile": about.profile,
        "rows": table.rows,
        "bytes": file.size,
        "sha256": file.sha256,
        "columns": table.columns,
        "joined_by": list(about.joined_by),
        "time_label": about.time_label,
        "first_label": table.first,
        "last_label": table.last,
        "source": {name: getattr(claim, name) for name in ("bucket", "key", "version_id", "identity")},
        "known_at": claim.uploaded_at,
        "versions": document_of(table.sums),
    }
    put_json(s3, room.bucket, room.key(SUMMARIES, about.profile, claim), summary)


def _keys(s3: S3Client, room: Room, kind: str, profile: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield keys of documents, each with its day."""
    folder = room.folder(kind)
    with aws_call(f"Listing s3://{room.bucket}/{folder}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=room.bucket, Prefix=folder)
        for item in chain.from_iterable(page.get("Contents", []) for page in pages):
            found = room.profile_and_day(item["Key"], kind)
            if found is not None and profile in {None, found[0]} and item["Key"].endswith(".json"):
                yield item["Key"], found[1]


def _documents(s3: S3Client, room: Room, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield JSON objects, in the order of their keys; what is gone meanwhile is left out."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for document in pool.map(lambda key: _document(s3, room.bucket, key), keys):
            if document is not None:
                yield document


def _document(s3: S3Client, bucket: str, key: str) -> dict[str, Any] | None:
    what = f"Reading s3://{bucket}/{key}"
    answer = unless(what, _GONE, lambda: s3.get_object(Bucket=bucket, Key=key))
    if answer is None:
        return None
    with aws_call(what):
        body = answer["Body"].read()
    try:
        return dict(json.loads(body))
    except (TypeError, ValueError) as error:
        raise ScoreError(f"s3://{bucket}/{key} is no manifest of this project ({error}). Delete it.") from error
