"""The offline store: records as Parquet files in S3, in the folders that AWS uses.

``<ResolvedOutputS3Uri>/year=2026/month=01/day=31/hour=12/20260131T120000Z_<16 characters>.parquet`` by event time, with
the columns ``write_time``, ``api_invocation_time`` and ``is_deleted`` after the features. AWS buffers records for up to
15 minutes; here they are buffered briefly in SQLite, and written in another thread. After a kill, the next start writes
the buffered records, under the same names.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.ports import AwsClients
from localmaker.services.sagemaker.featurestore.catalog import add_partition
from localmaker.services.sagemaker.featurestore.records import FeatureValue, OfflineRow, moment_of
from localmaker.services.sagemaker.featurestore.store import FeatureStore
from localmaker.worker import Worker

logger = logging.getLogger(__name__)

_BUFFER_SECONDS = 0.5
_FILE_ROWS = 10_000
# A bucket may be created, or room made on the disk, in the meantime.
_RETRY_SECONDS = 10.0


class OfflineWriter:
    """Writes buffered records in a thread, which starts with the first one.

    Args:
        store: buffers the records.
        clients: of S3 and Glue.
    """

    def __init__(self, store: FeatureStore, clients: AwsClients) -> None:
        self._store = store
        self._clients = clients
        self._writing = threading.Lock()
        self._worker = Worker("offline-store", self.write_now, delay=_BUFFER_SECONDS, finishes=True)

    def wake(self) -> None:
        """Write the buffered records soon, in the thread."""
        self._worker.wake()

    def write_now(self) -> float | None:
        """Write the buffered records, and return when they are written. After a failure they remain buffered.

        Returns:
            The seconds until it is worth trying again; None if everything is written.
        """
        with self._writing:
            return self._write_all()

    def forget(self) -> None:
        """Forget feature groups, their records, and what is buffered."""
        with self._writing:
            self._store.clear()

    def close(self) -> None:
        """Write the buffered records, and stop."""
        self._worker.close()

    def _write_all(self) -> float | None:
        store, blocked = self._store, False
        for arn in store.groups_with_offline_rows():
            description = store.group(arn)
            if description is None:
                store.delete_offline_rows(arn)
                continue
            while rows := store.offline_rows(arn, _FILE_ROWS):
                try:
                    self._write(description, rows)
                except (ClientError, BotoCoreError) as error:
                    logger.warning("the offline store of %s is blocked: %s", description["FeatureGroupName"], error)
                    status = {"Status": "Blocked", "BlockedReason": str(error)[:1024]}
                    store.change_group(arn, {"OfflineStoreStatus": status})
                    blocked = True
                    break
                store.delete_offline_rows(arn, rows[-1].number)
                if (description.get("OfflineStoreStatus") or {}).get("Status") != "Active":
                    description = {**description, "OfflineStoreStatus": {"Status": "Active"}}
                    store.change_group(arn, {"OfflineStoreStatus": {"Status": "Active"}})
        return _RETRY_SECONDS if blocked else None

    def _write(self, description: dict[str, Any], rows: Sequence[OfflineRow]) -> None:
        location = urlsplit(description["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"])
        region = description["FeatureGroupArn"].split(":")[3]
        by_folder: dict[str, list[OfflineRow]] = {}
        for row in rows:
            by_folder.setdefault(folder_of(row.event_time), []).append(row)
        for folder, members in by_folder.items():
            key = f"{location.path.strip('/')}/{folder}/{file_name(description['FeatureGroupArn'], members)}"
            body = parquet(description["FeatureDefinitions"], members, time.time_ns() // 1000)
            self._clients.client("s3", region).put_object(Bucket=location.netloc, Key=key, Body=body)
            add_partition(description, folder, self._clients)


def folder_of(event_time: int) -> str:
    """Return the partition of an event time (microseconds since 1970)."""
    at = moment_of(event_time)
    return f"year={at.year:04}/month={at.month:02}/day={at.day:02}/hour={at.hour:02}"


def file_name(arn: str, rows: Sequence[OfflineRow]) -> str:
    """Name a file by its latest event time and a hash of its rows, so that writing them again changes nothing."""
    latest = moment_of(max(row.event_time for row in rows))
    stamp = f"{latest.year:04}{latest:%m%dT%H%M%SZ}"
    identity = f"{arn} {[(row.number, row.written_at) for row in rows]}"
    return f"{stamp}_{hashlib.sha256(identity.encode()).hexdigest()[:16]}.parquet"


def parquet(definitions: Sequence[dict[str, Any]], rows: Sequence[OfflineRow], now: int) -> bytes:
    """Write rows as a Parquet file: the features in their order, then the three columns that AWS adds.

    Args:
        definitions: FeatureDefinitions of the group. String, Integral and Fractional become string, int64 and double;
            collections become lists of them.
        now: write_time, in microseconds since 1970; api_invocation_time is that of the request.
    """
    # The import costs half a second and 60 MB, and only an offline store needs it.
    pa: Any = importlib.import_module("pyarrow")
    pq: Any = importlib.import_module("pyarrow.parquet")
    types = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}
    values = [{one["FeatureName"]: one for one in row.values} for row in rows]
    columns: dict[str, Any] = {}
    for definition in definitions:
        name, kind = definition["FeatureName"], definition["FeatureType"]
        is_list = bool(definition.get("CollectionType"))
        cells = [_cell(row.get(name), kind) for row in values]
        columns[name] = pa.array(cells, pa.list_(types[kind]) if is_list else types[kind])
    for name, times in (("write_time", [now] * len(rows)), ("api_invocation_time", [row.written_at for row in rows])):
        columns[name] = pa.array(times, pa.timestamp("us", tz="UTC")).cast(pa.timestamp("ms", tz="UTC"), safe=False)
    columns["is_deleted"] = pa.array([row.deleted for row in rows], pa.bool_())
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="snappy")
    return buffer.getvalue()


_READ = {"String": str, "Integral": int, "Fractional": float}


def _cell(value: FeatureValue | None, kind: str) -> Any:
    if value is None:
        return None
    if "ValueAsStringList" in value:
        return [_READ[kind](text) for text in value["ValueAsStringList"]]
    return _READ[kind](value["ValueAsString"]) if "ValueAsString" in value else None
