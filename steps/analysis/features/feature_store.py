"""Feature Store records, and the two ways to write them, each with its retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from analysis.features.stored import EVENT_TIME, StoredFeatures
from analysis.runtime.aws import aws_call, error_code
from analysis.runtime.errors import IngestError, SettingsError
from analysis.runtime.project import NAME

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient
    from mypy_boto3_sagemaker_featurestore_runtime.type_defs import FeatureValueTypeDef

BATCH = 25
"""Records in one BatchWriteRecord call: the service's limit."""
ROUNDS = 8
"""Times that entries which the service left unprocessed are sent again."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TRANSIENT = frozenset(
    {"InternalFailure", "InternalServerError", "ServiceUnavailable", "ThrottlingException", "Throttling", "SlowDown"}
)
_WHOLE_CALL = frozenset({"ResourceNotFound", "AccessForbidden", "AccessDeniedException", "AccessDenied"})
"""Refusals that hold for every record: they end the step at once, rather than once for each row."""
_SHOWN = 5


@dataclass(frozen=True)
class Record:
    """One record: its line in features.csv (header = 1), its identifier, and its features in the API's shape."""

    line: int
    identifier: str
    features: tuple[FeatureValueTypeDef, ...]


@dataclass(frozen=True)
class Refusal:
    """A record that was not written, and why."""

    record: Record
    reason: str


Writer = Callable[[Sequence[Record]], list[Refusal]]


def records_of(rows: pd.DataFrame, event_time: str, stored: StoredFeatures) -> list[Record]:
    """Build one record a row; raise SettingsError where preprocess.py did not write the file for these features."""
    expected = [name for name in stored.types if name != EVENT_TIME]
    if sorted(rows.columns) != sorted(expected):
        raise SettingsError(
            f"features.csv has the columns {', '.join(rows.columns)}; the feature group has {', '.join(expected)}."
        )
    return [
        record_of(
            str(row[stored.identifier]), {**{str(k): str(v) for k, v in row.items()}, EVENT_TIME: event_time}, line
        )
        for line, row in enumerate(rows.to_dict("records"), start=2)
    ]


def record_of(identifier: str, values: dict[str, str], line: int) -> Record:
    """Build a record, without the features that have no value: the Feature Store has no null."""
    features: list[FeatureValueTypeDef] = [
        {"FeatureName": name, "ValueAsString": value} for name, value in values.items() if value != ""
    ]
    return Record(line=line, identifier=identifier, features=tuple(features))


def write_all(records: Sequence[Record], write: Writer, workers: int) -> int:
    """Write every record, several batches at a time, and return their number.

    Raises IngestError naming the first refused rows. The others are written by then; writing again is harmless.
    """
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        refusals = [refusal for result in pool.map(write, batches) for refusal in result]
    if refusals:
        shown = "; ".join(
            f"row {refusal.record.line} ({refusal.record.identifier}): {refusal.reason}"
            for refusal in refusals[:_SHOWN]
        )
        more = f"; and {len(refusals) - _SHOWN} more" if len(refusals) > _SHOWN else ""
        raise IngestError(
            f"The Feature Store refused {len(refusals)} of {len(records)} records: {shown}{more}. "
            f"Writing records again is harmless: once the cause is fixed, run {NAME} retry."
        )
    return len(records)


def backoff(attempt: int) -> float:
    """Return seconds before the next attempt (0, 1, ...): doubling, capped, with full jitter so that callers spread."""
    return random.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))  # noqa: S311 (no secret)


def batch_writer(
    client: SageMakerFeatureStoreRuntimeClient,
    group: str,
    identifier: str,
    pause: Callable[[float], None] = time.sleep,
) -> Writer:
    """Write up to 25 records a call; unprocessed entries and transient errors are sent again.

    identifier: name of the feature that tells records apart.
    """

    def write(records: Sequence[Record]) -> list[Refusal]:
        waiting = {record.identifier: record for record in records}
        refused: list[Refusal] = []
        for attempt in range(ROUNDS):
            entries: list[Any] = [
                {"FeatureGroupName": group, "Record": list(record.features)} for record in waiting.values()
            ]
            with aws_call(f"Writing {len(entries)} records to feature group {group!r}"):
                answer = client.batch_write_record(Entries=entries)
            again = [_value(entry, identifier) for entry in answer.get("UnprocessedEntries", [])]
            for error in answer.get("Errors", []):
                named, code = _value(error["Entry"], identifier), str(error["ErrorCode"])
                if code in _TRANSIENT:
                    again.append(named)
                else:
                    refused.append(Refusal(waiting[named], f"{code}: {error['ErrorMessage']}"))
            waiting = {named: waiting[named] for named in again}
            if not waiting:
                return refused
            pause(backoff(attempt))
        reason = f"not processed in {ROUNDS} attempts"
        return refused + [Refusal(record, reason) for record in waiting.values()]

    return write


def _value(entry: Mapping[str, Any], feature: str) -> str:
    return next(str(value["ValueAsString"]) for value in entry["Record"] if value["FeatureName"] == feature)


def single_writer(client: SageMakerFeatureStoreRuntimeClient, group: str) -> Writer:
    """Write one record a call; botocore retries throttled and failed calls."""

    def write(records: Sequence[Record]) -> list[Refusal]:
        refused: list[Refusal] = []
        for record in records:
            with aws_call(f"Writing the record of {record.identifier} to feature group {group!r}"):
                try:
                    client.put_record(FeatureGroupName=group, Record=list(record.features))
                except ClientError as error:
                    if error_code(error) in _WHOLE_CALL:
                        raise
                    refused.append(Refusal(record, str(error)))
        return refused

    return write
