"""What SageMaker's List operations have in common: filters by name and time, order, pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from pipeline.local.errors import AwsError

# SageMaker's default page.
DEFAULT_PAGE = 10


def select(documents: list[dict[str, Any]], request: dict[str, Any], name_field: str) -> list[dict[str, Any]]:
    """The documents that NameContains, CreationTimeAfter and CreationTimeBefore leave."""
    wanted = request.get("NameContains", "").lower()

    def fits(document: dict[str, Any]) -> bool:
        created = datetime.fromtimestamp(document["CreationTime"], UTC)
        return (
            wanted in document.get(name_field, "").lower()
            and ("CreationTimeAfter" not in request or created > request["CreationTimeAfter"])
            and ("CreationTimeBefore" not in request or created < request["CreationTimeBefore"])
        )

    return [document for document in documents if fits(document)]


def page(documents: list[Any], request: dict[str, Any], list_field: str) -> dict[str, Any]:
    """One page as a response: the list, and NextToken where more follows.

    Raises:
        AwsError: the request's NextToken is not one of ours.
    """
    try:
        start = int(base64.urlsafe_b64decode(request.get("NextToken") or "MA=="))
    except ValueError as error:
        raise AwsError("ValidationException", "NextToken is not one that this operation gave") from error
    end = start + request.get("MaxResults", DEFAULT_PAGE)
    response: dict[str, Any] = {list_field: documents[start:end]}
    if end < len(documents):
        response["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return response
