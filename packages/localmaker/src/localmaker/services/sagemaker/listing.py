"""Filters, order and pages of SageMaker's List operations."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from localmaker.errors import AwsError

# SageMaker's default page.
DEFAULT_PAGE = 10

Item = TypeVar("Item")


class _Created(Protocol):
    @property
    def created(self) -> float:
        """Seconds since 1970."""


Entry = TypeVar("Entry", bound=_Created)


def select(
    documents: list[dict[str, Any]],
    request: Mapping[str, Any],
    name_field: str,
    *,
    name_filter: str = "NameContains",
    created: str = "CreationTime",
    modified: str = "LastModifiedTime",
) -> list[dict[str, Any]]:
    """Select documents by a request's filters on name, CreationTime and LastModifiedTime.

    Args:
        documents: with times as seconds since 1970.
        request: of a List operation.
        name_field: of a document, which must contain ``name_filter``, ignoring case.
        name_filter: field of the request.
        created, modified: fields of a document.
    """
    wanted = request.get(name_filter, "").lower()

    def within(document: dict[str, Any], field: str, time: str) -> bool:
        moment = datetime.fromtimestamp(document.get(field, 0), UTC)
        after, before = request.get(f"{time}After"), request.get(f"{time}Before")
        return (after is None or moment > after) and (before is None or moment < before)

    return [
        document
        for document in documents
        if wanted in document.get(name_field, "").lower()
        and within(document, created, "CreationTime")
        and within(document, modified, "LastModifiedTime")
    ]


def created_within(
    items: Sequence[Item], request: Mapping[str, Any], created: Callable[[Item], datetime]
) -> list[Item]:
    """Return the items that a request's CreatedAfter and CreatedBefore let through."""
    after, before = _utc(request.get("CreatedAfter")), _utc(request.get("CreatedBefore"))
    return [
        item
        for item in items
        if (after is None or created(item) > after) and (before is None or created(item) < before)
    ]


def created_between(items: Iterable[Entry], request: Mapping[str, Any]) -> list[Entry]:
    """Return the entries that a request's CreatedAfter and CreatedBefore let through; their times are seconds."""
    after, before = request.get("CreatedAfter"), request.get("CreatedBefore")
    return [
        item
        for item in items
        if (after is None or item.created > seconds(after)) and (before is None or item.created < seconds(before))
    ]


def seconds(moment: datetime) -> float:
    """Return a time as seconds since 1970; a time without a zone is in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def order(
    documents: list[dict[str, Any]],
    request: Mapping[str, Any],
    fields: Mapping[str, str],
    default: str,
    direction: str = "Ascending",
) -> None:
    """Sort documents in place, in the order that a request asks for.

    Args:
        documents: to sort.
        request: of a List operation.
        fields: value of SortBy → field of a document. The first of ``fields`` breaks ties.
        default, direction: SortBy and SortOrder if the request has none.
    """
    chosen, *rest = (fields[request.get("SortBy", default)], *fields.values())
    documents.sort(key=lambda one: (one.get(chosen), one.get(rest[0])))
    if request.get("SortOrder", direction) == "Descending":
        documents.reverse()


def only(document: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the given fields of a document, as far as it has them."""
    return {field: document[field] for field in fields if field in document}


def page(
    items: Sequence[Item],
    request: Mapping[str, Any],
    list_field: str,
    summarize: Callable[[Item], Any] = lambda item: item,
    *,
    size: int = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Return one page as a response: the list, and NextToken if more follows.

    Args:
        items: all items, in order.
        request: of a List operation.
        list_field: field of the response that holds the page.
        summarize: makes an entry of the response from an item.
        size: of a page if the request has no MaxResults.

    Raises:
        AwsError: the request's NextToken is invalid.
    """
    try:
        start = int(base64.urlsafe_b64decode(request.get("NextToken") or "MA=="))
    except ValueError as error:
        raise AwsError("ValidationException", "Invalid pagination token.") from error
    if start < 0:
        raise AwsError("ValidationException", "Invalid pagination token.")
    end = start + (request.get("MaxResults") or size)
    response: dict[str, Any] = {list_field: [summarize(item) for item in items[start:end]]}
    if end < len(items):
        response["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return response
