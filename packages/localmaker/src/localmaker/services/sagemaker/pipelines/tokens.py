"""Client request tokens: the same request with the same token is answered again and done once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.store import PipelineStore
from localmaker.services.sagemaker.pipelines.stored_pipelines import Token


def fingerprint(request: Mapping[str, Any]) -> str:
    """What a request asks for, without its token: two requests with one token must agree in it."""
    asked = {key: value for key, value in request.items() if key != "ClientRequestToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def to_remember(operation: str, request: Mapping[str, Any]) -> Token | None:
    """What the store remembers of a request; None for a request without a token."""
    token = request.get("ClientRequestToken")
    return (operation, token, fingerprint(request)) if token else None


def replayed(store: PipelineStore, operation: str, request: Mapping[str, Any]) -> str | None:
    """The ARN that an earlier request with the same token gave; None when the token is new.

    Raises:
        AwsError: ConflictException when the earlier request asked for something else.
    """
    token = request.get("ClientRequestToken")
    known = store.token(operation, token) if token else None
    if known is None:
        return None
    asked, arn = known
    if asked != fingerprint(request):
        raise AwsError(
            "ConflictException", f"ClientRequestToken [{token}] was used for a different {operation} request."
        )
    return arn
