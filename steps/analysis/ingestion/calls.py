"""One BatchWriteRecord call, and what its answer says of each of its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from analysis.ingestion.records import Record
from analysis.runtime.aws import client_settings, error_code, is_busy

BATCH = 25
"""Records in one call: the service's limit."""
_CONNECT_SECONDS, _READ_SECONDS = 5, 10
_NOT_REACHED = (BotoConnectionError, HTTPClientError, CredentialRetrievalError)
_INVALID = frozenset({"ValidationError", "ValidationException", "RequestEntityTooLarge", "413"})
"""Refusals of a call that one of its records may be the cause of."""
_FOR_ALL = frozenset({"ResourceNotFound", "AccessForbidden", "AccessDenied", "AccessDeniedException"})
"""Refusals of a record that hold for every other one."""
_EVENT = "sagemaker-featurestore-runtime.BatchWriteRecord"
_BODY = "body of records"
_PLACEHOLDER = {"Entries": [{"FeatureGroupName": "group", "Record": [{"FeatureName": "feature", "ValueAsString": ""}]}]}


@dataclass(frozen=True)
class Verdict:
    """What became of the records of a call, by their positions in it; those in neither mapping are written.

    again: to be sent again, and why. refused: lost, and why. stop: why no other record can be written either.
    """

    again: Mapping[int, str]
    refused: Mapping[int, str]
    stop: str | None = None


class BatchWriter:
    """Writes up to 25 records of one feature group in one call."""

    def __init__(self, client: Any, identifier: str) -> None:
        """Take a client of the Feature Store runtime, and the name of the record identifier."""
        self._client = client
        self._identifier = identifier
        # Bodies are made from records that are text already.
        client.meta.events.register(f"provide-client-params.{_EVENT}", _keep_body, unique_id="keep-body-of-records")
        client.meta.events.register(f"before-call.{_EVENT}", _put_body, unique_id="put-body-of-records")

    def __call__(self, records: Sequence[Record]) -> Verdict:
        """Make the call. Every failure of it is a verdict on the records, and none is raised.

        A call that is refused as invalid is made again in halves, until the records are found that are.
        """
        try:
            answer = self._client.batch_write_record(Entries=",".join(record.entry for record in records))
        except _NOT_REACHED as error:
            return Verdict(dict.fromkeys(range(len(records)), str(error)), {})
        except BotoCoreError as error:
            return Verdict({}, dict.fromkeys(range(len(records)), str(error)), f"BatchWriteRecord failed: {error}")
        except ClientError as error:
            return self._failed(records, error)
        return judged(records, answer, self._identifier)

    def _failed(self, records: Sequence[Record], error: ClientError) -> Verdict:
        code, answer = error_code(error), error.response
        reason = f"{code}: {answer.get('Error', {}).get('Message', '')}"
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        every = dict.fromkeys(range(len(records)), reason)
        if is_busy(status, code):
            return Verdict(every, {})
        if code not in _INVALID:
            return Verdict({}, every, f"BatchWriteRecord answered {reason}")
        if len(records) == 1:
            return Verdict({}, every)
        half = len(records) // 2
        first, second = self(records[:half]), self(records[half:])
        return Verdict(
            {**first.again, **{half + position: why for position, why in second.again.items()}},
            {**first.refused, **{half + position: why for position, why in second.refused.items()}},
            first.stop or second.stop,
        )


def judged(records: Sequence[Record], answer: Mapping[str, Any], identifier: str) -> Verdict:
    """Read the answer to a call.

    Where it has an entry that is none of the call's, all records are sent again that it does not refuse: writing again
    is harmless, and which one was meant can't be known.
    """
    named = defaultdict(list)
    for position, record in enumerate(records):
        named[record.identifier].append(position)
    again: dict[int, str] = {}
    refused: dict[int, str] = {}
    stop = unknown = None
    for entry in answer.get("UnprocessedEntries", ()):
        if positions := named.get(_value(entry, identifier)):
            again[positions.pop()] = "left unprocessed"
        else:
            unknown = "an entry that was not sent was left unprocessed"
    for error in answer.get("Errors", ()):
        code, reason = str(error.get("ErrorCode")), f"{error.get('ErrorCode')}: {error.get('ErrorMessage')}"
        if code in _FOR_ALL:
            stop = f"BatchWriteRecord answered {reason}"
        if positions := named.get(_value(error.get("Entry", {}), identifier)):
            (again if is_busy(0, code) else refused)[positions.pop()] = reason
        else:
            unknown = f"an entry that was not sent was answered by {reason}"
    if unknown:
        again = {**{position: unknown for position in range(len(records)) if position not in refused}, **again}
    return Verdict(again, refused, stop)


def store_client(connections: int) -> Any:
    """Return a client whose calls are made once, and fail soon where nobody answers: repeating is the caller's."""
    create: Any = boto3.client  # the stubs know a type for each service
    settings = client_settings(connections, attempts=1, connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    return create("sagemaker-featurestore-runtime", **settings)


def _value(entry: Mapping[str, Any], feature: str) -> str:
    values = entry.get("Record", ())
    return next((str(value.get("ValueAsString")) for value in values if value.get("FeatureName") == feature), "")


def _keep_body(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the text of the entries aside, and give botocore an entry in their place."""
    context[_BODY] = f'{{"Entries":[{params["Entries"]}]}}'.encode()
    return dict(_PLACEHOLDER)


def _put_body(params: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
    params["body"] = context[_BODY]
