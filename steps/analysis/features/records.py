"""Feature Store records, and the two ways to write them, each with its retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from analysis.reading.columns import DATE
from analysis.runtime.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient
    from mypy_boto3_sagemaker_featurestore_runtime.type_defs import FeatureValueTypeDef

ROUNDS = 8
"""Times that entries which the service did not get to are sent again."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TRANSIENT = frozenset(
    {"InternalFailure", "InternalServerError", "ServiceUnavailable", "ThrottlingException", "Throttling", "SlowDown"}
)
_WHOLE_CALL = frozenset({"ResourceNotFound", "AccessForbidden", "AccessDeniedException", "AccessDenied"})
"""Refusals that hold for every record: they end the step at once, rather than once for each row."""

Pause = Callable[[float], None]


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


def record_of(values: dict[str, str], line: int) -> Record:
    """Features without a value are left out: the Feature Store knows no null."""
    features: list[FeatureValueTypeDef] = [
        {"FeatureName": name, "ValueAsString": value} for name, value in values.items() if value != ""
    ]
    return Record(line=line, identifier=values[DATE], features=tuple(features))


def backoff(attempt: int) -> float:
    """Seconds before the next attempt (0, 1, ...): doubling, capped, with full jitter so that callers spread."""
    return random.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))  # noqa: S311 (no secret)


def batch_writer(
    client: SageMakerFeatureStoreRuntimeClient, group: str, pause: Pause = time.sleep
) -> Callable[[Sequence[Record]], list[Refusal]]:
    """Write up to 25 records a call; unprocessed entries and transient errors are sent again."""

    def write(records: Sequence[Record]) -> list[Refusal]:
        waiting = {record.identifier: record for record in records}
        refused: list[Refusal] = []
        for attempt in range(ROUNDS):
            entries: list[Any] = [
                {"FeatureGroupName": group, "Record": list(record.features)} for record in waiting.values()
            ]
            with aws_call(f"Writing {len(entries)} records to feature group {group!r}"):
                answer = client.batch_write_record(Entries=entries)
            again = [_identifier(entry) for entry in answer.get("UnprocessedEntries", [])]
            for error in answer.get("Errors", []):
                identifier, code = _identifier(error["Entry"]), str(error["ErrorCode"])
                if code in _TRANSIENT:
                    again.append(identifier)
                else:
                    refused.append(Refusal(waiting[identifier], f"{code}: {error['ErrorMessage']}"))
            waiting = {identifier: waiting[identifier] for identifier in again}
            if not waiting:
                return refused
            pause(backoff(attempt))
        reason = f"not processed in {ROUNDS} attempts"
        return refused + [Refusal(record, reason) for record in waiting.values()]

    return write


def _identifier(entry: Mapping[str, Any]) -> str:
    return next(str(value["ValueAsString"]) for value in entry["Record"] if value["FeatureName"] == DATE)


def single_writer(
    client: SageMakerFeatureStoreRuntimeClient, group: str
) -> Callable[[Sequence[Record]], list[Refusal]]:
    """Write one record a call; botocore tries throttled and failed calls again."""

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
