"""Who created or changed a resource, as SageMaker's ``UserContext``."""

from __future__ import annotations

from typing import Any

from localmaker.services.iam.authorization import requester
from localmaker.services.iam.policies import unique_id


def user_context() -> dict[str, Any]:
    """Return the caller of the request that this thread answers; empty where the endpoint does not know it."""
    principal = requester()
    if principal is None:
        return {}
    found = unique_id(principal.identity_arn)
    named = {} if found is None else {"PrincipalId": found if principal.is_user else f"{found}:{principal.name}"}
    return {"IamIdentity": {"Arn": principal.arn, **named}}
