"""The condition key ``iam:PermissionsBoundary``: by it a policy allows changes only of roles with a certain boundary.

Source: actions and condition keys of IAM in the Service Authorization Reference, and "Delegating responsibility to
others using permissions boundaries" in the IAM user guide. Where a call sets a boundary, it is the one that it sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localmaker.services.iam.evaluation import Call
from localmaker.services.iam.policies import boundary_of

_KEY = "iam:permissionsboundary"
_SETTING = frozenset({"iam:CreateRole", "iam:PutRolePermissionsBoundary"})
_OF_ROLE = frozenset(
    {
        "iam:AttachRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePolicy",
    }
)


def with_boundary(call: Call, request: Mapping[str, Any]) -> Call:
    """Return a call with the boundary that conditions on it are about."""
    if call.action in _SETTING:
        boundary = request.get("PermissionsBoundary")
    elif call.action in _OF_ROLE:
        boundary = boundary_of(call.resource)
    else:
        return call
    return replace(call, context={**call.context, _KEY: (str(boundary),)}) if boundary else call
