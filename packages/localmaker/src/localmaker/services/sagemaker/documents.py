"""Resources stored as documents: their ARNs, times, and look-up by ARN and region."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext
from localmaker.services.sagemaker.store import ResourceStore


def arn_of(kind: str, name_or_arn: str, context: RequestContext) -> str:
    """Return the ARN of a resource in the request's region; an ARN is returned as it is.

    Args:
        kind: as ARNs spell it, such as ``model-card``.
        name_or_arn: from the request.
    """
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:{kind}/{name_or_arn}"


def existing(kind: str, arn: str, error: AwsError, context: RequestContext) -> dict[str, Any]:
    """Return the document of a resource.

    Raises:
        AwsError: ``error``; there is none.
    """
    document: dict[str, Any] | None = context.service(ResourceStore).get(kind, arn)
    if document is None:
        raise error
    return document


def now() -> float:
    """Return the seconds since 1970, to the millisecond as in SageMaker's responses, so that filters by time match."""
    return round(datetime.now(UTC).timestamp(), 3)


def of_region(kind: str, arn_field: str, context: RequestContext) -> list[dict[str, Any]]:
    """List the documents of a kind in the request's region.

    Args:
        kind: of the stored document.
        arn_field: of a document.
    """
    start = f"arn:aws:sagemaker:{context.region}:{context.account_id}:"
    return [one for one in context.service(ResourceStore).all(kind) if one[arn_field].startswith(start)]
