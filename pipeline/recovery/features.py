"""Put the records of a backup into the feature groups of another account, each with its own event time.

The event time is the moment of the upload, which `as of` asks for; when AWS wrote a record is not kept. Of several
records of one row and one event time the last one counts, and only that one is written. Files of a partition (an hour)
are done together, and marked once all their records are written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from analysis.features.stored import EVENT_TIME
from analysis.ingestion.calls import BatchWriter
from analysis.ingestion.delivery import Delivery
from analysis.ingestion.records import Record, RecordForm
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import RecoveryError
from pipeline.recovery.manifest import File, StoredGroup
from pipeline.recovery.places import Place, checked
from pipeline.recovery.versions import FOLDER

if TYPE_CHECKING:
    import pyarrow as pa

ASKED, WRITTEN, DELETED = "api_invocation_time", "write_time", "is_deleted"
"""Columns that AWS adds to the features."""
_FILE, _ROW = "file__number", "row__number"
_WORKERS = 4
_BATCH = 10_000
_SECONDS = 86_400.0


def restore_features(
    aws: Aws, place: Place, stored: StoredGroup, group: str, report: Callable[[str], None]
) -> int | None:
    """Write the records of a group; return how many, None where they never were lost.

    Raises:
        RecoveryError: the group lacks a feature of them, or some could not be written.
    """
    with aws_errors(f"Looking at feature group {group}", aws, RecoveryError):
        described = aws.sagemaker.describe_feature_group(FeatureGroupName=group)
    offline = described.get("OfflineStoreConfig", {}).get("S3StorageConfig", {})
    where = str(offline.get("ResolvedOutputS3Uri") or f"{described['FeatureGroupArn']} {described['CreationTime']}")
    if all(file.source.startswith(f"{where}/") for file in stored.files):
        return None
    features = [one["FeatureName"] for one in described["FeatureDefinitions"]]
    writer = _Writer(aws, group, described["RecordIdentifierFeatureName"], features)
    partitions: dict[str, list[File]] = {}
    for file in sorted(stored.files, key=lambda one: one.source):
        partitions.setdefault(file.source.rpartition("/")[0], []).append(file)
    for number, files in enumerate(partitions.values(), start=1):
        # Of this very group: one that is made anew is empty.
        marked = sha256("\n".join([where, *(file.sha256 for file in files)]).encode()).hexdigest()
        mark: Any = {"Bucket": aws.settings.artifacts_bucket, "Key": f"{FOLDER}/features/{marked}"}
        with aws_errors(f"Restoring {group}", aws, RecoveryError):
            if unless_missing(lambda: aws.s3.head_object(**mark)) is None:  # noqa: B023 - called at once
                with ExitStack() as stack:
                    writer.write([stack.enter_context(checked(place, file)) for file in files])
                aws.s3.put_object(**mark, Body=b"")
        report(f"{group}: {number:,} of {len(partitions):,} partitions, {writer.written:,} records written")
    return writer.written


class _Writer:
    """Writes the records of files into one group."""

    def __init__(self, aws: Aws, group: str, identifier: str, features: Sequence[str]) -> None:
        self._aws, self._group, self._identifier = aws, group, identifier
        self._features = {name.lower(): name for name in features}
        self._lost: list[str] = []
        self.written = 0

    def write(self, files: Sequence[IO[bytes]]) -> None:
        """Write what the files of a partition say last of each row and event time; deletions come after records."""
        keep = newest([_read(file, [self._identifier, EVENT_TIME, ASKED, WRITTEN]) for file in files], self._identifier)
        delivery = Delivery(
            BatchWriter(self._aws.feature_store, self._identifier),
            _WORKERS,
            time.monotonic() + _SECONDS,
            lambda record, reason: self._lost.append(f"{record.identifier}: {reason}"),
        )
        deleted: list[tuple[str, str]] = []
        delivery.deliver(_told(self._records(files, keep, deleted)))
        self.written += delivery.written
        if self._lost:
            shown = "; ".join(self._lost[:3])
            raise RecoveryError(
                f"{len(self._lost):,} records could not be written to {self._group}: {shown}",
                "Fix that, and run the same command again: it goes on where it was.",
            )
        for row, moment in deleted:
            self._aws.feature_store.delete_record(
                FeatureGroupName=self._group, RecordIdentifierValueAsString=row, EventTime=moment
            )

    def _records(
        self, files: Sequence[IO[bytes]], keep: Mapping[int, pa.Array], deleted: list[tuple[str, str]]
    ) -> Iterator[Record]:
        import pyarrow.parquet as pq

        for number, file in enumerate(files):
            file.seek(0)
            source, kept, first = pq.ParquetFile(file), set(keep.get(number, ())), 0
            columns = self._columns(source.schema_arrow.names)
            forms: dict[str, RecordForm] = {}
            for batch in source.iter_batches(_BATCH):
                for position, row in enumerate(batch.to_pylist(), start=first):
                    if position not in kept:
                        continue
                    named = {name.lower(): value for name, value in row.items()}
                    moment, identifier = str(named[EVENT_TIME]), str(named[self._identifier.lower()])
                    if named.get(DELETED):
                        deleted.append((identifier, moment))
                        continue
                    if moment not in forms:
                        names = [self._features[name] for name in columns]
                        forms = {moment: RecordForm(names, self._group, self._identifier, moment)}
                    cells = ["" if named[name] is None else str(named[name]) for name in columns]
                    yield forms[moment].record(position, cells)
                first += batch.num_rows

    def _columns(self, names: Sequence[str]) -> list[str]:
        """Return the features of a file, without the event time."""
        found = [name.lower() for name in names if name.lower() not in {EVENT_TIME, ASKED, WRITTEN, DELETED}]
        if unknown := [name for name in found if name not in self._features]:
            raise RecoveryError(
                f"Feature group {self._group} lacks {', '.join(unknown)}, which records of the backup have.",
                "Restore with --ref at the commit that the backup names, whose declaration has them.",
            )
        return found


def newest(tables: Sequence[pa.Table], identifier: str) -> dict[int, list[int]]:
    """Return which rows of each table count: of one identifier and event time, the one that was asked for last."""
    import pyarrow as pa

    numbered = [
        table.append_column(_FILE, pa.array([number] * len(table), pa.int32())).append_column(
            _ROW, pa.array(range(len(table)), pa.int64())
        )
        for number, table in enumerate(tables)
    ]
    order = [(name, "ascending") for name in (ASKED, WRITTEN, _FILE, _ROW)]
    rows = pa.concat_tables(numbered).sort_by(order)
    # Ordered, so that the last one is the newest.
    last = rows.group_by([identifier, EVENT_TIME], use_threads=False).aggregate([(_FILE, "last"), (_ROW, "last")])
    found: dict[int, list[int]] = {}
    for file, row in zip(last[f"{_FILE}_last"].to_pylist(), last[f"{_ROW}_last"].to_pylist(), strict=True):
        found.setdefault(file, []).append(row)
    return found


def _read(file: IO[bytes], columns: Sequence[str]) -> pa.Table:
    """Read some columns of a Parquet file, whatever the case of their names in it."""
    import pyarrow.parquet as pq

    with _parquet_errors():
        source = pq.ParquetFile(file)
        spelt = {name.lower(): name for name in source.schema_arrow.names}
        found = source.read([spelt[name.lower()] for name in columns])
        return found.rename_columns(list(columns))


def _told(records: Iterator[Record]) -> Iterator[Record]:
    with _parquet_errors():
        yield from records


@contextmanager
def _parquet_errors() -> Iterator[None]:
    """Say of what is no Parquet, broken, or of other columns that it holds no records."""
    try:
        yield
    except (ValueError, KeyError, OSError) as error:
        raise RecoveryError(f"A file of the backup holds no records of the Feature Store: {error}") from error
