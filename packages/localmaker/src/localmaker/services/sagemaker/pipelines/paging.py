"""Filtering, sorting and paging of lists, as the List* operations share them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from localmaker.errors import AwsError

Item = TypeVar("Item")
MAX_RESULTS = 100


def page(items: Sequence[Item], request: Mapping[str, Any]) -> tuple[list[Item], dict[str, str]]:
    """The part of a list that a request asks for, and ``{"NextToken": ...}`` when more follow.

    Raises:
        AwsError: ValidationException for a token that no list gave out.
    """
    start = _read_token(request["NextToken"]) if request.get("NextToken") else 0
    size = request.get("MaxResults") or MAX_RESULTS
    shown = list(items[start : start + size])
    rest = start + size < len(items)
    return shown, {"NextToken": _write_token(start + size)} if rest else {}


def _write_token(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"from": position}).encode()).decode()


def _read_token(token: str) -> int:
    try:
        position = json.loads(base64.urlsafe_b64decode(token.encode()))["from"]
    except (binascii.Error, ValueError, KeyError, TypeError) as exc:
        raise AwsError("ValidationException", "Invalid pagination token.") from exc
    if not isinstance(position, int) or position < 0:
        raise AwsError("ValidationException", "Invalid pagination token.")
    return position


def created_within(
    items: Sequence[Item], request: Mapping[str, Any], created: Callable[[Item], datetime]
) -> list[Item]:
    """The items that CreatedAfter and CreatedBefore let through."""
    after, before = _utc(request.get("CreatedAfter")), _utc(request.get("CreatedBefore"))
    return [
        item
        for item in items
        if (after is None or created(item) > after) and (before is None or created(item) < before)
    ]


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
