"""The entries of PutEvents: an invalid one does not hold up the others."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Collection
from typing import Any

from localmaker.errors import AwsError

logger = logging.getLogger(__name__)

_REQUIRED = ("Source", "DetailType", "Detail")
_MAX_BYTES = 1 << 20
_TIME_BYTES = 14


def put_entries(
    entries: list[dict[str, Any]], buses: Collection[str], publish: Callable[[list[dict[str, Any]]], list[Any]]
) -> dict[str, Any]:
    """Publish the valid entries and answer PutEvents.

    Args:
        buses: names of the existing event buses. An entry for another bus is accepted and dropped, as on AWS.
        publish: publishes entries and returns the result of each.

    Raises:
        AwsError: ValidationException for entries of 1 MiB or more together.
    """
    if sum(map(entry_size, entries)) >= _MAX_BYTES:
        raise AwsError("ValidationException", "Total size of the entries in the request is over the limit.")
    refusals = [refusal_of(entry) for entry in entries]
    lost = [entry.get("EventBusName", "default").rsplit("/", 1)[-1] not in buses for entry in entries]
    sent = [entry for entry, refused, gone in zip(entries, refusals, lost, strict=True) if not (refused or gone)]
    published = iter(publish(sent) if sent else [])
    answers: list[Any] = []
    for entry, refused, gone in zip(entries, refusals, lost, strict=True):
        if refused is not None:
            answers.append({"ErrorCode": refused[0], "ErrorMessage": refused[1]})
        elif gone:
            logger.warning("there is no event bus %s; dropped an event for it", entry["EventBusName"])
            answers.append({"EventId": str(uuid.uuid4())})
        else:
            answers.append(next(published))
    return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


def entry_size(entry: dict[str, Any]) -> int:
    """Return the size of an entry as EventBridge counts it ("Calculating PutEvents event entry size")."""
    texts = [entry.get(name, "") for name in _REQUIRED] + entry.get("Resources", [])
    return sum(len(text.encode()) for text in texts) + (_TIME_BYTES if "Time" in entry else 0)


def refusal_of(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Return error code and message for an entry that EventBridge rejects; None for a valid one.

    AWS reserves the sources ``aws.*`` for its services. Here developers may send such events, as the only way to try
    what a rule does with them: an S3 event that is delivered twice or late, a failed job.
    """
    for name in _REQUIRED:
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return "MalformedDetail", "Detail is malformed."
    return None
