"""What resources that are kept as documents have in common: ARNs, times, finding those of one region."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localmaker.http.operations import RequestContext
from localmaker.services.sagemaker.store import ResourceStore


def arn_of(kind: str, name_or_arn: str, context: RequestContext) -> str:
    """The ARN of a resource in the request's region; an ARN is taken as it is.

    Args:
        kind: as ARNs spell it, such as ``model-card``.
        name_or_arn: what a request calls it.
    """
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:{kind}/{name_or_arn}"


def now() -> float:
    """Seconds since 1970, as exactly as SageMaker's answers have them: a filter by a time that was read finds it."""
    return round(datetime.now(UTC).timestamp(), 3)


def of_region(kind: str, arn_field: str, context: RequestContext) -> list[dict[str, Any]]:
    """The documents of a kind that belong to the request's region.

    Args:
        kind: as the store has it.
        arn_field: of a document.
    """
    start = f"arn:aws:sagemaker:{context.region}:{context.account_id}:"
    return [one for one in context.service(ResourceStore).all(kind) if one[arn_field].startswith(start)]
